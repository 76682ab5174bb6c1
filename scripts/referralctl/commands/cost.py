"""`referralctl cost`: dollars a month of a stack, from published prices and from what the benchmarks measured."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from infra import PROJECT_FOLDER
from infra.alarms import Watched, alarms
from infra.notifier import MEMORY_MB as NOTIFY_MEMORY_MB
from infra.settings import defaults
from infra.watcher import MEMORY_MB as WATCH_MEMORY_MB
from referral_delivery.agreement.client_files import load_folder
from referral_delivery.agreement.schedule import deliveries_a_day
from referral_delivery.errors import ContractError
from referral_delivery.file.upload import PART_BYTES
from referral_delivery.lake.connection import MEMORY_MB_PER_VCPU
from referralctl.output import AsJson, errors_reported, print_json, print_table, talk

PRICES = Path(__file__).with_name("prices.yaml")
RESULTS = PROJECT_FOLDER / "benchmarks" / "results"

HOURS_A_MONTH, DAYS_A_MONTH = 730, 365 / 12
GB = 10**9
# Requests that S3 bills as writes; all else is a read or free. https://aws.amazon.com/s3/pricing/
_S3_WRITES = ("ListObjectsV2", "CreateMultipartUpload", "CompleteMultipartUpload", "PutObject")
# What is estimated and not measured. A cursor's item and a delivery's record, with the contract in them, in KB:
_ITEM_KB = 2
# claim, begin and seal write the cursor's item; the transaction writes two items, each at twice the price.
_WRITE_UNITS = (3 + 2 * 2) * _ITEM_KB
_READ_UNIT_KB = 4
_REACH_DAYS = 2
# DuckDB asks for an object's size, its footer, and then for each row group's columns.
_READS_AN_OBJECT, _ROWS_A_ROW_GROUP = 3, 122_880
_LOG_BYTES_A_DELIVERY = 4_000
# A line for each request: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
_ACCESS_LOG_BYTES = 600
_RECORDS_KEPT_MONTHS = 12
# Those whose messages are an alarm (infra/stack.py).
_QUEUES = ("export", "announce", "receive", "schedules", "notify")
# Metrics are of the stack: infra/alarms.py has five findings, handlers/export.py the other four.
_METRICS = 9
# Telling, estimated: an event of each file, and an announcement, a receipt and a notice, each a run of 0.1 s.
# A message of a queue is sent, received and deleted; Lambda looks into the queue with five readers, thrice a minute.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_RUNS_A_FILE, _RUN_SECONDS, _REQUESTS_A_MESSAGE, _LOOKS_A_MONTH = 3, 0.1, 3, 5 * 3 * 60 * HOURS_A_MONTH
# The watch's rounds, every five minutes; seconds and units are estimated. A round reads two items of each client, half
# a unit each while an item has at most 4 KB.
_ROUNDS_A_MONTH = HOURS_A_MONTH * 12
_WATCH_SECONDS, _WATCH_SECONDS_A_CLIENT, _READS_A_CLIENT = 1.5, 0.002, 1


def _alarms() -> int:
    queues = dict.fromkeys(_QUEUES, "")
    return len(alarms(Watched(stack="", export="", watch="", queues=queues, schedule_group="")))


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What decides the cost; every client is alike."""

    clients: int
    deliveries_a_day: float
    rows: int
    memory_mb: int
    gzip: bool
    retention_days: int
    access_log_retention_days: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the last full run of `./scripts/bench` found; seconds are those of `vcpus` vCPUs."""

    date: str
    vcpus: float
    start_seconds: float
    delivery_seconds: float
    row_seconds: float
    row_bytes: float
    calls: dict[str, int]


def cost(  # noqa: PLR0917 - Typer reads options from the signature
    clients: Annotated[int, typer.Option(min=1, help="Number of clients")] = 100,
    deliveries: Annotated[float, typer.Option(min=0.01, help="Deliveries a day, for each client")] = 24,
    rows: Annotated[int, typer.Option(min=0, help="Rows a delivery")] = 1_000,
    memory: Annotated[int, typer.Option(min=1_024, max=10_240, help="Memory of the function, MB")] = MEMORY_MB_PER_VCPU,
    gzip: Annotated[bool, typer.Option("--gzip", help="Files are CSV.gz")] = False,
    client_files: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Count clients and deliveries from these files instead")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print dollars a month, a line for each thing that AWS bills; each file is downloaded once."""
    with errors_reported():
        if client_files is not None:
            found = load_folder(client_files, today=datetime.now(UTC).date())
            clients = len(found)
            deliveries = sum(deliveries_a_day(client.schedule) for client in found) / clients
        stack = Stack(
            clients=clients,
            deliveries_a_day=deliveries,
            rows=rows,
            memory_mb=memory,
            gzip=gzip,
            retention_days=int(defaults()["retention_days"]),
            access_log_retention_days=int(defaults()["access_log_retention_days"]),
        )
        measured = read_measured(RESULTS, gzip=gzip)
        table = yaml.safe_load(PRICES.read_text(encoding="utf-8"))
        lines = lines_of(stack, measured, {name: entry["usd"] for name, entry in table["prices"].items()})
    total = sum(line["usd"] for line in lines)
    about = {"region": table["region"], "prices_of": str(table["date"]), "measured_on": measured.date}
    if as_json:
        print_json(vars(stack) | about | {"lines": lines, "usd_a_month": total})
        return
    shown = [[line["line"], f"{line['quantity']:,.1f}", line["unit"], f"{line['usd']:,.2f}"] for line in lines]
    print_table(
        ["line", "quantity", "unit", "USD a month"],
        [*shown, ["total", "", "", f"{total:,.2f}"]],
        right={"quantity", "USD a month"},
    )
    talk.print(
        f"{clients:,} clients x {deliveries:,.2f} deliveries a day x {rows:,} rows; list prices of {table['region']}, "
        f"{table['date']}; function times measured on an emulator, {measured.date}",
        markup=False,
    )


def lines_of(stack: Stack, measured: Measured, prices: dict[str, float]) -> list[dict[str, Any]]:
    """Every line of the bill: quantity a month, its unit, and dollars."""
    made = stack.clients * stack.deliveries_a_day * DAYS_A_MONTH
    size = stack.rows * measured.row_bytes
    parts = max(1, math.ceil(size / PART_BYTES))
    # What grows with the rows is computing, and goes with the CPU that memory brings; the rest is waiting.
    vcpus = stack.memory_mb / MEMORY_MB_PER_VCPU
    seconds = (
        measured.start_seconds
        + measured.delivery_seconds
        + (stack.rows * measured.row_seconds * measured.vcpus / vcpus)
    )
    writes = sum(measured.calls.get(name, 0) for name in _S3_WRITES) + parts
    reads = _READS_AN_OBJECT + math.ceil(stack.rows / _ROWS_A_ROW_GROUP) + 1
    records_kb = math.ceil(_REACH_DAYS * stack.deliveries_a_day) * _ITEM_KB
    kept_gb = made * _RECORDS_KEPT_MONTHS * _ITEM_KB * 1_000 / GB
    round_seconds = _WATCH_SECONDS + _WATCH_SECONDS_A_CLIENT * stack.clients
    rounds_reads = _ROUNDS_A_MONTH * stack.clients * _READS_A_CLIENT
    quantities = [
        ("Transfer Family: endpoint", HOURS_A_MONTH, "hours", "transfer_endpoint_hour"),
        ("Transfer Family: downloads", made * size / GB, "GB", "transfer_download_gb"),
        ("Data transfer out to the internet", made * size / GB, "GB", "internet_gb"),
        (
            "Lambda: compute, each start a cold one",
            made * seconds * stack.memory_mb / 1_024,
            "GB-seconds",
            "lambda_arm_gb_second",
        ),
        ("Lambda: requests", made, "requests", "lambda_request"),
        (
            "The watch: compute (estimated)",
            _ROUNDS_A_MONTH * round_seconds * WATCH_MEMORY_MB / 1_024,
            "GB-seconds",
            "lambda_arm_gb_second",
        ),
        ("The watch: reads of the ledger (estimated)", rounds_reads, "units", "dynamodb_read_unit"),
        ("Telling: events (estimated)", made, "events", "eventbridge_event"),
        (
            "Telling: compute (estimated)",
            made * _RUNS_A_FILE * _RUN_SECONDS * NOTIFY_MEMORY_MB / 1_024,
            "GB-seconds",
            "lambda_arm_gb_second",
        ),
        ("Telling: requests (estimated)", made * _RUNS_A_FILE, "requests", "lambda_request"),
        ("Telling: queue (estimated)", made * _REQUESTS_A_MESSAGE + _LOOKS_A_MONTH, "requests", "sqs_request"),
        ("S3: writes and listings", made * writes, "requests", "s3_write_request"),
        ("S3: reads (estimated)", made * reads, "requests", "s3_read_request"),
        (
            "S3: files until they expire",
            made * size / GB * (stack.retention_days + 0.5) / DAYS_A_MONTH,
            "GB-months",
            "s3_gb_month",
        ),
        (
            "S3: access logs until they expire (estimated)",
            made * (writes + reads) * _ACCESS_LOG_BYTES / GB * stack.access_log_retention_days / DAYS_A_MONTH,
            "GB-months",
            "s3_gb_month",
        ),
        ("DynamoDB: writes (estimated)", made * _WRITE_UNITS, "units", "dynamodb_write_unit"),
        ("DynamoDB: reads (estimated)", made * math.ceil(records_kb / _READ_UNIT_KB), "units", "dynamodb_read_unit"),
        ("DynamoDB: a year of records", kept_gb, "GB-months", "dynamodb_gb_month"),
        ("DynamoDB: point-in-time recovery", kept_gb, "GB-months", "dynamodb_backup_gb_month"),
        ("EventBridge Scheduler", made, "invocations", "scheduler_invocation"),
        ("CloudWatch: alarms", _alarms(), "alarms", "cloudwatch_alarm_month"),
        ("CloudWatch: metrics", _METRICS, "metrics", "cloudwatch_metric_month"),
        ("CloudWatch: logs (estimated)", made * _LOG_BYTES_A_DELIVERY / GB, "GB", "cloudwatch_logs_gb"),
    ]
    return [
        {"line": line, "quantity": quantity, "unit": unit, "usd": quantity * prices[price]}
        for line, quantity, unit, price in quantities
    ]


def read_measured(folder: Path, *, gzip: bool) -> Measured:
    """The figures of the last full run; ContractError says what to do where there are none."""
    try:
        export, small, cold = (
            json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))
            for part in ("export", "small", "cold-start")
        )
    except OSError as error:
        raise ContractError(f"{error.filename}: no measured figures; run ./scripts/bench (without --quick)") from error
    file = "csv.gz" if gzip else "csv"
    own = [row for row in export["tables"][0]["rows"] if row["contender"] == "function" and row["file"] == file]
    least, most = min(own, key=lambda row: row["rows"]), max(own, key=lambda row: row["rows"])
    return Measured(
        date=export["machine"]["date"],
        vcpus=small["machine"]["function_memory_mb"] / MEMORY_MB_PER_VCPU,
        start_seconds=cold["tables"][0]["rows"][0]["seconds, median"],
        delivery_seconds=small["tables"][0]["rows"][0]["seconds, median"],
        row_seconds=(most["seconds"] - least["seconds"]) / (most["rows"] - least["rows"]),
        row_bytes=most["written MB"] * 1_024**2 / most["rows"],
        calls={row["call"]: row["each"] for row in small["tables"][1]["rows"]},
    )
