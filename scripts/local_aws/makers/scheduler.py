"""Schedules and their groups."""

from collections.abc import Mapping
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, retag


class ScheduleGroup(Maker):
    """Deleted with all of its schedules."""

    type = "aws:scheduler/scheduleGroup:ScheduleGroup"
    fixed = frozenset({"name"})
    changeable = frozenset({"tags"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        made = aws.call("scheduler", "CreateScheduleGroup", inputs)
        return Resource(inputs["name"], dict(inputs), {"arn": made["ScheduleGroupArn"]})

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        retag(aws, "scheduler", {"resourceArn": old.outputs["arn"]}, old, inputs)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("scheduler", "DeleteScheduleGroup", {"name": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        return aws.find("scheduler", "GetScheduleGroup", {"name": old.id})


class Schedule(Maker):
    """One expression and its target; every change gives all of it anew."""

    type = "aws:scheduler/schedule:Schedule"
    fixed = frozenset({"name", "groupName"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        made = aws.call("scheduler", "CreateSchedule", inputs)
        return Resource(self.id_of(aws, inputs), dict(inputs), {"arn": made["ScheduleArn"]})

    def id_of(self, aws: Account, inputs: Inputs) -> str:
        return f"{inputs['groupName']}/{inputs['name']}"

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        aws.call("scheduler", "UpdateSchedule", inputs)
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("scheduler", "DeleteSchedule", self._key(old))

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        return aws.find("scheduler", "GetSchedule", self._key(old))

    def _key(self, old: Resource) -> dict[str, str]:
        return {"groupName": old.inputs["groupName"], "name": old.inputs["name"]}


MAKERS: list[Maker] = [ScheduleGroup(), Schedule()]
