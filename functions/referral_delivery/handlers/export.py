"""Lambda entry point of the export: parse the event, make the delivery, report it."""

import gc
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from referral_delivery.delivery.backfill import backfill
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Report, Request, Status
from referral_delivery.delivery.resend import resend
from referral_delivery.file.signing import SigningKey
from referral_delivery.file.upload import Uploads
from referral_delivery.file.writer import FileWriter
from referral_delivery.lake import connection
from referral_delivery.lake.objects import Lake
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Delivery, Sealed
from referral_delivery.ledger.table import Ledger
from referral_delivery.settings import Settings
from referral_delivery.window import to_text

SERVICE = "referral-delivery"
METRICS_NAMESPACE = "ReferralDelivery"

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=METRICS_NAMESPACE, service=SERVICE)

# Retries: botocore's standard mode (backoff with jitter), bounded; Lambda's own retry is behind it.
CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=60)

# Metrics are of the stack: what is a client's stands in the log, and costs nothing there.
# https://aws.amazon.com/cloudwatch/pricing/
# The windows of these are long past: in the metrics they would look like late deliveries.
_BESIDE_THE_SCHEDULE = {
    Status.RESENT: "delivery published again",
    Status.RESENT_ENCRYPTED: "delivery published again, encrypted anew: the same rows in other bytes",
    Status.RESENT_BEFORE: "delivery had been published again by the same request",
    Status.LAKE_CHANGED: "delivery not published again: the lake gives other bytes",
    Status.BACKFILLED: "backfill published",
    Status.BACKFILLED_BEFORE: "backfill had been made before",
    Status.BACKFILLED_OTHERWISE: "backfill had been made before, under another contract; its file stays",
}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver what is due to the event's client; the answer is what `referralctl deliver` prints."""
    asked = ExportEvent.model_validate(event)
    logger.set_correlation_id(asked.correlation_id or context.aws_request_id)
    logger.append_keys(client=asked.contract.client, occasion=asked.occasion)
    metrics.set_default_dimensions(stack=_settings().stack)
    metrics.add_metadata("client", asked.contract.client)  # found in the logs; as a dimension it would be billed
    began = time.monotonic()
    try:
        report = _run(exporter(int(context.memory_limit_in_mb)), asked, context)
    except Exception:
        metrics.add_metric("Failures", MetricUnit.Count, 1)
        logger.exception("delivery failed")
        raise
    metrics.add_metric("Failures", MetricUnit.Count, 0)
    return _report(report, seconds=time.monotonic() - began)


def _run(exporter: Exporter, event: ExportEvent, context: LambdaContext) -> Report:
    match event.occasion:
        case Occasion.RESEND:
            assert event.sequence is not None  # noqa: S101 - the event's own validation
            return resend(
                exporter.ledger,
                exporter.writer,
                event.contract.client,
                event.sequence,
                request=event.request or context.aws_request_id,
                pgp=event.contract.file.pgp,
                now=exporter.now,
            )
        case Occasion.BACKFILL:
            return backfill(
                exporter.ledger,
                exporter.writer,
                event.contract,
                event.window,
                overlap=event.overlap,
                run=context.aws_request_id,
                now=exporter.now,
            )
        case Occasion.SCHEDULED | Occasion.MANUAL:
            return exporter.run(
                Request(
                    contract=event.contract,
                    occasion=event.occasion,
                    due=event.due,
                    owner=context.aws_request_id,
                    seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
                    delivered=_say_delivered,
                    taken_back=_say_taken_back,
                )
            )


def _say_delivered(delivery: Delivery) -> None:
    logger.info("delivery published" if delivery.key else "empty window recorded", extra=_facts(delivery))
    metrics.add_metric("Deliveries", MetricUnit.Count, 1)
    metrics.add_metric("Rows", MetricUnit.Count, delivery.rows)
    lag = (delivery.published_at - delivery.window.end).total_seconds()
    metrics.add_metric("WindowLag", MetricUnit.Seconds, lag)


def _say_taken_back(sealed: Sealed, why: str) -> None:
    """Loud: it is the one case in which a client may find other rows under a number than it has fetched before."""
    extra = {"sequence": sealed.sequence, "key": sealed.key, "why": why}
    logger.error("sealed delivery taken back; its window is delivered afresh", extra=extra)
    metrics.add_metric("Failures", MetricUnit.Count, 1)


@cache
def _settings() -> Settings:
    return Settings.from_environment(os.environ)


@cache
def exporter(memory_mb: int) -> Exporter:
    """What makes deliveries in this environment; the clients and their connections serve one event after another."""
    settings = _settings()
    session = boto3.Session()
    s3 = session.client("s3", config=CLIENT_CONFIG)
    credentials = session.get_credentials()
    if credentials is None:
        raise RuntimeError("no AWS credentials in the environment; Lambda provides those of the function's role")
    return Exporter(
        ledger=Ledger(session.client("dynamodb", config=CLIENT_CONFIG), settings.ledger_table),
        writer=FileWriter(
            lake=Lake(s3, settings.lake_bucket, prefix=settings.lake_prefix),
            uploads=Uploads(s3, settings.delivery_bucket),
            connect=lambda: connection.connect(
                endpoint_url=s3.meta.endpoint_url,
                region=s3.meta.region_name,
                bucket=settings.lake_bucket,
                credentials=credentials.get_frozen_credentials(),
                memory_mb=memory_mb,
            ),
            signing_key=SigningKey(
                settings.pgp_signing_secret, lambda: session.client("secretsmanager", config=CLIENT_CONFIG)
            ),
        ),
        pace=Pace.of(memory_mb),
    )


def _report(report: Report, *, seconds: float) -> dict[str, Any]:
    """Log the run; the answer is JSON, and holds no row's content."""
    if said := _BESIDE_THE_SCHEDULE.get(report.status):
        for delivery in report.deliveries:
            logger.info(said, extra=_facts(delivery))
    if report.status is Status.MORE_TO_DO:
        logger.warning("time is up, and there is more to deliver: the next run goes on")
    logger.info(
        "run ended",
        extra={"status": report.status, "deliveries": len(report.deliveries), "seconds": round(seconds, 3)},
    )
    return {
        "client": report.client,
        "status": report.status.value,
        "deliveries": [_facts(delivery) for delivery in report.deliveries],
        "seconds": round(seconds, 3),
        "peak_memory_bytes": _peak_memory_bytes(),
    }


def _peak_memory_bytes() -> int:
    """The process's largest resident size so far.

    Not getrusage's: that starts with what the parent had. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024


def _facts(delivery: Delivery) -> dict[str, Any]:
    return {
        "sequence": delivery.sequence,
        "occasion": delivery.occasion,
        "window_start": to_text(delivery.window.start),
        "window_end": to_text(delivery.window.end),
        "file": delivery.key.rsplit("/", 1)[1] if delivery.key else None,
        "key": delivery.key,
        "rows": delivery.rows,
        "late_rows": delivery.late_rows,
        "bytes": delivery.size_bytes,
        "sha256": delivery.sha256,
        "published_at": to_text(delivery.published_at),
    }


# What was imported stays: never look through it for garbage, and from here on collect as usual.
gc.freeze()
gc.enable()
