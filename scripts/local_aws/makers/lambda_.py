"""Functions, what becomes of their failed events, and who may call them."""

import json
from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, changes, cleared, renamed, retag, split

# What the function has without an input. https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_CLEARED: dict[str, Any] = {
    "kmsKeyArn": "",
    "description": "",
    "environment": {"variables": {}},
    "ephemeralStorage": {"size": 512},
    "memorySize": 128,
    "timeout": 3,
}

# What a mapping has without an input. https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
_NO_MAPPING: dict[str, Any] = {
    "bisectBatchOnFunctionError": False,
    "destinationConfig": {"onFailure": {}},
    "filterCriteria": {"filters": []},
    "functionResponseTypes": [],
    "maximumBatchingWindowInSeconds": 0,
    "maximumRecordAgeInSeconds": -1,
    "scalingConfig": {},
}


class Function(Maker):
    """A function of a zip file."""

    type = "aws:lambda/function:Function"
    fixed = frozenset({"name"})
    watched = frozenset({"kmsKeyArn"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, code, reserved = split(inputs, "code", "reservedConcurrentExecutions")
        request = renamed(rest, name="functionName") | {"code": {"zipFile": code["code"].path.read_bytes()}}
        made = aws.call("lambda", "CreateFunction", request)
        self._reserve(aws, inputs["name"], reserved)
        return Resource(inputs["name"], dict(inputs), {"arn": made["FunctionArn"]})

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        function = {"functionName": old.id}
        rest, code, _, tags, reserved, architectures = split(
            inputs, "code", "name", "tags", "reservedConcurrentExecutions", "architectures"
        )
        changed = changes(old.inputs, inputs)
        if changed & {"code", "architectures"}:
            package = {"zipFile": code["code"].path.read_bytes(), **architectures}
            aws.call("lambda", "UpdateFunctionCode", {**function, **package})
        if configured := changed - {"code", "architectures", "tags", "reservedConcurrentExecutions"}:
            gone = {name: cleared(self.type, old.id, name, _CLEARED) for name in configured - set(inputs)}
            aws.call("lambda", "UpdateFunctionConfiguration", {**function, **gone, **rest})
        if "reservedConcurrentExecutions" in changed:
            self._reserve(aws, old.id, reserved)
        retag(aws, "lambda", {"resource": old.outputs["arn"]}, old, tags)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("lambda", "DeleteFunction", {"functionName": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("lambda", "GetFunction", {"functionName": old.id})
        if answer is None:
            return None
        configuration = {"Environment": {"Variables": {}}} | answer["Configuration"]
        return {name: value for name, value in configuration.items() if name.lower() != "code"}

    def _reserve(self, aws: Account, function: str, reserved: Inputs) -> None:
        if reserved:
            aws.call("lambda", "PutFunctionConcurrency", {"functionName": function, **reserved})
        else:
            aws.find("lambda", "DeleteFunctionConcurrency", {"functionName": function})


class FunctionEventInvokeConfig(Maker):
    """Retries of a function's asynchronous events, and where they go after them."""

    type = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    fixed = frozenset({"functionName", "qualifier"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        aws.call("lambda", "PutFunctionEventInvokeConfig", inputs)
        return Resource(inputs["functionName"], dict(inputs))

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        return str(inputs["functionName"])

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        return self.create(aws, "", inputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("lambda", "DeleteFunctionEventInvokeConfig", {"functionName": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        return aws.find("lambda", "GetFunctionEventInvokeConfig", {"functionName": old.id})


class Permission(Maker):
    """A statement of a function's own policy; a changed one is another one."""

    type = "aws:lambda/permission:Permission"
    fixed = frozenset({"action", "function", "principal", "qualifier", "sourceAccount", "sourceArn", "statementId"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        aws.call("lambda", "AddPermission", renamed(inputs, function="functionName"))
        return Resource(inputs["statementId"], dict(inputs))

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        return str(inputs["statementId"])

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("lambda", "RemovePermission", {**_policy(old.inputs), "statementId": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("lambda", "GetPolicy", _policy(old.inputs))
        statements = json.loads(answer["Policy"])["Statement"] if answer else []
        found = next((each for each in statements if each["Sid"] == old.id), None)
        if found is None:
            return None
        tests = found.get("Condition", {}).values()
        held = {key.partition(":")[2]: value for test in tests for key, value in test.items()}
        principal, *_ = found["Principal"].values()
        absent = {"SourceArn": None, "SourceAccount": None}
        return {"action": found["Action"], "principal": principal} | absent | held


def _policy(inputs: Inputs) -> dict[str, Any]:
    function = {"functionName": inputs["function"]}
    return function | ({"qualifier": inputs["qualifier"]} if "qualifier" in inputs else {})


class EventSourceMapping(Maker):
    """What hands a function the messages of a queue, or the records of a stream."""

    type = "aws:lambda/eventSourceMapping:EventSourceMapping"
    fixed = frozenset({"eventSourceArn", "startingPosition"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        made = aws.call("lambda", "CreateEventSourceMapping", _mapping(inputs))
        return Resource(made["UUID"], dict(inputs), {"uuid": made["UUID"], "arn": made["EventSourceMappingArn"]})

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        return None

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        rest, *_ = split(inputs, "eventSourceArn", "startingPosition", "tags")
        gone = {
            name: cleared(self.type, old.id, name, _NO_MAPPING) for name in set(old.inputs) - set(inputs) - {"tags"}
        }
        aws.call("lambda", "UpdateEventSourceMapping", {"uuid": old.id, **gone, **_mapping(rest)})
        retag(aws, "lambda", {"resource": old.outputs["arn"]}, old, inputs)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("lambda", "DeleteEventSourceMapping", {"uuid": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        found = aws.find("lambda", "GetEventSourceMapping", {"uuid": old.id})
        if found is None:
            return None
        failed = found.get("DestinationConfig", {}).get("OnFailure")
        destination = {"onFailure": {"destinationArn": failed["Destination"]}} if failed else None
        function = found["FunctionArn"].rpartition(":")[2]
        scaling = found.get("ScalingConfig") or None
        given = {"functionName": function, "destinationConfig": destination, "scalingConfig": scaling}
        return _NO_MAPPING | {name[0].lower() + name[1:]: value for name, value in found.items()} | given


def _mapping(inputs: Inputs) -> dict[str, Any]:
    """The mapping's inputs under the API's names."""
    if not (failed := inputs.get("destinationConfig", {}).get("onFailure")):
        return dict(inputs)
    return {**inputs, "destinationConfig": {"onFailure": {"destination": failed["destinationArn"]}}}


MAKERS: list[Maker] = [Function(), EventSourceMapping(), FunctionEventInvokeConfig(), Permission()]
