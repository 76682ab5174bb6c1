"""Part 8: a round of the watch over many clients, whose hourly files of a day nobody has fetched; and their status."""

import io
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
from botocore.session import get_session
from rich.console import Console

from benchmarks.aws_calls import AwsCalls
from benchmarks.contender import lambda_context, peak_bytes
from benchmarks.history import put_delivery, stand_at
from benchmarks.process import measured
from benchmarks.report import MIB, Result, Table
from benchmarks.system import BenchSystem, quiet, running
from infra.watcher import MEMORY_MB
from local_aws.emulator import ACCOUNT_ID
from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.schedule import Schedule
from referral_delivery.watch.roster import FOLDER, Entry, Roster
from referral_delivery.window import HOUR
from referralctl.stacks import Stack
from referralctl.status.reading import Reader
from referralctl.status.table import table

CLIENTS, QUICK_CLIENTS = (100, 1_000), (100,)
FILES = 24
ROSTER = f"{FOLDER}/bench.json"
_AT_ONCE = 16


def run(*, quick: bool) -> Result:
    """A first round, which tells of everything, and a second one, which has nothing new to tell."""
    rows = [_row(count) for count in (QUICK_CLIENTS if quick else CLIENTS)]
    return Result("watch", quick, [Table("A round of the watch", rows)])


def _row(count: int) -> dict[str, object]:
    with running(["client"], schedule=quiet()) as system:
        entries = [_entry(f"client-{number:04d}") for number in range(count)]
        _put(system, entries)
        found = measured("watch", stdin=json.dumps(_environment(system)))
        status = _status_seconds(system)
    first, second = found["rounds"]
    return {
        "clients": count,
        "files not collected": first["found"]["not_collected"],
        "seconds, first": round(first["seconds"], 2),
        "seconds, next": round(second["seconds"], 2),
        "AWS calls, first": first["calls"],
        "AWS calls, next": second["calls"],
        "peak MB": round(found["peak_bytes"] / MIB),
        "function MB": MEMORY_MB,
        "`status`, seconds": round(status, 2),
    }


def _status_seconds(system: BenchSystem) -> float:
    """What `referralctl status` takes to read and draw every client."""
    stack = Stack(system.stack.outputs | {"roster": ROSTER}, local=system.up)
    began, now = time.perf_counter(), datetime.now(UTC)
    with Console(file=io.StringIO()) as console:
        console.print(table(Reader(stack).read(now), now))
    return time.perf_counter() - began


def _entry(client: str) -> Entry:
    return Entry(
        contract=Contract.model_validate({"client": client, "deliver_from": "2026-01-01", "attributes": ["email"]}),
        contact="crm@acme.example",
        schedule=Schedule(every="1h"),
        collect_within=timedelta(hours=1),
    )


def _put(system: BenchSystem, entries: list[Entry]) -> None:
    stack, now = system.stack, datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    stack.s3.put_object(Bucket=stack["delivery_bucket"], Key=ROSTER, Body=Roster(clients=tuple(entries)).to_bytes())

    def put(entry: Entry) -> None:
        stand_at(stack, entry.contract, now)
        for hours in range(FILES):
            put_delivery(stack, entry.contract, now - (3 + hours) * HOUR)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(put, entries))


def _environment(system: BenchSystem) -> dict[str, str]:
    return system.environment | {
        "LEDGER_TABLE_ARN": f"arn:aws:dynamodb:{system.up['region']}:{ACCOUNT_ID}:table/{system.stack['ledger_table']}",
        "EXPORT_FUNCTION": system.stack["function_name"],
        "SFTP_SERVER_ID": system.stack["sftp_server_id"],
        "RETENTION_DAYS": "14",
    }


def main() -> None:
    """Two rounds in a warm process, whose environment is on stdin."""
    os.environ.update(json.load(sys.stdin))
    calls, watched = AwsCalls(), get_session()
    calls.watch(watched.get_component("event_emitter"))
    session = boto3.Session(botocore_session=watched)
    boto3.Session = lambda: session  # type: ignore[misc,assignment]
    from referral_delivery.handlers.watch import handler

    context = lambda_context("watch", MEMORY_MB)
    rounds = []
    for _ in range(2):
        calls.clear()
        began = time.perf_counter()
        answer = handler({}, context)
        rounds.append(
            {"seconds": time.perf_counter() - began, "calls": sum(calls.operations.values()), "found": answer["found"]}
        )
    print(json.dumps({"rounds": rounds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
