"""Tables."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, changes, renamed, retag, split

_STREAM = ("streamEnabled", "streamViewType")


class Table(Maker):
    """A table with a hash and a range key."""

    type = "aws:dynamodb/table:Table"
    fixed = frozenset({"name", "hashKey", "rangeKey", "attributes"})
    changeable = frozenset(
        {"deletionProtectionEnabled", "pointInTimeRecovery", "tags", "serverSideEncryption"}
        | {"streamEnabled", "streamViewType"}
    )
    watched = frozenset({"serverSideEncryption"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, recovery, encryption, *_ = split(
            inputs, "pointInTimeRecovery", "serverSideEncryption", "attributes", "hashKey", "rangeKey", *_STREAM
        )
        keys = {"HASH": inputs["hashKey"], "RANGE": inputs["rangeKey"]}
        made = aws.call(
            "dynamodb",
            "CreateTable",
            renamed(rest, name="tableName")
            | _encryption(encryption)
            | _stream(inputs)
            | {
                "attributeDefinitions": [
                    renamed(attribute, name="attributeName", type="attributeType") for attribute in inputs["attributes"]
                ],
                "keySchema": [{"attributeName": key, "keyType": kind} for kind, key in keys.items()],
            },
        )["TableDescription"]
        self._recover(aws, inputs["name"], recovery)
        return Resource(inputs["name"], dict(inputs), {"arn": made["TableArn"]} | _stream_of(made))

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        changed = changes(old.inputs, inputs)
        if "deletionProtectionEnabled" in changed:
            protection = {"deletionProtectionEnabled": inputs.get("deletionProtectionEnabled", False)}
            aws.call("dynamodb", "UpdateTable", {"tableName": old.id, **protection})
        if "serverSideEncryption" in changed:
            encryption = {"serverSideEncryption": inputs.get("serverSideEncryption", {"enabled": False})}
            aws.call("dynamodb", "UpdateTable", {"tableName": old.id, **_encryption(encryption)})
        if "pointInTimeRecovery" in changed:
            self._recover(aws, old.id, {"pointInTimeRecovery": inputs["pointInTimeRecovery"]})
        outputs = old.outputs
        if changed & set(_STREAM):
            wanted = _stream(inputs) or {"streamSpecification": {"streamEnabled": False}}
            made = aws.call("dynamodb", "UpdateTable", {"tableName": old.id, **wanted})["TableDescription"]
            outputs = {"arn": old.outputs["arn"]} | _stream_of(made)
        retag(aws, "dynamodb", {"resourceArn": old.outputs["arn"]}, old, inputs)
        return Resource(old.id, dict(inputs), outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("dynamodb", "DeleteTable", {"tableName": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("dynamodb", "DescribeTable", {"tableName": old.id})
        if answer is None:
            return None
        backups = aws.call("dynamodb", "DescribeContinuousBackups", {"tableName": old.id})
        state = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        return {
            "deletionProtectionEnabled": answer["Table"].get("DeletionProtectionEnabled", False),
            "pointInTimeRecovery": {"enabled": state == "ENABLED"},
            "serverSideEncryption": _found_encryption(answer["Table"].get("SSEDescription", {})),
            **{"streamEnabled": False, "streamViewType": None},
            **answer["Table"].get("StreamSpecification", {}),
        }

    def _recover(self, aws: Account, table: str, recovery: Inputs) -> None:
        if recovery:
            wanted = renamed(recovery["pointInTimeRecovery"], enabled="pointInTimeRecoveryEnabled")
            request = {"tableName": table, "pointInTimeRecoverySpecification": wanted}
            aws.call("dynamodb", "UpdateContinuousBackups", request)


def _stream(inputs: Inputs) -> dict[str, Any]:
    given = {name: inputs[name] for name in _STREAM if name in inputs}
    return {"streamSpecification": given} if given.get("streamEnabled") else {}


def _stream_of(described: Mapping[str, Any]) -> dict[str, Any]:
    """The stream's own outputs, where the table has one."""
    if not described.get("StreamSpecification", {}).get("StreamEnabled"):
        return {}
    return {"streamArn": described["LatestStreamArn"], "streamLabel": described["LatestStreamLabel"]}


def _encryption(inputs: Inputs) -> dict[str, Any]:
    """A key of the account is type KMS; without any, the table is under DynamoDB's own."""
    if not inputs:
        return {}
    wanted = renamed(inputs["serverSideEncryption"], kmsKeyArn="kmsMasterKeyId")
    return {"sseSpecification": wanted | ({"sseType": "KMS"} if wanted["enabled"] else {})}


def _found_encryption(described: Mapping[str, Any]) -> dict[str, Any] | None:
    """None is DynamoDB's own key."""
    if described.get("Status") not in {"ENABLED", "UPDATING"}:
        return None
    return {"enabled": True, "kmsKeyArn": described.get("KMSMasterKeyArn")}


MAKERS: list[Maker] = [Table()]
