"""When deliveries are due: one schedule group for the stack, and the schedules of each client."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.deployment import SEPARATOR, Deployment
from infra.function import failure_queue
from referral_delivery.agreement.client import Client
from referral_delivery.agreement.cron import expressions
from referral_delivery.agreement.month import LAST
from referral_delivery.agreement.schedule import Day, Schedule
from referral_delivery.delivery.event import SCHEDULED_TIME, ExportEvent

# Retries of the call to Lambda, not of a run. After an hour a person should know: the DLQ raises an alarm.
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
RETRIES = 20
MAX_EVENT_AGE_SECONDS = 60 * 60
RETRY = aws.scheduler.ScheduleTargetRetryPolicyArgs(
    maximum_event_age_in_seconds=MAX_EVENT_AGE_SECONDS, maximum_retry_attempts=RETRIES
)
_MIN_EVENT_AGE_SECONDS = 60
# No client's schedule has this name: theirs have a number. Every five minutes, and not at the full hour with the rest.
WATCH, WATCH_EXPRESSION = "watch", "cron(3/5 * * * ? *)"
# Each hour is the end of somebody's day.
DIGESTS, DIGESTS_EXPRESSION = "digests", "cron(0 * * * ? *)"


@dataclass(frozen=True, kw_only=True)
class ScheduleGroupArgs:
    """What all schedules of the stack share, and the functions that they start."""

    deployment: Deployment
    function_arn: pulumi.Input[str]
    watch_arn: pulumi.Input[str]
    notify_arn: pulumi.Input[str]


class ScheduleGroup(pulumi.ComponentResource):
    """The stack's schedule group, the role that its schedules use, and their dead-letter queue."""

    def __init__(self, name: str, args: ScheduleGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:schedules:ScheduleGroup", name, None, opts)
        deployment, child = args.deployment, pulumi.ResourceOptions(parent=self)
        self.group = aws.scheduler.ScheduleGroup(
            f"{name}-group", name=deployment.prefix, tags=deployment.tags, opts=child
        )
        self.dlq = failure_queue(self, f"{name}-dlq", deployment, queue_name=f"{deployment.prefix}-schedule-dlq")
        role = deployment.role(
            f"{name}-role",
            f"{deployment.prefix}-schedules",
            # The source is the *group*: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
            trust=pulumi.Output.json_dumps(
                self.group.arn.apply(
                    lambda arn: policies.trust(
                        "scheduler.amazonaws.com", account_id=deployment.account_id, source_arn=arn
                    )
                )
            ),
            parent=self,
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy",
            name="start-functions",
            role=role.name,
            policy=pulumi.Output.json_dumps(
                pulumi.Output.all(
                    args.function_arn, args.watch_arn, args.notify_arn, self.dlq.arn, deployment.key_arn
                ).apply(lambda arns: policies.start_functions(arns[:3], arns[3], arns[4]))
            ),
            opts=child,
        )
        # Known when its rights are there: whoever uses it depends on the policy too.
        self.role_arn: pulumi.Output[str] = pulumi.Output.all(role.arn, policy.id).apply(lambda made: str(made[0]))
        self._of_the_stack(
            f"{name}-watch",
            WATCH,
            "Looks after all clients",
            expression=WATCH_EXPRESSION,
            arn=args.watch_arn,
            # The next round is as good as a repeated one.
            retries=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=_MIN_EVENT_AGE_SECONDS, maximum_retry_attempts=1
            ),
            key_arn=deployment.key_arn,
        )
        self._of_the_stack(
            f"{name}-digests",
            DIGESTS,
            "Mails the files of a day to those who asked for it",
            expression=DIGESTS_EXPRESSION,
            arn=args.notify_arn,
            retries=RETRY,
            event=json.dumps({"digest": SCHEDULED_TIME}),
            key_arn=deployment.key_arn,
        )
        self.register_outputs({"group": self.group.name})

    def _of_the_stack(
        self,
        name: str,
        schedule_name: str,
        description: str,
        *,
        expression: str,
        arn: pulumi.Input[str],
        retries: aws.scheduler.ScheduleTargetRetryPolicyArgs,
        key_arn: pulumi.Input[str | None],
        event: str = "{}",
    ) -> None:
        """A schedule that is no client's."""
        aws.scheduler.Schedule(
            name,
            name=schedule_name,
            group_name=self.group.name,
            description=description,
            schedule_expression=expression,
            kms_key_arn=key_arn,
            flexible_time_window=_window(0),
            target=aws.scheduler.ScheduleTargetArgs(
                arn=arn,
                role_arn=self.role_arn,
                input=event,
                retry_policy=retries,
                dead_letter_config=aws.scheduler.ScheduleTargetDeadLetterConfigArgs(arn=self.dlq.arn),
            ),
            opts=pulumi.ResourceOptions(parent=self, deleted_with=self.group),
        )


@dataclass(frozen=True, kw_only=True)
class ClientScheduleArgs:
    """`group` is the resource where this stack makes it; `spread_minutes` of 0 starts at the minute."""

    client: Client
    spread_minutes: int
    group_name: pulumi.Input[str]
    role_arn: pulumi.Input[str]
    dlq_arn: pulumi.Input[str]
    function_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str | None]
    group: pulumi.Resource | None = None


class ClientSchedule(pulumi.ComponentResource):
    """The schedules of one client: one per cron expression, in the client's timezone."""

    def __init__(self, name: str, args: ClientScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:schedules:ClientSchedule", name, None, opts)
        client = args.client
        target = aws.scheduler.ScheduleTargetArgs(
            arn=args.function_arn,
            role_arn=args.role_arn,
            input=ExportEvent(contract=client.contract).model_dump_json(),
            retry_policy=RETRY,
            dead_letter_config=aws.scheduler.ScheduleTargetDeadLetterConfigArgs(arn=args.dlq_arn),
        )
        for number, expression in enumerate(expressions(client.schedule), start=1):
            aws.scheduler.Schedule(
                f"{name}-schedule-{number}",
                name=schedule_name(client.client, number),
                group_name=args.group_name,
                description=f"Referral file for {client.client}",
                schedule_expression=expression,
                schedule_expression_timezone=client.schedule.timezone,
                kms_key_arn=args.key_arn,
                flexible_time_window=_window(args.spread_minutes),
                target=target,
                # A deleted group takes its schedules with it.
                # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteScheduleGroup.html
                opts=pulumi.ResourceOptions(parent=self, deleted_with=args.group),
            )
        self.register_outputs({})


def schedule_name(client: str, number: int) -> str:
    """Name of a client's n-th schedule, from 1, which is unique in its group."""
    return f"{client}{SEPARATOR}{number}"


def in_words(schedule: Schedule) -> str:
    """When files are due, as a client is told: `06:00 and 18:30, mon, fri, Australia/Sydney`."""
    times = " and ".join(schedule.at) or f"every {schedule.every}"
    if schedule.days_of_month:
        days = _days_of_month_in_words(schedule)
    else:
        days = "every day" if set(schedule.days) == set(Day) else ", ".join(schedule.days)
    return f"{times}, {days}, {schedule.timezone}"


def _days_of_month_in_words(schedule: Schedule) -> str:
    """`the 1st, 15th and last day of the month`."""
    numbers = sorted(day for day in schedule.days_of_month if day != LAST)
    days = [*map(_ordinal, numbers), *([LAST] if LAST in schedule.days_of_month else [])]
    return f"the {', '.join(days[:-1])}{' and ' if days[1:] else ''}{days[-1]} day of the month"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending if number // 10 != 1 else 'th'}"


# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-flexible-time-windows.html
def _window(minutes: int) -> aws.scheduler.ScheduleFlexibleTimeWindowArgs:
    if minutes:
        return aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="FLEXIBLE", maximum_window_in_minutes=minutes)
    return aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF")
