"""Lambda entry point of receipts: parse what the SFTP server tells of a fetch, write it down, report it."""

import gc
import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from referral_delivery.ledger.receiving import Receiving
from referral_delivery.settings import ReceiverSettings
from referral_delivery.watch.receipts import FetchEvent, receive

logger = Logger(service="referral-delivery")

CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count a client's fetch in the record of the file; the answer says what became of it."""
    logger.set_correlation_id(context.aws_request_id)
    told, environment = FetchEvent.model_validate(event), settings()
    fetch, received = receive(
        told, ledger(), bucket=environment.delivery_bucket, retention_days=int(environment.retention_days)
    )
    facts = {
        "client": told.detail.username,
        "path": told.detail.file_path,
        "whole": fetch.whole if fetch else None,
        "received": received.value,
    }
    logger.info("fetch told", extra=facts)
    return facts


@cache
def settings() -> ReceiverSettings:
    """This environment's."""
    return ReceiverSettings.from_environment(os.environ)


@cache
def ledger() -> Receiving:
    """The ledger; its connections serve one event after another."""
    return Receiving(boto3.Session().client("dynamodb", config=CLIENT_CONFIG), settings().ledger_table)


gc.freeze()
gc.enable()
