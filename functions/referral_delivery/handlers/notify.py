"""Lambda entry point of notices: spread an event over its channels, send a notice, say what came of it."""

import gc
import json
import os
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel, ConfigDict, ValidationError

from referral_delivery.errors import NoticeFailed
from referral_delivery.ledger.watching import Watching
from referral_delivery.settings import NotifySettings
from referral_delivery.watch import events, notices
from referral_delivery.watch.notices import TRIES, Channel, Notice
from referral_delivery.watch.notifier import Notifier, digests, full_hour
from referral_delivery.watch.roster import Entry, Rosters
from referral_delivery.watch.webhook import Sender

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

logger = Logger(service="referral-delivery")

CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=10, max_pool_connections=16
)
# A batch's messages at once: a stranger's slow server keeps no other client waiting.
_AT_ONCE = 10


class Asked(BaseModel):
    """What is no message of the queue: the hourly digest, or a test of one client's channels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str | None = None
    test: str | None = None
    channels: tuple[Channel, ...] = ()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda hands it over
    """Send a batch of the queue; or queue the digests of an hour; or test a client's channels: the answer is theirs."""
    entries = {entry.client: entry for entry in rosters().entries()}
    if "Records" in event:
        return _batch(event["Records"], entries)
    asked = Asked.model_validate(event)
    if asked.test is not None:
        return {"channels": _tested(asked, entries[asked.test]) if asked.test in entries else []}
    hour = full_hour(asked.digest or "", datetime.now(UTC))
    queued = [_queue(notice) for notice in digests(entries.values(), watching(), hour)]
    logger.info("digests queued", extra={"hour": hour.isoformat(), "digests": len(queued)})
    return {"digests": len(queued)}


def _batch(records: list[Mapping[str, Any]], entries: Mapping[str, Entry]) -> dict[str, Any]:
    """Each message by itself; the answer names those that SQS is to give again.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="notify") as pool:
        arrived = pool.map(lambda record: _arrived(record, entries), records)
        failed = [record["messageId"] for record, ok in zip(records, arrived, strict=True) if not ok]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _arrived(record: Mapping[str, Any], entries: Mapping[str, Entry]) -> bool:
    """Whether SQS may forget a message; where not, it gives it again after a pause."""
    try:
        _handle(json.loads(record["body"]), entries)
    except NoticeFailed as error:
        _again(record, str(error))
    except Exception as error:
        # One message that cannot be handled keeps no other from being sent.
        logger.exception("message not handled", extra={"message_id": record["messageId"]})
        _again(record, f"{type(error).__name__}, see above")
    else:
        return True
    return False


def _handle(body: dict[str, Any], entries: Mapping[str, Entry]) -> None:
    if "detail-type" not in body:
        _send(Notice.model_validate(body), entries)
        return
    event = events.read(body["detail-type"], body["detail"])
    if event.client not in entries:
        logger.info("event dropped: no roster has its client", extra={"client": event.client, "id": event.id})
        return
    for each in notices.spread(event, entries[event.client]):
        _queue(each)


def _send(notice: Notice, entries: Mapping[str, Entry]) -> None:
    sent = notifier().send(notice, entries[notice.client]) if notice.client in entries else None
    if sent is None:
        logger.info("notice dropped: its client has no such channel any more", extra=_facts(notice))
    else:
        logger.info("notice sent", extra=_facts(notice) | {"seconds": round(sent.seconds, 3), "said": sent.said})


def _again(record: Mapping[str, Any], reason: str) -> None:
    """Let SQS give a message again, later each time; after the last time SQS puts it among the failed ones."""
    tries = int(record["attributes"]["ApproximateReceiveCount"])
    facts = _told_of(record) | {"tries": tries, "reason": reason}
    last = tries >= TRIES
    if last:
        logger.error("found", extra={"finding": "notice_failed"} | facts)
    else:
        logger.warning("notice has not arrived, and is tried again", extra=facts)
    seconds = 0 if last else int(notices.pause(tries).total_seconds())
    queue().change_message_visibility(
        QueueUrl=settings().notices_queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
    )


def _told_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a message is about, as far as it says."""
    try:
        return _facts(Notice.model_validate_json(record["body"]))
    except ValidationError:
        return {"message_id": record["messageId"]}


def _queue(notice: Notice) -> str:
    return queue().send_message(QueueUrl=settings().notices_queue_url, MessageBody=notice.model_dump_json())[
        "MessageId"
    ]


def _tested(asked: Asked, entry: Entry) -> list[dict[str, Any]]:
    """What each channel of a client, or those asked for, said to a test."""
    id_, now = f"{notices.TEST}/{entry.client}/{uuid.uuid4().hex[:12]}", datetime.now(UTC).replace(microsecond=0)
    there = notices.channels(entry, mails=bool(settings().notice_sender))
    said = []
    for channel in there:
        if asked.channels and channel not in asked.channels:
            continue
        answer: dict[str, Any] = {"channel": channel.value}
        try:
            sent = notifier().send(notices.trial(entry, channel, id_=id_, at=now), entry)
        except NoticeFailed as error:
            said.append(answer | {"arrived": False, "said": str(error)})
            continue
        if sent:
            said.append(answer | {"arrived": True, "to": sent.to, "seconds": round(sent.seconds, 3), "said": sent.said})
    return said


def _facts(notice: Notice) -> dict[str, Any]:
    return {"client": notice.client, "channel": notice.channel.value, "type": notice.type, "id": notice.id}


@cache
def _session() -> boto3.Session:
    return boto3.Session()


@cache
def settings() -> NotifySettings:
    """This environment's."""
    return NotifySettings.from_environment(os.environ)


@cache
def rosters() -> Rosters:
    """Where the rosters lie; read anew for each batch."""
    return Rosters(_session().client("s3", config=CLIENT_CONFIG), settings().delivery_bucket)


@cache
def watching() -> Watching:
    """The ledger, for the day's files."""
    return Watching(_session().client("dynamodb", config=CLIENT_CONFIG), settings().ledger_table)


@cache
def queue() -> "SQSClient":
    """The client of SQS, one for all messages."""
    made: SQSClient = _session().client("sqs", config=CLIENT_CONFIG)
    return made


@cache
def notifier() -> Notifier:
    """What sends notices in this environment."""
    return Notifier(
        parameters=_session().client("ssm", config=CLIENT_CONFIG),
        mails=_session().client("sesv2", config=CLIENT_CONFIG),
        webhooks=Sender(),
        sender=settings().notice_sender,
        retention_days=int(settings().retention_days),
    )


gc.freeze()
gc.enable()
