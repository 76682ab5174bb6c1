"""The announce function: which of the ledger's records become events, and what the stream is to give again."""

import base64
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from referral_delivery.handlers import announce
from referral_delivery.ledger.items import from_delivery, item
from referral_delivery.ledger.records import Delivery
from tests.unit.test_events import DELIVERY, TABLE, Bus

CONTEXT = SimpleNamespace(
    function_name="announce", memory_limit_in_mb=256, invoked_function_arn="arn", aws_request_id="request"
)
BACKFILL = replace(DELIVERY, sequence=None, occasion="backfill", objects=frozenset({b"12345678"}))


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    taking = Bus()
    monkeypatch.setattr(announce, "bus", lambda: taking)
    return taking


def record(delivery: Delivery, number: int = 1, *, name: str = "INSERT", **added: Any) -> dict[str, Any]:
    """A record of the stream, as Lambda hands it over: bytes are base64 text."""
    image = item(from_delivery(delivery) | added)
    image["objects"] = {"B": base64.b64encode(image["objects"]["B"]).decode()}
    change = {"NewImage": json.loads(json.dumps(image)), "SequenceNumber": str(number)}
    return {"eventName": name, "eventSourceARN": f"{TABLE}/stream/2026-11-05T06:00:00.000", "dynamodb": change}


def announced(*records: dict[str, Any]) -> list[dict[str, str]]:
    """The answer to a batch."""
    failures: list[dict[str, str]] = announce.handler({"Records": list(records)}, CONTEXT)["batchItemFailures"]  # type: ignore[arg-type]
    return failures


def test_a_committed_delivery_is_an_event_with_the_ledgers_arn(bus: Bus) -> None:
    assert announced(record(DELIVERY)) == []
    assert bus.calls == [["file_available/acme/delivery#2026-11-05T06:00:00Z"]]
    assert bus.resources == {TABLE}


def test_a_backfill_is_told_when_it_is_written_over_its_seal_and_not_when_it_is_fetched(bus: Bus) -> None:
    made = record(BACKFILL, name="MODIFY")
    fetched = record(BACKFILL, 2, name="MODIFY", collections=1)
    broken_off = record(BACKFILL, 3, name="MODIFY", partial_collections=1)
    assert announced(made, fetched, broken_off) == []
    ((told,),) = bus.calls
    assert told.startswith("file_available/acme/backfill#")


def test_a_batch_without_a_new_file_makes_no_call(bus: Bus) -> None:
    assert announced(record(BACKFILL, name="MODIFY", collections=1)) == []
    assert bus.calls == []


def test_the_stream_gives_again_from_the_first_record_that_the_bus_has_not_taken(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = [replace(DELIVERY, client=f"client-{number}") for number in range(5)]
    refusing = Bus({f"file_available/client-{number}/delivery#2026-11-05T06:00:00Z": 99 for number in (3, 1)})
    monkeypatch.setattr(announce, "bus", lambda: refusing)
    records = [record(each, 100 + number) for number, each in enumerate(later)]
    assert announced(*records) == [{"itemIdentifier": "101"}]


def test_a_record_that_a_later_version_has_written_is_told_too(bus: Bus) -> None:
    assert announced(record(DELIVERY, version=3, weather={"sky": ["blue"]})) == []
    assert len(bus.calls) == 1
