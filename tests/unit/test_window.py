"""Hours, days and texts of moments, also of those that stand off the minute."""

from datetime import datetime, timedelta, timezone

import pytest

from referral_delivery.window import days_between, floor_to_hour, from_text, to_text
from tests.support import utc

OFF_THE_MINUTE = utc("2026-11-20 05:59:59").replace(microsecond=999_999)


def test_the_hour_of_a_moment_is_its_start_to_the_microsecond() -> None:
    assert floor_to_hour(OFF_THE_MINUTE) == utc("2026-11-20 05:00")
    assert floor_to_hour(utc("2026-11-20 05:00")) == utc("2026-11-20 05:00")


@pytest.mark.parametrize(
    ("first", "end", "days"),
    [
        ("2026-11-20 00:00", "2026-11-21 00:00", ["2026-11-20 00:00"]),
        ("2026-11-20 23:59:59", "2026-11-21 00:00:01", ["2026-11-20 00:00", "2026-11-21 00:00"]),
        ("2026-11-30 05:30:15", "2026-12-02 00:00", ["2026-11-30 00:00", "2026-12-01 00:00"]),
        ("2026-11-20 05:00", "2026-11-20 00:00", []),
    ],
)
def test_the_days_of_a_window_are_those_that_it_touches(first: str, end: str, days: list[str]) -> None:
    assert days_between(utc(first), utc(end)) == [utc(day) for day in days]


def test_days_begin_at_midnight_to_the_microsecond() -> None:
    assert days_between(OFF_THE_MINUTE, OFF_THE_MINUTE + timedelta(microseconds=1)) == [utc("2026-11-20 00:00")]


def test_a_moment_of_another_zone_is_written_in_utc_and_read_back() -> None:
    sydney = datetime(2026, 11, 20, 10, 30, 15, tzinfo=timezone(timedelta(hours=11)))
    assert to_text(sydney) == "2026-11-19T23:30:15Z"
    assert from_text(to_text(sydney)) == sydney
