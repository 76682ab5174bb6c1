"""What the operators' commands make of a client's past."""

from referral_delivery.window import Window
from referralctl.commands.history import spans, unmade
from tests.support import utc


def test_hours_that_follow_on_each_other_are_one_span() -> None:
    hours = [utc("2026-11-15 11:00"), utc("2026-11-15 09:00"), utc("2026-11-15 10:00"), utc("2026-11-16 00:00")]
    assert spans([*hours, *hours]) == [
        Window(utc("2026-11-15 09:00"), utc("2026-11-15 12:00")),
        Window(utc("2026-11-16 00:00"), utc("2026-11-16 01:00")),
    ]


def test_a_window_that_has_a_backfill_is_begun_earlier_so_that_another_is_made() -> None:
    window = Window(utc("2026-11-20 05:00"), utc("2026-11-20 06:00"))
    earlier = Window(utc("2026-11-20 04:59"), window.end)
    assert unmade(window, set()) == window
    assert unmade(window, {window}) == earlier
    assert unmade(window, {window, earlier}) == Window(utc("2026-11-20 04:58"), window.end)
