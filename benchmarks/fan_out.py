"""Part 6: many clients due in the same minute, in the local system: all delivered, when the last, none twice."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.report import Result, Table
from benchmarks.system import FIRST_HOUR, BenchSystem, running
from referral_delivery.file.upload import DOWNLOADS
from referral_delivery.ledger.records import Delivery

CLIENTS, QUICK_CLIENTS = 200, 10
ROWS = 1_000
# To make the clients' resources and referrals; what is not ready by then would be due a day later.
_SECONDS_TO_PREPARE, _SECONDS_A_CLIENT = 20, 0.4
_DEADLINE_SECONDS = 600


def run(*, quick: bool) -> Result:
    """Let EventBridge Scheduler start all of them, and wait for the last."""
    count = QUICK_CLIENTS if quick else CLIENTS
    names = [f"client-{number:03d}" for number in range(count)]
    prepared = datetime.now(UTC) + timedelta(seconds=_SECONDS_TO_PREPARE + _SECONDS_A_CLIENT * count)
    due = prepared.replace(second=0, microsecond=0) + timedelta(minutes=1)
    schedule = {"timezone": "UTC", "at": [f"{due:%H:%M}"]}
    columns = ["referral_id", "source"]
    with running(names, schedule=schedule, attributes=columns, deliver_from=f"{FIRST_HOUR:%Y-%m-%d}") as system:
        for number, name in enumerate(names):
            system.put_referrals(name, FIRST_HOUR, ROWS, first=number * ROWS)
        assert datetime.now(UTC) < due, f"{count} clients were not ready before {due:%H:%M}; allow more time"
        deliveries = _wait(system, names, due)
        copies = Counter(referral for name in names for referral in _delivered(system, name))
    published = sorted((made[0].published_at - due).total_seconds() for made in deliveries.values())
    row = {
        "clients": count,
        "delivered": len(deliveries),
        "referrals": copies.total(),
        "lost": count * ROWS - len(copies),
        "doubled": sum(each > 1 for each in copies.values()),
        "deliveries each": max(len(made) for made in deliveries.values()),
        "s to the first": published[0],
        "s to the median": published[len(published) // 2],
        "s to the last": published[-1],
    }
    return Result("fan-out", quick, [Table("Fan-out: clients due in the same minute, from the due time on", [row])])


def _wait(system: BenchSystem, names: list[str], due: datetime) -> dict[str, list[Delivery]]:
    """The deliveries of each client, once every client has one, read anew at the end."""
    done: dict[str, list[Delivery]] = {}
    deadline = time.monotonic() + (due - datetime.now(UTC)).total_seconds() + _DEADLINE_SECONDS
    while len(done) < len(names):
        assert time.monotonic() < deadline, f"{len(names) - len(done)} of {len(names)} clients got nothing"
        time.sleep(max(0.5, min(5, (due - datetime.now(UTC)).total_seconds())))
        for name in names:
            if name not in done and (made := system.stack.ledger.deliveries(name)):
                done[name] = made
    return {name: system.stack.ledger.deliveries(name) for name in names}


def _delivered(system: BenchSystem, client: str) -> list[str]:
    """The referral ids of all of a client's files."""
    s3, bucket, prefix = system.stack.s3, system.stack["delivery_bucket"], f"{DOWNLOADS}/{client}/"
    entries: list[Any] = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    files = [s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in entries if entry["Size"]]
    return [line.partition(",")[0] for content in files for line in content.decode().splitlines()[1:]]
