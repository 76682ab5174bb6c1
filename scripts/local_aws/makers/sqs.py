"""Queues."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.account import Account, Inputs, is_missing
from local_aws.errors import CannotMake
from local_aws.makers.maker import Maker, Resource, cleared, retag, split

# What the API calls an input of the resource.
_ATTRIBUTES = {
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "policy": "Policy",
    "redrivePolicy": "RedrivePolicy",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
# What an attribute is without its input. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
_CLEARED = {
    "messageRetentionSeconds": 345_600,
    "sqsManagedSseEnabled": False,  # nothing is left out but for a key
    "kmsMasterKeyId": "",
    "kmsDataKeyReusePeriodSeconds": 300,
    "policy": "",
    "redrivePolicy": "",
    "visibilityTimeoutSeconds": 30,
}


class Queue(Maker):
    """A queue; everything but its name and tags is an attribute."""

    type = "aws:sqs/queue:Queue"
    fixed = frozenset({"name"})
    watched = frozenset({"kmsMasterKeyId", "policy"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, given, tags = split(inputs, "name", "tags")
        queue = {"queueName": given["name"], "attributes": _attributes(rest)}
        url = aws.call("sqs", "CreateQueue", {**queue, **tags})["QueueUrl"]
        arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:{given['name']}"
        return Resource(url, dict(inputs), {"url": url, "arn": arn})

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        found = aws.find("sqs", "GetQueueUrl", {"queueName": inputs["name"]})
        return str(found["QueueUrl"]) if found else None

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        rest, *_ = split(inputs, "name", "tags")
        gone = set(old.inputs) - set(inputs) - {"tags"}
        attributes = _attributes({name: cleared(self.type, old.id, name, _CLEARED) for name in gone} | rest)
        aws.call("sqs", "SetQueueAttributes", {"queueUrl": old.id, "attributes": attributes})
        retag(aws, "sqs", {"queueUrl": old.id}, old, inputs, "Queue")
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("sqs", "DeleteQueue", {"queueUrl": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        try:
            answer = aws.client("sqs").get_queue_attributes(QueueUrl=old.id, AttributeNames=["All"])
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        found = answer["Attributes"]
        return {name: _as_given(found.get(api), old.inputs.get(name)) for name, api in _ATTRIBUTES.items()}


def _attributes(inputs: Inputs) -> dict[str, str]:
    """Attributes are text in the API: true, 1209600."""
    if unknown := set(inputs) - set(_ATTRIBUTES):
        raise CannotMake(f"sqs CreateQueue has no attribute here for the input {sorted(unknown)[0]!r}")
    return {_ATTRIBUTES[name]: _as_text(value) for name, value in inputs.items() if value is not None}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) else str(value)


def _as_given(text: str | None, given: Any) -> Any:
    if isinstance(given, bool):
        return text == "true"
    return float(text) if text and isinstance(given, (int, float)) else text or None


MAKERS: list[Maker] = [Queue()]
