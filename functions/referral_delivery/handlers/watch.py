"""Lambda entry point of the watch: read the roster, look after every client, report what was found."""

import gc
import os
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from referral_delivery.errors import ClientsNotWatched
from referral_delivery.ledger.watching import Watching
from referral_delivery.settings import WatchSettings
from referral_delivery.watch import events
from referral_delivery.watch.findings import Finding, FindingType
from referral_delivery.watch.keys import ClientKeys
from referral_delivery.watch.roster import Rosters
from referral_delivery.watch.watch import Round, Watch, invoke

SERVICE = "referral-delivery"
METRICS_NAMESPACE = "ReferralDelivery"

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=METRICS_NAMESPACE, service=SERVICE)

CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=20, max_pool_connections=32
)
# Of findings that are a client's, the number of clients; of files and keys, their number.
_CLIENTS = {
    "OverdueClients": FindingType.OVERDUE,
    "StuckClients": FindingType.STUCK,
    "SilentClients": FindingType.SILENT,
}
_THINGS = {
    "UncollectedFiles": [FindingType.NOT_COLLECTED],
    "ExpiringKeys": [FindingType.KEY_EXPIRING, FindingType.PGP_KEY_EXPIRING],
}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """One round; the answer counts what was found. Raises once all clients have been looked after, if one could not."""
    metrics.set_default_dimensions(stack=_settings().stack)
    found = watch().run(rosters().entries(), datetime.now(UTC))
    _count(found)
    _say(found)
    if found.failed:
        raise ClientsNotWatched(f"{len(found.failed)} of {found.clients} clients: {found.failed[0][0]} was the first")
    return {
        "clients": found.clients,
        "started": found.started,
        "found": {type_.value: found.count(type_) for type_ in FindingType},
    }


def _count(found: Round) -> None:
    for name, type_ in _CLIENTS.items():
        metrics.add_metric(name, MetricUnit.Count, found.clients_with(type_))
    for name, types in _THINGS.items():
        metrics.add_metric(name, MetricUnit.Count, sum(map(found.count, types)))


def _say(found: Round) -> None:
    for finding in found.found:
        logger.warning("found", extra=_facts(finding))
    for client in found.started:
        logger.info("export started: something waits, and nobody is at work on it", extra={"client": client})
    for finding in found.removed:
        logger.warning("expired key removed from the server", extra=_facts(finding))
    for client, error in found.failed:
        logger.error("client could not be looked after", extra={"client": client, "error": repr(error)})
    logger.info("round ended", extra={"clients": found.clients, "found": len(found.found)})


def _facts(finding: Finding) -> dict[str, Any]:
    told = {name: value for name, value in finding.facts.items() if name not in ("client", "id", "version", "at")}
    return {"finding": finding.type.value, "client": finding.client, **told}


@cache
def _session() -> boto3.Session:
    return boto3.Session()


@cache
def _settings() -> WatchSettings:
    return WatchSettings.from_environment(os.environ)


@cache
def rosters() -> Rosters:
    """Where the rosters lie; read anew at each round."""
    return Rosters(_session().client("s3", config=CLIENT_CONFIG), _settings().delivery_bucket)


@cache
def watch() -> Watch:
    """What looks after the clients; its connections serve one round after another."""
    settings, client = _settings(), partial(_session().client, config=CLIENT_CONFIG)
    return Watch(
        watching=Watching(client("dynamodb"), settings.ledger_table),
        keys=ClientKeys(client("transfer"), settings.sftp_server_id),
        start=invoke(client("lambda"), settings.export_function),
        tell=partial(events.put, client("events"), table_arn=settings.ledger_table_arn),
        retention=timedelta(days=int(settings.retention_days)),
    )


gc.freeze()
gc.enable()
