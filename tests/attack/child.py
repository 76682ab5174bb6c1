"""Runs deliveries, each in a process of its own that is ended without warning at a named moment."""

import json
import os
import sys
import threading
from datetime import datetime
from typing import Any

import boto3

from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.backfill import backfill
from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Request
from referral_delivery.delivery.resend import resend
from referral_delivery.file import rows
from referral_delivery.file.upload import Uploads
from referral_delivery.file.writer import FileWriter
from referral_delivery.lake import connection
from referral_delivery.lake.objects import Lake
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.table import Ledger
from referral_delivery.window import Window

DIED = 137


class Counter:
    """Counts what happens, and ends the process at the n-th time."""

    def __init__(self, end_at: int | None) -> None:
        self.count, self._end_at, self._lock = 0, end_at, threading.Lock()

    def __call__(self, **_: Any) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._end_at:
                os._exit(DIED)


def main() -> None:
    """For each line of stdin, run what it asks for in a fork, and print how that ended and what it counted.

    Imports and clients are made once, before any thread or connection, so that a fork costs next to nothing.
    """
    region, s3_url, dynamodb_url = sys.argv[1:]
    session = boto3.Session(
        aws_access_key_id="000000000000",
        aws_secret_access_key="local",
        region_name=region,
    )
    clients = [session.client("s3", endpoint_url=s3_url), session.client("dynamodb", endpoint_url=dynamodb_url)]
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            counted = _run_counted(json.loads(line), session, clients)
            print(json.dumps(counted), flush=True)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            print(json.dumps({"exit": code}), flush=True)


def _run_counted(asked: dict[str, Any], session: boto3.Session, clients: list[Any]) -> dict[str, int]:
    before, after, blocks = (Counter(asked.get(name)) for name in ("before_call", "after_call", "block"))
    for client in clients:
        client.meta.events.register_first("before-call", before)
        client.meta.events.register_first("after-call", after)
    _count_blocks(blocks)
    s3, dynamodb = clients
    credentials = session.get_credentials()
    assert credentials is not None
    frozen = credentials.get_frozen_credentials()
    exporter = Exporter(
        ledger=Ledger(dynamodb, asked["ledger_table"]),
        writer=FileWriter(
            lake=Lake(s3, asked["lake_bucket"]),
            uploads=Uploads(s3, asked["delivery_bucket"]),
            connect=lambda: connection.connect(
                endpoint_url=s3.meta.endpoint_url,
                region=s3.meta.region_name,
                bucket=asked["lake_bucket"],
                credentials=frozen,
                memory_mb=1_769,
            ),
        ),
        pace=Pace((asked["objects_a_run"] + 0.5) / 840, 1e9) if asked["objects_a_run"] else Pace.of(1_769),
        clock=lambda: datetime.fromisoformat(asked["now"]).timestamp(),
    )
    _run(exporter, asked)
    return {"calls": before.count, "blocks": blocks.count}


def _run(exporter: Exporter, asked: dict[str, Any]) -> None:
    contract = Contract.model_validate(asked["contract"])
    match Occasion(asked["occasion"]):
        case Occasion.RESEND:
            resend(exporter.ledger, exporter.writer, contract.client, 1, request=asked["owner"], now=exporter.now)
        case Occasion.BACKFILL:
            window = Window(*(datetime.fromisoformat(each) for each in asked["window"]))
            backfill(exporter.ledger, exporter.writer, contract, window, overlap=False, run="run", now=exporter.now)
        case occasion:
            due = datetime.fromisoformat(asked["due"])
            exporter.run(
                Request(contract=contract, occasion=occasion, due=due, owner=asked["owner"], seconds_left=lambda: 900.0)
            )


def _count_blocks(counter: Counter) -> None:
    original = rows.RowStream._block

    def counted(self: rows.RowStream) -> bytes:
        counter()
        return original(self)

    setattr(rows.RowStream, "_block", counted)  # noqa: B010


if __name__ == "__main__":
    main()
