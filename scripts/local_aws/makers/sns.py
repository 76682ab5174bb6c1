"""Topics, who may publish to them, and who is subscribed."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, renamed, retag, split


class Topic(Maker):
    """A standard topic."""

    type = "aws:sns/topic:Topic"
    fixed = frozenset({"name"})
    changeable = frozenset({"tags", "kmsMasterKeyId"})
    watched = frozenset({"kmsMasterKeyId"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, key = split(inputs, "kmsMasterKeyId")
        attributes = {"attributes": renamed(key, kmsMasterKeyId="KmsMasterKeyId")} if key else {}
        arn = aws.call("sns", "CreateTopic", {**rest, **attributes})["TopicArn"]
        return Resource(arn, dict(inputs), {"arn": arn})

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        return f"arn:aws:sns:{aws.region}:{aws.account_id}:{inputs['name']}"

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        if old.inputs.get("kmsMasterKeyId") != inputs.get("kmsMasterKeyId"):
            _set(aws, old.id, "KmsMasterKeyId", inputs.get("kmsMasterKeyId") or "")
        retag(aws, "sns", {"resourceArn": old.id}, old, inputs)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("sns", "DeleteTopic", {"topicArn": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("sns", "GetTopicAttributes", {"topicArn": old.id})
        return answer and {"kmsMasterKeyId": answer["Attributes"].get("KmsMasterKeyId")}


class TopicPolicy(Maker):
    """A topic has a policy always: deleting the resource leaves the last one, as nothing may be set in its place."""

    type = "aws:sns/topicPolicy:TopicPolicy"
    fixed = frozenset({"arn"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, policy = split(inputs, "policy")
        target = renamed(rest, arn="topicArn")
        request = {**target, "attributeName": "Policy", "attributeValue": policy["policy"]}
        aws.call("sns", "SetTopicAttributes", request)
        return Resource(inputs["arn"], dict(inputs))

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        return self.create(aws, "", inputs)

    def delete(self, aws: Account, old: Resource) -> None:
        """Nothing to delete."""

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("sns", "GetTopicAttributes", {"topicArn": old.id})
        return answer and {"policy": answer["Attributes"].get("Policy", old.inputs["policy"])}


class TopicSubscription(Maker):
    """Who is told; nothing of it can be changed."""

    type = "aws:sns/topicSubscription:TopicSubscription"
    fixed = frozenset({"topic", "protocol", "endpoint"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        request = renamed(inputs, topic="topicArn") | {"returnSubscriptionArn": True}
        arn = aws.call("sns", "Subscribe", request)["SubscriptionArn"]
        return Resource(arn, dict(inputs), {"arn": arn})

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("sns", "Unsubscribe", {"subscriptionArn": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        return aws.find("sns", "GetSubscriptionAttributes", {"subscriptionArn": old.id}) and {}


def _set(aws: Account, topic: str, name: str, value: str) -> None:
    request = {"topicArn": topic, "attributeName": name, "attributeValue": value}
    aws.call("sns", "SetTopicAttributes", request)


MAKERS: list[Maker] = [Topic(), TopicPolicy(), TopicSubscription()]
