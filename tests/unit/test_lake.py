"""Which objects a window needs, and where a window is drawn in."""

from datetime import datetime, timedelta

import pytest

from referral_delivery.errors import TooManyObjects
from referral_delivery.lake import MAX_NAMED_OBJECTS, LakeObject, drawn_in, first_hour, select
from referral_delivery.window import Window, days_between
from tests.support import utc

WINDOW = Window(utc("2026-11-10 05:30"), utc("2026-11-10 06:30"))


def objects(*hours: str, count: int = 1) -> list[LakeObject]:
    return [LakeObject(f"{hour}-{n}", utc(hour)) for hour in hours for n in range(count)]


def hours(found: list[LakeObject]) -> list[datetime]:
    return [each.hour for each in found]


def test_a_window_reaches_back_48_hours_to_the_start_of_the_hour() -> None:
    assert first_hour(WINDOW) == utc("2026-11-08 05:00")


def test_an_hourly_window_needs_the_listing_of_three_days() -> None:
    assert len(days_between(first_hour(WINDOW), WINDOW.end)) == 3


def test_a_window_that_ends_at_midnight_does_not_touch_the_next_day() -> None:
    assert days_between(utc("2026-11-10 00:00"), utc("2026-11-11 00:00")) == [utc("2026-11-10 00:00")]


def test_objects_that_nobody_read_are_new_however_old_their_hour() -> None:
    listed = objects("2026-11-08 07:00", "2026-11-10 06:00")
    assert select(listed, WINDOW, already_read=set()).new == listed


def test_objects_that_were_read_are_taken_again_only_in_hours_that_the_window_touches() -> None:
    listed = objects("2026-11-10 03:00", "2026-11-10 04:00", "2026-11-10 05:00", "2026-11-10 06:00")
    read = {each.name_hash for each in listed}
    chosen = select(listed, WINDOW, already_read=read)
    assert hours(chosen.seen) == [utc("2026-11-10 05:00"), utc("2026-11-10 06:00")]
    assert chosen.new == []


def test_only_new_objects_of_earlier_hours_can_hold_late_referrals() -> None:
    chosen = select(objects("2026-11-10 04:00", "2026-11-10 05:00", "2026-11-10 06:00"), WINDOW, already_read=set())
    assert hours(chosen.late) == [utc("2026-11-10 04:00"), utc("2026-11-10 05:00")]


def test_a_window_with_few_objects_is_left_as_it_is() -> None:
    assert drawn_in(objects("2026-11-10 05:00", count=3), WINDOW, already_read=set(), limit=3) == WINDOW


def test_a_window_with_too_many_new_objects_ends_before_the_hour_that_is_too_much() -> None:
    year = Window(utc("2026-01-01 00:00"), utc("2026-12-31 00:00"))
    listed = objects("2026-03-01 00:00", "2026-05-01 00:00", "2026-07-01 00:00", count=2)
    assert drawn_in(listed, year, already_read=set(), limit=5) == Window(year.start, utc("2026-07-01 00:00"))


def test_objects_that_were_read_do_not_draw_a_window_in() -> None:
    listed = objects("2026-11-10 05:00", "2026-11-10 06:00", count=3)
    assert drawn_in(listed, WINDOW, already_read={each.name_hash for each in listed}, limit=1) == WINDOW


def test_a_window_is_never_drawn_in_to_nothing() -> None:
    listed = objects("2026-11-10 04:00", "2026-11-10 05:00", count=9)
    assert drawn_in(listed, WINDOW, already_read=set(), limit=1) == WINDOW


def test_windows_that_are_drawn_in_one_after_the_other_cover_everything() -> None:
    end, listed = (
        utc("2026-11-11 00:00"),
        [LakeObject(f"{n}", utc("2026-11-10 00:00") + timedelta(hours=n % 24)) for n in range(240)],
    )
    window, read, taken = Window(utc("2026-11-10 00:00"), end), set[bytes](), []
    while window.start < end:
        window = drawn_in(listed, Window(window.start, end), already_read=read, limit=35)
        new = select(listed, window, already_read=read).new
        assert len(new) <= 35
        taken += new
        read |= {each.name_hash for each in new}
        window = Window(window.end, end)
    assert sorted(taken) == sorted(listed)


def test_more_objects_in_one_hour_than_a_record_can_name_is_an_error_that_names_the_hour() -> None:
    with pytest.raises(TooManyObjects, match=r"of them in hour 2026-11-10 05:00; a delivery can name 40,000; write"):
        select(objects("2026-11-10 05:00", count=MAX_NAMED_OBJECTS + 1), WINDOW, already_read=set())
