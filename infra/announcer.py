"""The function that tells the bus of each file, fed by the ledger's stream."""

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import watch_policies
from infra.artifact import Artifact
from infra.deployment import Deployment
from infra.function import Function, FunctionArgs
from referral_delivery.ledger.items import BACKFILL, DELIVERY

HANDLER = "referral_delivery.handlers.announce.handler"
MEMORY_MB, TIMEOUT_SECONDS = 256, 60
# How long a record is tried again before it goes to the queue; the stream itself forgets after a day.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
MAX_RECORD_AGE_SECONDS = 6 * 60 * 60
BATCH_SIZE, WINDOW_SECONDS = 100, 1


def _written(events: list[str], prefix: str, **present: str) -> dict[str, Any]:
    """The filter of records whose key begins with `prefix`, and that have these attributes of these types."""
    there = {name: {type_: [{"exists": True}]} for name, type_ in present.items()}
    return {"eventName": events, "dynamodb": {"NewImage": {"record": {"S": [{"prefix": prefix}]}, **there}}}


# https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
PATTERNS = (
    _written(["INSERT"], DELIVERY, key="S"),
    # Sealed first, and visible only when the record says since when.
    _written(["INSERT", "MODIFY"], BACKFILL, key="S", published_at="S"),
)


@dataclass(frozen=True, kw_only=True)
class AnnouncerArgs:
    """`stream_arn` is that of the ledger's table."""

    deployment: Deployment
    artifact: Artifact
    log_retention_days: pulumi.Input[int]
    stream_arn: pulumi.Input[str]


class Announcer(pulumi.ComponentResource):
    """The announce function, and what hands it the ledger's records."""

    def __init__(self, name: str, args: AnnouncerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:announcer:Announcer", name, None, opts)
        made = Function(
            self,
            name,
            FunctionArgs(
                deployment=args.deployment,
                artifact=args.artifact,
                purpose="announce",
                access="announce-files",
                handler=HANDLER,
                memory_mb=MEMORY_MB,
                timeout_seconds=TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
                environment={},
                arns={"stream_arn": args.stream_arn, "bus_arn": args.deployment.arn("events", "event-bus/default")},
                rights=watch_policies.announce_files,
            ),
        )
        self.function, self.failures = made.function, made.failures
        aws.lambda_.EventSourceMapping(
            f"{name}-stream",
            event_source_arn=args.stream_arn,
            function_name=self.function.name,
            # A delivery that is committed before the mapping polls is told too.
            starting_position="TRIM_HORIZON",
            batch_size=BATCH_SIZE,
            maximum_batching_window_in_seconds=WINDOW_SECONDS,
            bisect_batch_on_function_error=True,
            maximum_record_age_in_seconds=MAX_RECORD_AGE_SECONDS,
            function_response_types=["ReportBatchItemFailures"],
            filter_criteria=aws.lambda_.EventSourceMappingFilterCriteriaArgs(
                filters=[
                    aws.lambda_.EventSourceMappingFilterCriteriaFilterArgs(pattern=json.dumps(pattern))
                    for pattern in PATTERNS
                ]
            ),
            destination_config=aws.lambda_.EventSourceMappingDestinationConfigArgs(
                on_failure=aws.lambda_.EventSourceMappingDestinationConfigOnFailureArgs(
                    destination_arn=self.failures.arn
                )
            ),
            tags=args.deployment.tags,
            # Lambda reads the stream with the function's role.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[made.policy]),
        )
        self.register_outputs({"function": self.function.name})
