"""Schedules: cron expressions, next runs and daylight saving."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_delivery.agreement.cron import expressions
from referral_delivery.agreement.schedule import (
    Day,
    Schedule,
    deliveries_a_day,
    next_runs,
    runs_between,
    skipped_time_notes,
)
from tests.support import utc


def schedule(**fields: Any) -> Schedule:
    return Schedule.model_validate(fields)


def locals_of(schedule: Schedule, after: datetime, count: int) -> list[str]:
    return [f"{run.local:%a %m-%d %H:%M} = {run.utc:%d %H:%MZ}" for run in next_runs(schedule, after, count)]


def test_times_that_share_a_minute_share_an_expression() -> None:
    assert expressions(schedule(at=["06:00", "18:30", "12:00"])) == [
        "cron(0 6,12 * * ? *)",
        "cron(30 18 * * ? *)",
    ]


def test_minutes_of_the_same_hours_share_an_expression() -> None:
    assert expressions(schedule(at=["06:00", "06:30", "18:00", "18:30"])) == ["cron(0,30 6,18 * * ? *)"]


def test_days_stand_in_the_day_of_week_field() -> None:
    assert expressions(schedule(at=["06:00"], days=["fri", "mon"])) == ["cron(0 6 ? * MON,FRI *)"]


@pytest.mark.parametrize(
    ("every", "expression"),
    [
        ("1m", "cron(* * * * ? *)"),
        ("15m", "cron(0/15 * * * ? *)"),
        ("1h", "cron(0 * * * ? *)"),
        ("6h", "cron(0 0/6 * * ? *)"),
    ],
)
def test_an_interval_is_aligned_to_the_clock(every: str, expression: str) -> None:
    assert expressions(schedule(every=every)) == [expression]


def test_an_interval_keeps_to_its_days() -> None:
    assert expressions(schedule(every="1h", days=["sat", "sun"])) == ["cron(0 * ? * SAT,SUN *)"]


TIMES = st.lists(
    st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 45])),
    min_size=1,
    max_size=12,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(at=TIMES, days=st.lists(st.sampled_from(list(Day)), min_size=1, unique=True))
def test_the_expressions_fire_at_exactly_the_named_times(at: list[str], days: list[Day]) -> None:
    """An independent reading of cron: CronSim, a week in UTC."""
    wanted = schedule(at=at, days=days)
    start, week = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(minutes=1), timedelta(days=7)
    fired: list[datetime] = []
    for expression in expressions(wanted):
        minute, hour, day, month, weekday, _ = expression.removeprefix("cron(").removesuffix(")").split()
        for moment in CronSim(f"{minute} {hour} {day} {month} {weekday}".replace("?", "*"), start):
            if moment >= start + week:
                break
            fired.append(moment)
    ours = [run.utc for run in next_runs(wanted, start, len(fired) + 1)]
    assert sorted(fired) == [moment for moment in ours if moment < start + week]
    assert len(expressions(wanted)) <= len({time[3:] for time in at})


def test_next_runs_are_after_the_moment_and_not_at_it() -> None:
    assert locals_of(schedule(at=["06:00"]), utc("2026-11-02 06:00"), 1) == ["Tue 11-03 06:00 = 03 06:00Z"]


def test_sydney_keeps_its_local_times_over_both_changes() -> None:
    sydney = schedule(timezone="Australia/Sydney", at=["02:30", "06:00"])
    # 2026-10-04: 02:00 becomes 03:00, so 02:30 is skipped.
    assert locals_of(sydney, utc("2026-10-02 20:30"), 3) == [
        "Sun 10-04 06:00 = 03 19:00Z",
        "Mon 10-05 02:30 = 04 15:30Z",
        "Mon 10-05 06:00 = 04 19:00Z",
    ]
    # 2027-04-04: 03:00 becomes 02:00, so 02:30 comes twice and counts once, the first time.
    assert locals_of(sydney, utc("2027-04-03 12:00"), 3) == [
        "Sun 04-04 02:30 = 03 15:30Z",
        "Sun 04-04 06:00 = 03 20:00Z",
        "Mon 04-05 02:30 = 04 16:30Z",
    ]


def test_new_york_keeps_its_local_times_over_both_changes() -> None:
    new_york = schedule(timezone="America/New_York", at=["01:30", "02:30"])
    # 2026-11-01: 02:00 becomes 01:00, so 01:30 comes twice.
    assert locals_of(new_york, utc("2026-11-01 00:00"), 3) == [
        "Sun 11-01 01:30 = 01 05:30Z",
        "Sun 11-01 02:30 = 01 07:30Z",
        "Mon 11-02 01:30 = 02 06:30Z",
    ]
    # 2027-03-14: 02:00 becomes 03:00, so 02:30 is skipped.
    assert locals_of(new_york, utc("2027-03-14 00:00"), 2) == [
        "Sun 03-14 01:30 = 14 06:30Z",
        "Mon 03-15 01:30 = 15 05:30Z",
    ]


def test_lord_howe_shifts_by_half_an_hour() -> None:
    lord_howe = schedule(timezone="Australia/Lord_Howe", at=["02:15", "02:45"])
    # 2026-10-04: 02:00 becomes 02:30, so 02:15 is skipped.
    assert locals_of(lord_howe, utc("2026-10-03 12:00"), 2) == [
        "Sun 10-04 02:45 = 03 15:45Z",
        "Mon 10-05 02:15 = 04 15:15Z",
    ]
    # 2027-04-04: 02:00 becomes 01:30.
    assert locals_of(lord_howe, utc("2027-04-03 12:00"), 1) == ["Sun 04-04 02:15 = 03 15:45Z"]


def test_an_hourly_run_does_not_repeat_in_the_repeated_hour() -> None:
    runs = next_runs(schedule(timezone="America/New_York", every="1h"), utc("2026-11-01 04:30"), 3)
    assert [f"{run.utc:%H:%M}" for run in runs] == ["05:00", "07:00", "08:00"]


@pytest.mark.parametrize(
    ("fields", "a_day"),
    [({"at": ["06:00", "18:30"]}, 2), ({"every": "15m"}, 96), ({"every": "6h", "days": ["mon", "tue"]}, 8 / 7)],
)
def test_deliveries_a_day_are_those_of_an_average_day(fields: dict[str, Any], a_day: float) -> None:
    assert deliveries_a_day(schedule(**fields)) == pytest.approx(a_day)


def test_a_time_that_does_not_exist_on_some_day_is_noted() -> None:
    sydney = schedule(timezone="Australia/Sydney", at=["02:30", "06:00"])
    assert skipped_time_notes(sydney, date(2026, 11, 1)) == [
        "02:30 does not exist in Australia/Sydney on 2027-10-03: the clock skips it, and so does the schedule; "
        "the next file holds those referrals"
    ]


@pytest.mark.parametrize(
    ("first", "days", "noted"),
    [(date(2026, 10, 4), 1, 1), (date(2026, 10, 3), 1, 0), (date(2026, 10, 3), 2, 1), (date(2026, 10, 5), 363, 0)],
)
def test_of_the_days_from_the_first_on_each_is_looked_at_and_none_after(first: date, days: int, noted: int) -> None:
    sydney = schedule(timezone="Australia/Sydney", at=["02:30"])
    assert len(skipped_time_notes(sydney, first, days)) == noted


def test_a_year_is_looked_at_to_the_same_day_of_the_next() -> None:
    sydney = schedule(timezone="Australia/Sydney", at=["02:30"])
    notes = skipped_time_notes(sydney, date(2026, 10, 3))
    assert [note.split()[7] for note in notes] == ["2026-10-04:", "2027-10-03:"]
    assert len(skipped_time_notes(sydney, date(2026, 10, 2))) == 1


def test_a_skipped_time_on_a_day_without_runs_is_not_noted() -> None:
    assert (
        skipped_time_notes(schedule(timezone="Australia/Sydney", at=["02:30"], days=["mon"]), date(2026, 11, 1)) == []
    )


def test_the_runs_between_two_instants_are_those_strictly_inside() -> None:
    twice = schedule(at=["06:00", "18:00"])
    found = runs_between(twice, utc("2026-11-20 06:00"), utc("2026-11-22 06:00"))
    assert [f"{run.utc:%d %H}" for run in found] == ["20 18", "21 06", "21 18"]
    assert list(runs_between(twice, utc("2026-11-20 06:00"), utc("2026-11-20 06:00"))) == []
