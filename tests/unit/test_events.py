"""What is told on the bus: ids, schemas, and what the bus refuses."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import jsonschema
import pytest

from infra import PROJECT_FOLDER
from referral_delivery.agreement.notices import Occurrence
from referral_delivery.errors import EventsNotTaken
from referral_delivery.ledger.records import Delivery
from referral_delivery.watch import events
from referral_delivery.watch.events import Event, FileAvailable, FileLate, FileNotCollected, KeyExpired, KeyExpiring
from referral_delivery.watch.roster import RosterKey
from referral_delivery.window import Window

FOLDER = PROJECT_FOLDER / "docs" / "events"
NOW = datetime(2026, 11, 5, 9, 30, 7, tzinfo=UTC)
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/referrals-prod-ledger"
KEY = RosterKey(label="crm-2026", fingerprint="SHA256:abc+/", expires=date(2026, 11, 12))
DELIVERY = Delivery(
    client="acme",
    sequence=7,
    occasion="scheduled",
    window=Window(datetime(2026, 11, 4, 6, tzinfo=UTC), datetime(2026, 11, 5, 6, tzinfo=UTC)),
    key="downloads/acme/acme-7.csv",
    rows=3,
    size_bytes=120,
    sha256="ab" * 32,
    plain_hash=None,
    late_rows=0,
    published_at=datetime(2026, 11, 5, 6, 0, 4, tzinfo=UTC),
    contract="c",
    objects=frozenset(),
)
EVENTS: list[Event] = [
    FileAvailable.of(DELIVERY),
    FileAvailable.of(replace(DELIVERY, sequence=None, occasion="backfill")),
    FileNotCollected.of(DELIVERY, at=NOW),
    FileLate.of("acme", due=datetime(2026, 11, 5, 9, tzinfo=UTC), at=NOW),
    KeyExpiring.of("acme", KEY, at=NOW, step=7),
    KeyExpired.of("acme", KEY, at=datetime(2026, 11, 12, 0, 3, tzinfo=UTC)),
]


class Bus:
    """Takes what it is not told to refuse, and keeps what it was asked in each call."""

    def __init__(self, refusals: dict[str, int] | None = None) -> None:
        self.calls: list[list[str]] = []
        self.resources: set[str] = set()
        self._refusals = dict(refusals or {})

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - the API's name
        ids = [json.loads(entry["Detail"])["id"] for entry in Entries]
        self.calls.append(ids)
        self.resources |= {arn for entry in Entries for arn in entry["Resources"]}
        return {"Entries": [self._answer(id_) for id_ in ids]}

    def _answer(self, id_: str) -> dict[str, str]:
        if self._refusals.get(id_, 0):
            self._refusals[id_] -= 1
            return {"ErrorCode": "ThrottlingException"}
        return {"EventId": "x"}


def late(number: int) -> list[Event]:
    return [FileLate.of(f"client-{n}", due=NOW, at=NOW) for n in range(number)]


@pytest.mark.parametrize("detail_type", events.TYPES)
def test_the_committed_schema_of_an_event_is_current(detail_type: str) -> None:
    committed = (FOLDER / events.schema_name(detail_type)).read_text(encoding="utf-8")
    assert committed == events.json_schema(detail_type)


def test_docs_have_the_schemas_of_these_events_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {events.schema_name(each) for each in events.TYPES}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.id)
def test_an_event_validates_by_its_schema(event: Event) -> None:
    entry = event.to_entry(table_arn=TABLE)
    schema = json.loads((FOLDER / events.schema_name(entry["DetailType"])).read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    detail = json.loads(entry["Detail"])
    checker.validate(detail)
    for name in detail:
        with pytest.raises(jsonschema.ValidationError, match="is a required property"):
            checker.validate({key: value for key, value in detail.items() if key != name})


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.id)
def test_an_event_is_read_as_it_was_put(event: Event) -> None:
    entry = event.to_entry(table_arn=TABLE)
    assert events.read(entry["DetailType"], json.loads(entry["Detail"])) == event


def test_an_event_of_a_later_version_is_read_without_what_is_new_in_it() -> None:
    later = EVENTS[3].to_detail() | {"weather": "rain"}
    assert events.read("Referral File Late", later) == EVENTS[3]


def test_there_is_an_event_for_each_occurrence_that_a_client_file_may_name() -> None:
    assert {each.occurrence for each in events.TYPES.values()} == set(Occurrence)


def test_a_file_is_told_by_the_manifests_fields() -> None:
    assert FileAvailable.of(DELIVERY).to_detail() == {
        "version": 1,
        "id": "file_available/acme/delivery#2026-11-05T06:00:00Z",
        "client": "acme",
        "at": "2026-11-05T06:00:04Z",
        "file": "acme-7.csv",
        "sequence": 7,
        "occasion": "scheduled",
        "window_start": "2026-11-04T06:00:00Z",
        "window_end": "2026-11-05T06:00:00Z",
        "rows": 3,
        "bytes": 120,
        "sha256": "ab" * 32,
        "published_at": "2026-11-05T06:00:04Z",
    }


def test_a_backfill_that_is_made_again_has_an_id_of_its_own() -> None:
    made = replace(DELIVERY, sequence=None, occasion="backfill")
    assert FileAvailable.of(made).id != FileAvailable.of(replace(made, published_at=NOW)).id


def test_an_event_says_of_which_ledger_it_is() -> None:
    assert FileAvailable.of(DELIVERY).to_entry(table_arn=TABLE)["Resources"] == [TABLE]


def test_what_is_found_again_has_the_same_id() -> None:
    again = datetime(2026, 11, 5, 18, tzinfo=UTC)
    assert FileNotCollected.of(DELIVERY, at=again).id == FileNotCollected.of(DELIVERY, at=NOW).id
    assert KeyExpiring.of("acme", KEY, at=again, step=7).id == KeyExpiring.of("acme", KEY, at=NOW, step=7).id
    assert FileLate.of("acme", due=NOW, at=again).id == FileLate.of("acme", due=NOW, at=NOW).id


def test_each_warning_of_a_key_has_an_id_of_its_own() -> None:
    ids = {KeyExpiring.of("acme", KEY, at=NOW, step=step).id for step in (30, 7, 1)}
    assert len(ids) == 3


def test_an_empty_run_has_no_event() -> None:
    with pytest.raises(ValueError, match="an empty run has no file"):
        FileAvailable.of(replace(DELIVERY, key=None))


def test_events_are_put_ten_at_a_time() -> None:
    bus, told = Bus(), late(23)
    events.put(bus, told, table_arn=TABLE)  # type: ignore[arg-type]
    assert [len(call) for call in bus.calls] == [10, 10, 3]
    assert [id_ for call in bus.calls for id_ in call] == [event.id for event in told]


def test_nothing_to_tell_is_no_call() -> None:
    bus = Bus()
    events.put(bus, [], table_arn=TABLE)  # type: ignore[arg-type]
    assert bus.calls == []


def test_only_what_the_bus_has_refused_is_put_again() -> None:
    told = late(12)
    refused = [told[3].id, told[11].id]
    bus = Bus(dict.fromkeys(refused, 1))
    events.put(bus, told, table_arn=TABLE)  # type: ignore[arg-type]
    assert bus.calls[2:] == [refused]


def test_what_the_bus_keeps_refusing_is_an_error_that_names_it() -> None:
    told = late(3)
    with pytest.raises(EventsNotTaken, match="ThrottlingException") as raised:
        events.put(Bus({told[1].id: 99}), told, table_arn=TABLE)  # type: ignore[arg-type]
    assert raised.value.answers == {told[1].id: "ThrottlingException"}
