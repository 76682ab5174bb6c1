"""What is found about a client, by its roster, its ledger and the clock."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from referral_delivery.ledger.records import Delivery, Position
from referral_delivery.watch.findings import FindingType, findings, is_waiting
from referral_delivery.watch.roster import Entry, RosterKey
from referral_delivery.window import Window
from tests.support import contract, utc

NOW = utc("2026-11-20 12:00")
SINCE = utc("2026-11-10 00:00")
DAILY = {"at": ["06:00"], "timezone": "UTC"}


def entry(**changed: Any) -> Entry:
    return Entry.model_validate({"contract": contract("acme"), "contact": "a@b.example", "schedule": DAILY} | changed)


def position(**changed: Any) -> Position:
    values: dict[str, Any] = {
        "cursor": utc("2026-11-20 06:00"),
        "sequence": 3,
        "requested_until": utc("2026-11-20 06:00"),
        "sealed_key": None,
        "lease_owner": None,
        "lease_expires": None,
        "attempts": 0,
        "last_rows": utc("2026-11-20 06:00"),
    }
    return Position(**values | changed)


def found(
    of: Entry, at: Position, *deliveries: Delivery, now: datetime = NOW, since: datetime = SINCE
) -> list[tuple[str, str]]:
    """Types and ids of what is found."""
    return [(each.type.value, each.id) for each in findings(of, at, deliveries, since=since, first_seen=since, now=now)]


def test_nothing_is_found_about_a_client_that_has_what_is_due() -> None:
    assert found(entry(), position()) == []


def test_a_due_time_that_is_more_than_half_an_hour_past_is_late_under_one_id() -> None:
    missed = position(cursor=utc("2026-11-19 06:00"), requested_until=None)
    ids = [("overdue", "file_late/acme/2026-11-20T06:00:00Z")]
    assert found(entry(), missed, now=utc("2026-11-20 06:30")) == []
    assert found(entry(), missed, now=utc("2026-11-20 06:31")) == ids
    assert found(entry(), missed, now=utc("2026-11-20 23:00")) == ids


def test_a_file_is_not_late_while_its_run_may_still_start_within_the_spread() -> None:
    missed = position(cursor=utc("2026-11-19 06:00"), requested_until=None)
    spread = entry(spread_minutes=60)
    assert found(spread, missed, now=utc("2026-11-20 07:30")) == []
    assert found(spread, missed, now=utc("2026-11-20 07:31")) == [("overdue", "file_late/acme/2026-11-20T06:00:00Z")]


def test_a_schedule_owes_nothing_from_before_it_was_seen_nor_before_the_first_day() -> None:
    nothing = position(cursor=None, requested_until=None, last_rows=None)
    assert found(entry(), nothing, since=utc("2026-11-20 07:00")) == []
    assert found(entry(contract=contract("acme", deliver_from="2026-12-01")), nothing) == []
    assert found(entry(), nothing, since=utc("2026-11-20 05:00")) == [
        ("overdue", "file_late/acme/2026-11-20T06:00:00Z")
    ]


@pytest.mark.parametrize(
    ("changed", "waits"),
    [
        ({}, False),
        ({"requested_until": utc("2026-11-20 11:00")}, True),
        ({"requested_until": utc("2026-11-20 11:00"), "cursor": None}, True),
        ({"requested_until": utc("2026-11-20 11:00"), "lease_expires": NOW.timestamp() + 1}, False),
        ({"requested_until": utc("2026-11-20 11:00"), "lease_expires": NOW.timestamp()}, True),
        ({"requested_until": utc("2026-11-20 12:01")}, False),  # a clock that is ahead asked for it
        ({"requested_until": None}, False),
        ({"sealed_key": "downloads/acme/a.csv"}, True),
        ({"sealed_key": "downloads/acme/a.csv", "lease_expires": NOW.timestamp() + 60}, False),
    ],
)
def test_what_waits_while_nobody_is_at_work_on_it_is_stuck(changed: dict[str, Any], waits: bool) -> None:
    assert is_waiting(position(**changed), now=NOW) == waits
    assert ("stuck" in [type_ for type_, _ in found(entry(), position(**changed))]) == waits


def test_the_lake_is_silent_once_deliveries_have_found_nothing_for_longer_than_expected() -> None:
    quiet = position(last_rows=utc("2026-11-18 06:00"))
    assert found(entry(expect_within="2d"), quiet) == []
    assert found(entry(expect_within="47h"), quiet) == [("silent", "silent/acme/2026-11-18T06:00:00Z")]
    assert found(entry(), quiet) == []


def test_a_client_that_never_had_a_referral_is_silent_from_when_it_was_first_seen() -> None:
    never = position(last_rows=None)
    assert found(entry(expect_within="11d"), never) == []
    assert found(entry(expect_within="10d"), never) == [("silent", "silent/acme/2026-11-10T00:00:00Z")]
    assert (
        found(entry(expect_within="1h"), position(cursor=None, requested_until=None, last_rows=None), now=SINCE) == []
    )


def test_each_file_that_was_not_collected_is_found() -> None:
    made = Delivery(
        client="acme",
        sequence=3,
        occasion="scheduled",
        window=Window(utc("2026-11-19 06:00"), utc("2026-11-20 06:00")),
        key="downloads/acme/a.csv",
        rows=2,
        size_bytes=5,
        sha256="s",
        plain_hash=None,
        late_rows=0,
        published_at=utc("2026-11-20 06:01"),
        contract="c",
        objects=frozenset(),
    )
    assert found(entry(), position(), made) == [("not_collected", "not_collected/acme/delivery#2026-11-20T06:00:00Z")]


@pytest.mark.parametrize(
    ("days", "step"), [(31, None), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1), (0, "expired"), (-9, "expired")]
)
def test_a_key_is_told_at_30_7_and_1_days_and_from_its_day_on_it_has_expired(days: int, step: object) -> None:
    expires = (NOW + timedelta(days=days)).date()
    keys = (
        RosterKey(label="crm", fingerprint="SHA256:abc", expires=expires),
        RosterKey(label="other", fingerprint="SHA256:other"),
    )
    seen = findings(entry(keys=keys), position(), (), since=SINCE, first_seen=SINCE, now=NOW)
    if step is None:
        assert seen == []
        return
    (finding,) = seen
    expired = step == "expired"
    assert finding.type is (FindingType.KEY_EXPIRED if expired else FindingType.KEY_EXPIRING)
    assert finding.id == f"{finding.type.value}/acme/SHA256:abc/{expires}/{0 if expired else step}"
    assert finding.event is not None
    assert (finding.event.to_detail()["days_left"], finding.event.client) == (max(days, 0), "acme")
