"""EventBridge's rules and their targets."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.errors import CannotMake
from local_aws.makers.maker import Maker, Resource, renamed, retag, split

# What a rule is without the input. https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
_CLEARED = {"description": "", "state": "ENABLED"}
_BUS = "default"


class Rule(Maker):
    """A rule of a bus; put again to change it."""

    type = "aws:cloudwatch/eventRule:EventRule"
    fixed = frozenset({"name", "eventBusName"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, _ = split(inputs, "forceDestroy")
        arn = aws.call("events", "PutRule", _CLEARED | rest)["RuleArn"]
        return Resource(self.id_of(aws, inputs), dict(inputs), {"arn": arn})

    def id_of(self, aws: Account, inputs: Inputs) -> str:
        bus = inputs.get("eventBusName", _BUS)
        return str(inputs["name"]) if bus == _BUS else f"{bus}/{inputs['name']}"

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        rest, _ = split(inputs, "tags")  # PutRule leaves the tags of an existing rule as they are
        made = self.create(aws, "", rest)
        retag(aws, "events", {"resourceArn": made.outputs["arn"]}, old, inputs)
        return Resource(made.id, dict(inputs), made.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("events", "DeleteRule", _bus(old.inputs) | {"name": old.inputs["name"]})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        found = aws.find("events", "DescribeRule", _bus(old.inputs) | {"name": old.inputs["name"]})
        return found and {"description": None, **found}


class Target(Maker):
    """One target of a rule; put again to change it."""

    type = "aws:cloudwatch/eventTarget:EventTarget"
    fixed = frozenset({"rule", "eventBusName", "targetId"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, *_, transformer = split(inputs, "rule", "eventBusName", "inputTransformer")
        target = renamed(rest, targetId="id")
        if transformer:
            target["inputTransformer"] = renamed(transformer["inputTransformer"], inputPaths="inputPathsMap")
        answer = aws.call("events", "PutTargets", _rule(inputs) | {"targets": [target]})
        if answer["FailedEntryCount"]:
            raise CannotMake(f"{self.type} ({name}): {answer['FailedEntries']}")
        return Resource(self.id_of(aws, inputs), dict(inputs))

    def id_of(self, aws: Account, inputs: Inputs) -> str:
        return f"{inputs['rule']}-{inputs['targetId']}"

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        return self.create(aws, "", inputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("events", "RemoveTargets", _rule(old.inputs) | {"ids": [old.inputs["targetId"]]})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("events", "ListTargetsByRule", _rule(old.inputs))
        targets = answer["Targets"] if answer else []
        found = next((each for each in targets if each["Id"] == old.inputs["targetId"]), None)
        if found is None:
            return None
        if transformer := found.get("InputTransformer"):
            found["InputTransformer"] = renamed(transformer, InputPathsMap="inputPaths")
        return {**dict.fromkeys(("Input", "InputPath", "InputTransformer", "DeadLetterConfig", "RetryPolicy")), **found}


def _bus(inputs: Inputs) -> dict[str, Any]:
    return {"eventBusName": inputs.get("eventBusName", _BUS)}


def _rule(inputs: Inputs) -> dict[str, Any]:
    return _bus(inputs) | {"rule": inputs["rule"]}


MAKERS: list[Maker] = [Rule(), Target()]
