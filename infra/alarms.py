"""The alarms as data: what each watches, when it goes off, what to do first, and where the runbook says more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi

# The heading of docs/operations.md that an alarm's description ends with.
RUNBOOK = "docs/operations.md#"
NAMESPACE = "ReferralDelivery"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """More than none in each of `periods` of five minutes; `first` says what to do, `heading` where more stands."""

    name: str
    first: str
    heading: str
    namespace: str
    metric: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: Literal["Sum", "Maximum"] = "Sum"
    periods: int = 1
    missing: Literal["breaching", "notBreaching"] = "notBreaching"

    @property
    def description(self) -> str:
        """What the mail says."""
        return f"{self.first} {RUNBOOK}{self.heading}"


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the alarms look at: names of functions and queues by their purpose, and the group of all schedules.

    A function that is not named has a queue of what failed for good, and that is enough: it is tried again by itself.
    """

    stack: str
    export: pulumi.Input[str]
    watch: pulumi.Input[str]
    queues: Mapping[str, pulumi.Input[str]]
    schedule_group: pulumi.Input[str]


def alarms(watched: Watched) -> list[Alarm]:
    """Every alarm of a stack."""
    return [*_findings(watched.stack), *_of_queues(watched), *_of_functions(watched), *_of_schedules(watched)]


def _findings(stack: str) -> Iterator[Alarm]:
    """Of the watch. Two rounds in a row, so that one that starts late is none."""
    told = {
        "OverdueClients": (
            "overdue",
            "A file is more than 30 minutes late, or the watch does not run: `referralctl status`.",
            "a-file-is-late",
        ),
        "StuckClients": (
            "stuck",
            "A due time waits, and starting the export has not helped: read the export's log for the client.",
            "a-client-is-stuck",
        ),
        "SilentClients": (
            "silent",
            "The lake has had no referral of a client for longer than its `expect_within`: ask who writes it.",
            "the-lake-is-silent",
        ),
        "UncollectedFiles": (
            "uncollected",
            "A file lies there for longer than its client's `collect_within`: `referralctl deliveries CLIENT`.",
            "a-file-was-not-collected",
        ),
        "ExpiringKeys": (
            "keys",
            "An SSH or PGP key ends within 30 days: ask the client for its next one.",
            "a-key-expires",
        ),
    }
    for metric, (name, first, heading) in told.items():
        yield Alarm(
            name=name,
            first=first,
            heading=heading,
            namespace=NAMESPACE,
            metric=metric,
            dimensions={"service": "referral-delivery", "stack": stack},
            statistic="Maximum",
            periods=2,
            # A watch that does not run is itself an alarm, and one is enough.
            missing="breaching" if metric == "OverdueClients" else "notBreaching",
        )


def _of_queues(watched: Watched) -> Iterator[Alarm]:
    of_all = ("Read the queue's message: it names what failed for good, and why.", "a-failure-queue-is-not-empty")
    of_notices = (
        "For a day a client could not be told: the message says of what, the notify function's log says why.",
        "a-notice-does-not-arrive",
    )
    for purpose, queue in watched.queues.items():
        first, heading = of_notices if purpose == "notify" else of_all
        yield Alarm(
            name=f"{purpose}-queue",
            first=first,
            heading=heading,
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": queue},
            statistic="Maximum",
        )


# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
def _of_functions(watched: Watched) -> Iterator[Alarm]:
    told = {
        "Errors": ("errors", "A run failed; Lambda repeats it twice: read the function's log."),
        "Throttles": ("throttles", "Runs wait for concurrency: compare the account's limit with who is due together."),
        "AsyncEventsDropped": ("dropped", "Lambda has given up events of the function: the next due time delivers."),
        "DestinationDeliveryFailures": ("undelivered", "What failed could not be put into the failure queue either."),
    }
    # A watch that does not run at all is the alarm `overdue`.
    for purpose, function, metrics in (("export", watched.export, told), ("watch", watched.watch, ("Errors",))):
        for metric in metrics:
            name, first = told[metric]
            yield Alarm(
                name=f"{purpose}-{name}",
                first=first,
                heading="a-function-fails",
                namespace="AWS/Lambda",
                metric=metric,
                dimensions={"FunctionName": function},
            )


# https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
def _of_schedules(watched: Watched) -> Iterator[Alarm]:
    told = {
        "InvocationDroppedCount": ("schedules-dropped", "A schedule has given up a due time: the queue says which."),
        "InvocationsFailedToBeSentToDeadLetterCount": (
            "schedules-undelivered",
            "A due time was given up, and could not be put into the queue: `referralctl status` says whose.",
        ),
    }
    for metric, (name, first) in told.items():
        yield Alarm(
            name=name,
            first=first,
            heading="a-schedule-does-not-fire",
            namespace="AWS/Scheduler",
            metric=metric,
            dimensions={"ScheduleGroup": watched.schedule_group},
        )
