"""Which due time has passed without a delivery."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral_delivery.agreement.schedule import Schedule
from referral_delivery.watch.due import GRACE, overdue_since, waits_since
from tests.support import utc

LONG_AGO, FIRST_DAY = utc("2026-01-01 00:00"), date(2026, 11, 1)
MINUTE = timedelta(minutes=1)
TWICE = {"at": ["06:00", "18:00"]}


def overdue_at(
    now: str,
    cursor: str | None,
    *,
    since: datetime = LONG_AGO,
    deliver_from: date = FIRST_DAY,
    schedule: dict[str, Any] | None = None,
) -> datetime | None:
    """What is overdue of a client that is due at 06:00 and 18:00 UTC."""
    waits = waits_since(utc(cursor) if cursor else None, since, deliver_from)
    return overdue_since(Schedule.model_validate(schedule or TWICE), waits, utc(now))


@pytest.mark.parametrize(
    ("now", "expected"),
    [("2026-11-20 18:29", None), ("2026-11-20 18:30", None), ("2026-11-20 18:31", utc("2026-11-20 18:00"))],
)
def test_a_due_time_without_a_delivery_is_overdue_once_it_is_past_by_more_than_the_grace(
    now: str, expected: datetime | None
) -> None:
    assert overdue_at(now, "2026-11-20 06:00") == expected


def test_a_delivery_that_ends_at_the_due_time_has_made_it() -> None:
    assert overdue_at("2026-11-20 23:00", "2026-11-20 18:00") is None
    assert overdue_at("2026-11-20 23:00", "2026-11-20 17:59") == utc("2026-11-20 18:00")


def test_of_several_missed_due_times_it_is_the_first_however_long_ago() -> None:
    assert overdue_at("2026-11-20 23:00", "2026-11-10 18:00") == utc("2026-11-11 06:00")


def test_a_client_whose_first_day_is_to_come_is_not_overdue() -> None:
    december = date(2026, 12, 1)
    assert overdue_at("2026-11-30 23:59", None, deliver_from=december) is None
    assert overdue_at("2026-11-30 23:59", "2026-11-20 06:00", deliver_from=december) is None
    assert overdue_at("2026-12-01 06:31", None, deliver_from=december) == utc("2026-12-01 06:00")


def test_a_schedule_owes_nothing_of_the_time_before_it_was_first_seen() -> None:
    at_noon = utc("2026-11-20 12:00")
    for cursor in (None, "2026-11-19 18:00"):
        assert overdue_at("2026-11-20 18:15", cursor, since=at_noon) is None
        assert overdue_at("2026-11-20 18:45", cursor, since=at_noon) == utc("2026-11-20 18:00")


def test_due_times_are_the_clients_own_days_and_hours() -> None:
    sydney = {"timezone": "Australia/Sydney", "at": ["06:00"], "days": "mon-fri"}
    friday = "2026-11-19 19:00"  # 06:00 of Friday there
    assert overdue_at("2026-11-22 19:30", friday, schedule=sydney) is None
    assert overdue_at("2026-11-22 19:31", friday, schedule=sydney) == utc("2026-11-22 19:00")


def test_a_due_time_that_the_clock_skips_is_never_overdue() -> None:
    skipped = {"timezone": "Australia/Sydney", "at": ["02:30"]}  # not on 2026-10-04
    september = date(2026, 9, 1)
    assert overdue_at("2026-10-04 15:59", "2026-10-02 16:30", schedule=skipped, deliver_from=september) is None
    found = overdue_at("2026-10-04 16:01", "2026-10-02 16:30", schedule=skipped, deliver_from=september)
    assert found == utc("2026-10-04 15:30")


MINUTES = st.integers(0, 20_000)


@given(cursor=st.none() | MINUTES, now=MINUTES, since=MINUTES, first_day=st.integers(0, 14))
def test_it_is_the_earliest_minute_that_the_rule_names(
    cursor: int | None, now: int, since: int, first_day: int
) -> None:
    start = utc("2026-11-01 00:00")
    due_times = [n for n in range(20_000) if n % 1_440 in (6 * 60, 18 * 60)]
    counts_from = max(since if cursor is None else cursor, since, first_day * 1_440)
    expected = next((start + n * MINUTE for n in due_times if n > counts_from and (now - n) * MINUTE > GRACE), None)
    waits = waits_since(
        None if cursor is None else start + cursor * MINUTE, start + since * MINUTE, date(2026, 11, first_day + 1)
    )
    assert overdue_since(Schedule.model_validate(TWICE), waits, start + now * MINUTE) == expected
