"""What one run delivers next, and that whatever it may read, every row comes into exactly one delivery."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_delivery.delivery.plan import MAX_NAMED_OBJECTS, Budget, Pace, Plan, plan
from referral_delivery.lake.objects import REACH, LakeObject, first_hour
from referral_delivery.window import Window, floor_to_hour
from tests.support import utc

WINDOW = Window(utc("2026-11-10 05:30"), utc("2026-11-10 08:30"))
AMPLE = Budget(objects=10**6, size_bytes=10**12)


def objects(*hours: str, count: int = 1, size_bytes: int = 10) -> list[LakeObject]:
    return [LakeObject(f"{hour}-{n:06d}", utc(hour), size_bytes) for hour in hours for n in range(count)]


def hours(found: list[LakeObject]) -> list[datetime]:
    return [each.hour for each in found]


def planned(listed: list[LakeObject], window: Window = WINDOW, *, read: Sequence[LakeObject] = (), **of: int) -> Plan:
    budget = Budget(of.get("objects", AMPLE.objects), of.get("size_bytes", AMPLE.size_bytes))
    hashes = {each.name_hash for each in read}
    return plan(listed, window, already_read=hashes, budget=budget, named=of.get("named", MAX_NAMED_OBJECTS))


def test_objects_that_nobody_read_are_new_however_old_their_hour() -> None:
    listed = objects("2026-11-08 07:00", "2026-11-10 06:00")
    assert planned(listed).selection.new == listed


def test_objects_that_were_read_are_read_again_only_in_hours_that_the_window_touches() -> None:
    listed = objects("2026-11-10 03:00", "2026-11-10 04:00", "2026-11-10 05:00", "2026-11-10 08:00")
    found = planned(listed, read=listed).selection
    assert (hours(found.seen), found.new) == ([utc("2026-11-10 05:00"), utc("2026-11-10 08:00")], [])


def test_an_hour_that_ends_where_the_window_starts_is_not_touched_and_one_that_starts_at_its_end_neither() -> None:
    listed = objects("2026-11-10 04:00", "2026-11-10 05:00", "2026-11-10 06:00")
    found = planned(listed, Window(utc("2026-11-10 05:00"), utc("2026-11-10 06:00")), read=listed).selection
    assert hours(found.seen) == [utc("2026-11-10 05:00")]
    assert planned(listed, Window(utc("2026-11-10 05:00"), utc("2026-11-10 06:00"))).selection.new == listed[:2]


def test_only_new_objects_of_hours_before_the_window_can_hold_late_referrals() -> None:
    found = planned(objects("2026-11-10 04:00", "2026-11-10 05:00", "2026-11-10 06:00")).selection
    assert hours(found.late) == [utc("2026-11-10 04:00"), utc("2026-11-10 05:00")]
    on_the_hour = planned(objects("2026-11-10 04:00", "2026-11-10 05:00"), Window(utc("2026-11-10 05:00"), WINDOW.end))
    assert hours(on_the_hour.selection.late) == [utc("2026-11-10 04:00")]


def test_a_window_that_fits_the_budget_exactly_is_left_as_it_is() -> None:
    listed = objects("2026-11-10 05:00", "2026-11-10 06:00", count=3)
    assert planned(listed, objects=6, size_bytes=60, named=6) == planned(listed)
    assert planned(listed).window == WINDOW


@pytest.mark.parametrize("limit", [{"objects": 5}, {"size_bytes": 59}, {"named": 5}])
def test_a_window_that_is_too_much_ends_before_the_hour_with_which_it_is(limit: dict[str, int]) -> None:
    listed = objects("2026-11-10 05:00", "2026-11-10 06:00", count=3)
    found = planned(listed, WINDOW, read=(), **limit)
    assert found.window == Window(WINDOW.start, utc("2026-11-10 06:00"))
    assert (found.selection.new, found.left) == (listed[:3], 0)


def test_what_was_read_before_counts_for_the_budget_and_not_for_what_a_record_names() -> None:
    listed = objects("2026-11-10 05:00", "2026-11-10 06:00", count=3)
    assert planned(listed, read=listed, objects=5).window.end == utc("2026-11-10 06:00")
    assert planned(listed, read=listed, named=1).window == WINDOW


def test_of_an_hour_with_more_new_objects_than_a_record_names_so_many_are_taken_beside_those_read_before() -> None:
    listed = objects("2026-11-10 05:00", count=7)
    found = planned(listed, read=listed[:3], named=3)
    assert (found.selection.seen, found.selection.new, found.left) == (listed[:3], listed[3:6], 1)


def test_no_empty_delivery_stands_before_an_hour_that_is_too_much_by_itself() -> None:
    listed = objects("2026-11-10 07:00", count=5)
    found = planned(listed, objects=3)
    assert (found.window, found.left) == (Window(WINDOW.start, utc("2026-11-10 08:00")), 2)
    assert found.selection.new == listed[:3]


def test_of_a_first_hour_that_is_too_much_the_first_objects_are_taken_and_the_rest_is_left() -> None:
    listed = objects("2026-11-10 05:00", count=7)
    found = planned(listed, objects=3)
    assert (found.selection.new, found.left) == (listed[:3], 4)
    assert found.window == Window(WINDOW.start, utc("2026-11-10 06:00"))


def test_of_late_objects_that_are_too_many_the_oldest_are_taken_first() -> None:
    listed = objects("2026-11-09 01:00", "2026-11-09 02:00", "2026-11-10 05:00", count=2)
    found = planned(listed, objects=3)
    assert (hours(found.selection.new), found.left) == ([utc("2026-11-09 01:00")] * 2 + [utc("2026-11-09 02:00")], 3)


def test_at_least_one_object_is_taken_whatever_the_budget() -> None:
    listed = objects("2026-11-10 05:00", count=2, size_bytes=1_000)
    assert planned(listed, objects=1, size_bytes=1).selection.new == listed[:1]


def test_an_hour_that_the_next_delivery_would_not_list_is_taken_whole() -> None:
    oldest = first_hour(WINDOW)
    listed = objects(f"{oldest:%Y-%m-%d %H:%M}", "2026-11-10 05:00", count=4)
    found = planned(listed, objects=2)
    assert (hours(found.selection.new), found.left) == ([oldest] * 4, 4)


def test_the_oldest_hour_that_the_next_delivery_still_lists_is_not_taken_whole() -> None:
    window = Window(WINDOW.start, utc("2026-11-10 06:00"))
    oldest = first_hour(Window(window.end, window.end))
    found = planned(objects(f"{oldest:%Y-%m-%d %H:%M}", "2026-11-10 05:00", count=4), window, objects=2)
    assert (hours(found.selection.new), found.left) == ([oldest] * 2, 6)


def test_an_hour_is_cut_where_its_objects_and_bytes_meet_the_budget_with_what_was_read_before() -> None:
    listed = objects("2026-11-10 05:00", count=7)
    found = planned(listed, read=listed[:2], objects=5)
    assert (found.selection.seen, found.selection.new, found.left) == (listed[:2], listed[2:5], 2)
    found = planned(listed, read=listed[:2], size_bytes=50)
    assert (found.selection.seen, found.selection.new, found.left) == (listed[:2], listed[2:5], 2)


@pytest.mark.parametrize("limit", [{"objects": 6}, {"objects": 7}, {"size_bytes": 60}])
def test_what_was_read_before_leaves_half_of_the_budget_to_what_is_new(limit: dict[str, int]) -> None:
    listed = objects("2026-11-10 05:00", count=100)
    found = planned(listed, Window(WINDOW.start, utc("2026-11-10 05:45")), read=listed[:50], **limit)
    assert (found.selection.seen, found.selection.new, found.left) == (listed[:50], listed[50:53], 47)


def test_a_delivery_is_the_first_to_read_20000_objects_at_most() -> None:
    listed = objects("2026-11-10 05:00", count=20_001)
    assert (len(planned(listed).selection.new), planned(listed).left) == (20_000, 1)


def test_a_function_of_twice_the_memory_reads_twice_the_bytes_and_as_many_objects() -> None:
    assert Pace.of(1_769) == Pace(objects_per_second=25.0, bytes_per_second=20e6)
    assert Pace.of(3_538) == Pace(objects_per_second=25.0, bytes_per_second=40e6)


def test_a_further_attempt_may_read_half_as_much_and_never_nothing() -> None:
    pace = Pace(objects_per_second=10, bytes_per_second=1_000)
    assert pace.budget(100, attempt=1) == Budget(1_000, 100_000)
    assert pace.budget(100, attempt=3) == Budget(250, 25_000)
    assert pace.budget(-5, attempt=1) == Budget(1, 1)


def test_the_attempts_that_fail_in_weeks_of_an_outage_are_not_too_many_to_count() -> None:
    assert Pace(objects_per_second=10, bytes_per_second=1_000).budget(840, attempt=1_000_000) == Budget(1, 1)


@dataclass(frozen=True)
class Row:
    """One referral: which object holds it, and when it arrived."""

    key: str
    stamp: datetime


START = utc("2026-11-10 00:00")
ARRIVALS = st.tuples(
    st.integers(0, 4 * 60),  # minute of landing
    st.sampled_from([0, 1, 30, 61, 600, 47 * 60]),  # how much earlier its hour is
    st.lists(st.integers(0, 59), min_size=1, max_size=4, unique=True),  # the minutes of its rows
    st.integers(1, 50),
)
RUNS = st.tuples(st.integers(1, 6 * 60), st.integers(1, 8), st.integers(1, 120), st.integers(1, 8))


@settings(max_examples=300, deadline=None)
@given(arrivals=st.lists(ARRIVALS, max_size=25), runs=st.lists(RUNS, max_size=12), end=RUNS)
def test_every_row_comes_into_exactly_one_delivery(
    arrivals: list[tuple[int, int, list[int], int]],
    runs: list[tuple[int, int, int, int]],
    end: tuple[int, int, int, int],
) -> None:
    """Whatever the budgets, the arrivals and their order: also of objects that hold rows of two windows."""
    landings = []
    for number, (minute, earlier, minutes, size_bytes) in enumerate(arrivals):
        hour = floor_to_hour(START + timedelta(minutes=minute - earlier))
        lake_object = LakeObject(f"{hour:%Y-%m-%dT%H}-{number:03d}", hour, size_bytes)
        # A row arrives before its object lands.
        stamps = [
            stamp for each in minutes if (stamp := hour + timedelta(minutes=each)) <= START + timedelta(minutes=minute)
        ]
        landings.append((START + timedelta(minutes=minute), lake_object, stamps))
    # Of an hour at the edge of reach, a record has to be able to name all: what it cannot is beyond reach.
    busiest = max(Counter(found.hour for _, found, _ in landings).values(), default=1)
    cursor, read, received = START - 3 * REACH, set[bytes](), Counter[Row]()
    moments = sorted(START + timedelta(minutes=minute) for minute, *_ in runs)
    late = START + timedelta(hours=10)
    for moment, (_, count, size_bytes, named) in [*zip(moments, runs, strict=True), *((late, end) for _ in range(200))]:
        due = max(moment, cursor + timedelta(seconds=1))
        listed = [
            found for landed, found, _ in landings if landed <= due and found.hour >= first_hour(Window(cursor, due))
        ]
        found = plan(
            listed, Window(cursor, due), already_read=read, budget=Budget(count, size_bytes), named=max(named, busiest)
        )
        window, rows_of = found.window, {each.key: stamps for _, each, stamps in landings}
        assert cursor == window.start < window.end <= due
        assert len(found.selection.new) <= max(named, busiest)
        for each in found.selection.new:
            received.update(Row(each.key, stamp) for stamp in rows_of[each.key] if stamp < window.end)
        for each in found.selection.seen:
            received.update(Row(each.key, at) for at in rows_of[each.key] if window.start <= at < window.end)
        read |= {each.name_hash for each in found.selection.new}
        cursor = window.end
    assert received == Counter(Row(found.key, stamp) for _, found, stamps in landings for stamp in stamps)
