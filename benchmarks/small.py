"""Part 2: many clients, few rows: seconds and AWS calls of a warm delivery, and what a long history adds."""

import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.session import get_session

from benchmarks.aws_calls import AwsCalls
from benchmarks.contender import lambda_context, peak_bytes
from benchmarks.history import put_history, stand_at
from benchmarks.process import measured, middle
from benchmarks.report import MEMORY_MB, MIB, Result, Table
from benchmarks.system import COLUMNS, quiet, running
from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.window import HOUR

CLIENTS, QUICK_CLIENTS = 100, 20
ROWS = 1_000
HISTORY_YEARS, QUICK_HISTORY_YEARS = 3, 1
WARM_UP, OLD = "warm-up", "client-of-years"


def run(*, quick: bool) -> Result:
    """Deliver an hour to each client, one after another, in one process that stays warm."""
    names = [f"client-{number:03d}" for number in range(QUICK_CLIENTS if quick else CLIENTS)]
    years = QUICK_HISTORY_YEARS if quick else HISTORY_YEARS
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with running(["client"], schedule=quiet()) as system:
        for name in [WARM_UP, *names, OLD]:
            system.put_referrals(name, end - HOUR, ROWS)
            stand_at(system.stack, contract(name), end - HOUR)
        objects = put_history(system.stack, contract(OLD), end - HOUR, days=365 * years)
        job = {"environment": system.environment, "end": end.isoformat(), "clients": [WARM_UP, *names, OLD]}
        warm = measured("small", stdin=json.dumps(job))
    [_warm_up, *each, old] = warm["runs"]
    new, calls = each[0], each[0]["calls"]
    rows = [
        {
            "clients": len(each),
            "rows each": ROWS,
            "seconds, median": middle([one["seconds"] for one in each], 3),
            "seconds, slowest": round(max(one["seconds"] for one in each), 3),
            "AWS calls each": max(sum(one["calls"].values()) for one in each),
            "bytes listed each": max(one["listed_bytes"] for one in each),
            "peak MB": round(warm["peak_bytes"] / MIB),
        }
    ]
    kinds = [{"call": name, "each": count} for name, count in sorted(calls.items())]
    history = [
        {
            "client": name,
            "objects in the lake": count,
            "AWS calls": sum(one["calls"].values()),
            "listings": len(one["listed_from"]),
            "bytes listed": one["listed_bytes"],
        }
        for name, count, one in (("new", 1, new), (f"{years} years old", objects, old))
    ]
    return Result(
        "small",
        quick,
        [
            Table("Small deliveries, warm", rows),
            Table("AWS calls of one hourly delivery, DuckDB's reads aside", kinds),
            Table("What a history costs the next delivery", history),
        ],
    )


def contract(client: str) -> Contract:
    """Five columns, plain."""
    return Contract.model_validate({"client": client, "deliver_from": "2020-01-01", "attributes": COLUMNS})


def main() -> None:
    """The warm process: the handler for each client of the job on stdin; the first makes it warm."""
    job = json.load(sys.stdin)
    os.environ.update(job["environment"])
    calls, watched = AwsCalls(), get_session()
    calls.watch(watched.get_component("event_emitter"))
    session = boto3.Session(botocore_session=watched)
    boto3.Session = lambda: session  # type: ignore[misc,assignment]
    from referral_delivery.handlers.export import handler

    runs: list[dict[str, Any]] = []
    for client in job["clients"]:
        event = ExportEvent(occasion=Occasion.MANUAL, scheduled_time=job["end"], contract=contract(client))
        calls.clear()
        began = time.perf_counter()
        report = handler(event.model_dump(mode="json"), lambda_context(client, MEMORY_MB))
        seconds = time.perf_counter() - began
        assert [made["rows"] for made in report["deliveries"]] == [ROWS], report
        runs.append(
            {
                "seconds": seconds,
                "calls": dict(calls.operations),
                "listed_from": list(calls.listed_from),
                "listed_bytes": calls.listed_bytes,
            }
        )
    print(json.dumps({"runs": runs, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
