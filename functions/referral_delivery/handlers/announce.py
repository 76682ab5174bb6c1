"""Lambda entry point of the ledger's stream: what has been committed is told on the bus."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from referral_delivery.errors import EventsNotTaken
from referral_delivery.ledger.items import plain, to_delivery
from referral_delivery.watch import events
from referral_delivery.watch.events import FileAvailable

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient

logger = Logger(service="referral-delivery")

# Behind it the stream gives the same records again.
CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=10)


@logger.inject_lambda_context(clear_state=True)
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda hands it over
    """Tell of the batch's deliveries; the answer is the first record that the stream is to give again.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    files = list(_files(event["Records"]))
    refused: Mapping[str, str] = {}
    if files:
        try:
            events.put(bus(), (file for _, file in files), table_arn=_table_arn(event["Records"][0]))
        except EventsNotTaken as error:
            refused = error.answers
            logger.warning("the bus has not taken all events; the stream gives them again", extra={"refused": refused})
    for _, file in files:
        if file.id not in refused:
            logger.info("file announced", extra={"client": file.client, "id": file.id, "file": file.file})
    first = next((number for number, file in files if file.id in refused), None)
    return {"batchItemFailures": [{"itemIdentifier": first}] if first else []}


def _files(records: list[Mapping[str, Any]]) -> Iterator[tuple[str, FileAvailable]]:
    """Each record's sequence number, with the event of the file that it tells of, in the stream's order."""
    for record in records:
        change = record["dynamodb"]
        # Bytes come as text here, and no event has any.
        image = plain({name: value for name, value in change["NewImage"].items() if "B" not in value})
        # A backfill's record is written over its seal; a change that counts a receipt is no new file.
        if record["eventName"] == "INSERT" or not ("collections" in image or "partial_collections" in image):
            yield change["SequenceNumber"], FileAvailable.of(to_delivery(image))


def _table_arn(record: Mapping[str, Any]) -> str:
    """The ledger's ARN, from that of its stream."""
    return str(record["eventSourceARN"]).partition("/stream/")[0]


@cache
def bus() -> "EventBridgeClient":
    """The client of EventBridge, one for all events."""
    made: EventBridgeClient = boto3.Session().client("events", config=CLIENT_CONFIG)
    return made
