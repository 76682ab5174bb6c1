"""Log groups, alarms and dashboards."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, changes, renamed, retag, split


class LogGroup(Maker):
    """A log group; its retention is a call of its own."""

    type = "aws:cloudwatch/logGroup:LogGroup"
    fixed = frozenset({"name"})
    changeable = frozenset({"tags", "retentionInDays", "kmsKeyId"})
    watched = frozenset({"kmsKeyId"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, retention = split(inputs, "retentionInDays")
        aws.call("logs", "CreateLogGroup", renamed(rest, name="logGroupName"))
        self._retain(aws, inputs["name"], retention)
        arn = f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{inputs['name']}"
        return Resource(inputs["name"], dict(inputs), {"arn": arn})

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        if "kmsKeyId" in changes(old.inputs, inputs):
            return self._made_anew(aws, old, inputs)
        self._retain(aws, old.id, split(inputs, "retentionInDays")[1])
        retag(aws, "logs", {"resourceArn": old.outputs["arn"]}, old, inputs)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("logs", "DeleteLogGroup", {"logGroupName": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        groups = aws.call("logs", "DescribeLogGroups", {"logGroupNamePrefix": old.id})["logGroups"]
        found = next((group for group in groups if group["logGroupName"] == old.id), None)
        return found and {"retentionInDays": found.get("retentionInDays"), "kmsKeyId": found.get("kmsKeyId")}

    def _made_anew(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        """The group under another key, without its lines.

        AWS changes the key in place (AssociateKmsKey, DisassociateKmsKey), which the emulator cannot.
        """
        while True:
            self.delete(aws, old)
            try:
                return self.create(aws, "", inputs)
            except aws.client("logs").exceptions.ResourceAlreadyExistsException:
                continue  # a function that ran in between has made it

    def _retain(self, aws: Account, group: str, retention: Inputs) -> None:
        operation = "PutRetentionPolicy" if retention else "DeleteRetentionPolicy"
        aws.call("logs", operation, {"logGroupName": group, **retention})


class MetricAlarm(Maker):
    """An alarm; put again to change it."""

    type = "aws:cloudwatch/metricAlarm:MetricAlarm"
    fixed = frozenset({"name"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        aws.call("cloudwatch", "PutMetricAlarm", renamed(inputs, name="alarmName"))
        arn = f"arn:aws:cloudwatch:{aws.region}:{aws.account_id}:alarm:{inputs['name']}"
        return Resource(inputs["name"], dict(inputs), {"arn": arn})

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        rest, _ = split(inputs, "tags")  # PutMetricAlarm leaves the tags of an existing alarm as they are
        made = self.create(aws, "", rest)
        retag(aws, "cloudwatch", {"resourceArn": made.outputs["arn"]}, old, inputs)
        return Resource(made.id, dict(inputs), made.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("cloudwatch", "DeleteAlarms", {"alarmNames": [old.id]})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        found = aws.call("cloudwatch", "DescribeAlarms", {"alarmNames": [old.id]})["MetricAlarms"]
        return found[0] if found else None


class Dashboard(Maker):
    """A dashboard; put again to change it."""

    type = "aws:cloudwatch/dashboard:Dashboard"
    fixed = frozenset({"dashboardName"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        aws.call("cloudwatch", "PutDashboard", inputs)
        return Resource(inputs["dashboardName"], dict(inputs), {})

    def id_of(self, aws: Account, inputs: Inputs) -> str:
        return str(inputs["dashboardName"])

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        return self.create(aws, "", inputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("cloudwatch", "DeleteDashboards", {"dashboardNames": [old.id]})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        return aws.find("cloudwatch", "GetDashboard", {"dashboardName": old.id})


MAKERS: list[Maker] = [LogGroup(), MetricAlarm(), Dashboard()]
