"""Keys, and their names."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, renamed, retag, split


class Key(Maker):
    """A symmetric key; deleting it begins the days in which it can still be kept."""

    type = "aws:kms/key:Key"
    changeable = frozenset({"description", "policy", "enableKeyRotation", "deletionWindowInDays", "tags"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, rotation, _, tags = split(inputs, "enableKeyRotation", "deletionWindowInDays", "tags")
        pairs = [{"tagKey": key, "tagValue": value} for key, value in tags.get("tags", {}).items()]
        key = aws.call("kms", "CreateKey", {**rest, "tags": pairs})["KeyMetadata"]
        self._rotate(aws, key["KeyId"], rotation)
        return Resource(key["KeyId"], dict(inputs), {"keyId": key["KeyId"], "arn": key["Arn"]})

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        key = {"keyId": old.id}
        if "description" in inputs:
            aws.call("kms", "UpdateKeyDescription", {**key, "description": inputs["description"]})
        if "policy" in inputs:
            aws.call("kms", "PutKeyPolicy", {**key, "policyName": "default", "policy": inputs["policy"]})
        self._rotate(aws, old.id, {"enableKeyRotation": inputs.get("enableKeyRotation", False)})
        retag(aws, "kms", key, old, inputs)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        days = renamed(split(old.inputs, "deletionWindowInDays")[1], deletionWindowInDays="pendingWindowInDays")
        if self.describe(aws, old) is not None:
            aws.call("kms", "ScheduleKeyDeletion", {"keyId": old.id, **days})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("kms", "DescribeKey", {"keyId": old.id})
        if answer is None or answer["KeyMetadata"]["KeyState"] == "PendingDeletion":
            return None
        rotation = aws.call("kms", "GetKeyRotationStatus", {"keyId": old.id})
        policy = aws.call("kms", "GetKeyPolicy", {"keyId": old.id, "policyName": "default"})
        return {
            "description": answer["KeyMetadata"]["Description"],
            "enableKeyRotation": rotation["KeyRotationEnabled"],
            "policy": policy["Policy"],
        }

    def _rotate(self, aws: Account, key: str, rotation: Inputs) -> None:
        if rotation:
            operation = "EnableKeyRotation" if rotation["enableKeyRotation"] else "DisableKeyRotation"
            aws.call("kms", operation, {"keyId": key})


class Alias(Maker):
    """A key's name."""

    type = "aws:kms/alias:Alias"
    fixed = frozenset({"name"})
    changeable = frozenset({"targetKeyId"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        aws.call("kms", "CreateAlias", renamed(inputs, name="aliasName"))
        return Resource(inputs["name"], dict(inputs))

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        aws.call("kms", "UpdateAlias", renamed(inputs, name="aliasName"))
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("kms", "DeleteAlias", {"aliasName": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        aliases = aws.call("kms", "ListAliases", {})["Aliases"]
        found = next((alias for alias in aliases if alias["AliasName"] == old.id), None)
        return found and {"targetKeyId": found["TargetKeyId"]}


MAKERS: list[Maker] = [Key(), Alias()]
