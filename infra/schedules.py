"""When deliveries are due: one schedule group for the stack, and the schedules of each client."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.exporter import failure_queue
from referral_delivery.client import Client
from referral_delivery.event import ExportEvent
from referral_delivery.schedule import expressions

# Retries of the call to Lambda, not of a run. After an hour a person should know: the DLQ raises an alarm.
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
RETRIES = 20
MAX_EVENT_AGE_SECONDS = 60 * 60


@dataclass(frozen=True, kw_only=True)
class ScheduleGroupArgs:
    """What all schedules of the stack share."""

    prefix: str
    account_id: str
    region: str
    function_arn: pulumi.Output[str]
    tags: dict[str, str]


class ScheduleGroup(pulumi.ComponentResource):
    """The stack's schedule group, the role that its schedules use, and their dead-letter queue."""

    def __init__(self, name: str, args: ScheduleGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:schedules:ScheduleGroup", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.function_arn = args.function_arn
        self.group = aws.scheduler.ScheduleGroup(f"{name}-group", name=args.prefix, tags=args.tags, opts=child)
        self.dlq = failure_queue(f"{name}-dlq", f"{args.prefix}-schedule-dlq", self, args.tags)
        self.role = aws.iam.Role(
            f"{name}-role",
            name=f"{args.prefix}-schedules",
            # The source is the *group*: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
            assume_role_policy=pulumi.Output.json_dumps(
                self.group.arn.apply(
                    lambda arn: policies.trust("scheduler.amazonaws.com", account_id=args.account_id, source_arn=arn)
                )
            ),
            tags=args.tags,
            opts=child,
        )
        aws.iam.RolePolicy(
            f"{name}-policy",
            name="start-export",
            role=self.role.name,
            policy=pulumi.Output.json_dumps(
                pulumi.Output.all(args.function_arn, self.dlq.arn).apply(
                    lambda arns: policies.start_export(function_arn=arns[0], dlq_arn=arns[1])
                )
            ),
            opts=child,
        )
        self.register_outputs({"group": self.group.name})


class ClientSchedule(pulumi.ComponentResource):
    """The schedules of one client: one per cron expression, in the client's timezone."""

    def __init__(
        self, name: str, client: Client, group: ScheduleGroup, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("referrals:schedules:ClientSchedule", name, None, opts)
        event = ExportEvent(contract=client.contract).model_dump_json()
        for number, expression in enumerate(expressions(client.schedule), start=1):
            aws.scheduler.Schedule(
                f"{name}-schedule-{number}",
                name=schedule_name(client.client, number),
                group_name=group.group.name,
                description=f"Referral file for {client.client}",
                schedule_expression=expression,
                schedule_expression_timezone=client.schedule.timezone,
                flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
                target=aws.scheduler.ScheduleTargetArgs(
                    arn=group.function_arn,
                    role_arn=group.role.arn,
                    input=event,
                    retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                        maximum_event_age_in_seconds=MAX_EVENT_AGE_SECONDS, maximum_retry_attempts=RETRIES
                    ),
                    dead_letter_config=aws.scheduler.ScheduleTargetDeadLetterConfigArgs(arn=group.dlq.arn),
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def schedule_name(client: str, number: int) -> str:
    """Name of a client's n-th schedule, from 1. No client's name holds a dot, so no two are the same."""
    return f"{client}.{number}"
