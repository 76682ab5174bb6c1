"""Which hours and days of the lake a window needs."""

from referral_delivery.lake.objects import first_hour
from referral_delivery.window import Window, days_between
from tests.support import utc

WINDOW = Window(utc("2026-11-10 05:30"), utc("2026-11-10 06:30"))


def test_a_window_reaches_back_48_hours_to_the_start_of_the_hour() -> None:
    assert first_hour(WINDOW) == utc("2026-11-08 05:00")


def test_an_hourly_window_needs_the_listing_of_three_days() -> None:
    assert len(days_between(first_hour(WINDOW), WINDOW.end)) == 3


def test_a_window_that_ends_at_midnight_does_not_touch_the_next_day() -> None:
    assert days_between(utc("2026-11-10 00:00"), utc("2026-11-11 00:00")) == [utc("2026-11-10 00:00")]
