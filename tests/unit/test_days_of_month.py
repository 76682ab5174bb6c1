"""Schedules that name days of the month: which months have them, when they fire, and what is said of the 31st."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.schedules import in_words
from referral_delivery.agreement.cron import expressions
from referral_delivery.agreement.schedule import (
    Schedule,
    deliveries_a_day,
    next_runs,
    runs_between,
    skipped_time_notes,
)
from referral_delivery.watch.due import overdue_since
from tests.support import utc

TODAY = date(2026, 11, 1)
# With changes of an hour and of half an hour, at midnight, in the first and in the last days of a month.
ZONES = [
    *("UTC", "Australia/Sydney", "Australia/Lord_Howe", "America/New_York", "Africa/Cairo", "America/Santiago"),
    *("Asia/Kathmandu", "Europe/Lisbon"),
]


def schedule(*days: int | str, **fields: Any) -> Schedule:
    return Schedule.model_validate({"at": ["06:00"], "days_of_month": list(days)} | fields)


def dates(wanted: Schedule, after: str, count: int) -> list[str]:
    return [f"{run.local:%Y-%m-%d}" for run in next_runs(wanted, utc(f"{after} 00:00"), count)]


def test_numbers_share_an_expression_and_the_last_day_has_its_own() -> None:
    assert expressions(schedule(15, "last", 1)) == ["cron(0 6 1,15 * ? *)", "cron(0 6 L * ? *)"]
    assert expressions(schedule("last")) == ["cron(0 6 L * ? *)"]


def test_times_share_expressions_on_days_of_the_month_too() -> None:
    assert expressions(schedule(1, "last", at=["06:00", "06:30", "18:00"])) == [
        *("cron(0 6,18 1 * ? *)", "cron(30 6 1 * ? *)", "cron(0 6,18 L * ? *)", "cron(30 6 L * ? *)")
    ]
    assert expressions(schedule(1, 2, at=[], every="15m")) == ["cron(0/15 * 1,2 * ? *)"]


def test_the_31st_needs_no_expression_beside_the_last_day() -> None:
    assert expressions(schedule(31, "last")) == ["cron(0 6 L * ? *)"]
    assert expressions(schedule(30, 31, "last")) == ["cron(0 6 30 * ? *)", "cron(0 6 L * ? *)"]
    assert expressions(schedule(30, 31)) == ["cron(0 6 30,31 * ? *)"]


def fired(expression: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """What CronSim, an independent reading of cron, makes of an expression in local time without a zone."""
    minute, hour, day, month, weekday, _ = expression.removeprefix("cron(").removesuffix(")").split()
    moments = CronSim(f"{minute} {hour} {day} {month} {weekday}".replace("?", "*"), start - timedelta(minutes=1))
    return takewhile(lambda moment: moment < end, moments)


def on_some_clock(local: datetime, zone: ZoneInfo) -> bool:
    """Whether there is an instant at which the zone's clocks show that time: offsets are whole quarters of an hour."""
    instants = (local.replace(tzinfo=UTC) + timedelta(minutes=15 * n) for n in range(-60, 61))
    return any(instant.astimezone(zone).replace(tzinfo=None) == local for instant in instants)


@settings(max_examples=60, deadline=None)
@given(
    at=st.lists(st.sampled_from(["00:00", "01:30", "02:15", "02:30", "06:00", "23:45"]), min_size=1, unique=True),
    days=st.lists(st.integers(1, 31) | st.just("last"), min_size=1, max_size=6, unique=True),
    timezone=st.sampled_from(ZONES),
    year=st.integers(2023, 2027),
)
def test_the_expressions_fire_at_exactly_the_times_of_the_named_days_for_years(
    at: list[str], days: list[int | str], timezone: str, year: int
) -> None:
    wanted, zone = schedule(*days, at=at, timezone=timezone), ZoneInfo(timezone)
    start, end = (datetime.combine(date(each, 1, 1), time()) for each in (year, year + 4))
    by_cron = {moment for expression in expressions(wanted) for moment in fired(expression, start, end)}
    before = (start - timedelta(minutes=1)).replace(tzinfo=zone)
    ours = list(runs_between(wanted, before, end.replace(tzinfo=zone)))
    assert {run.local for run in ours} <= by_cron
    assert not [moment for moment in by_cron - {run.local for run in ours} if on_some_clock(moment, zone)]
    assert all(run.utc.astimezone(zone).replace(tzinfo=None) == run.local for run in ours)
    assert [run.utc for run in ours] == sorted({run.utc for run in ours})


def test_the_last_day_is_february_29_in_leap_years_and_28_in_others() -> None:
    assert dates(schedule("last"), "2027-12-31", 4) == ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31"]
    assert dates(schedule("last"), "2027-02-01", 3) == ["2027-02-28", "2027-03-31", "2027-04-30"]
    assert dates(schedule("last"), "2100-02-01", 1) == ["2100-02-28"]


def test_a_31st_is_due_in_months_that_have_one() -> None:
    assert dates(schedule(31), "2027-01-01", 4) == ["2027-01-31", "2027-03-31", "2027-05-31", "2027-07-31"]
    assert dates(schedule(29), "2027-02-01", 2) == ["2027-03-29", "2027-04-29"]
    assert dates(schedule(29), "2028-02-01", 2) == ["2028-02-29", "2028-03-29"]


def test_a_day_that_is_named_twice_by_number_and_as_the_last_is_due_once() -> None:
    assert dates(schedule(28, 30, "last"), "2027-02-01", 4) == ["2027-02-28", "2027-03-28", "2027-03-30", "2027-03-31"]


@pytest.mark.parametrize("day", [*range(1, 32), "last"])
def test_the_next_run_is_at_most_two_months_away(day: int | str) -> None:
    for month in range(1, 13):
        after = datetime(2027, month, 1, tzinfo=UTC)
        assert next_runs(schedule(day), after, 1)[0].utc - after < timedelta(days=62)


def test_a_time_that_the_clock_skips_on_the_named_day_waits_for_the_next_named_day() -> None:
    # 2026-10-04: 02:00 becomes 03:00.
    sydney = schedule(4, timezone="Australia/Sydney", at=["02:30"])
    assert dates(sydney, "2026-09-30", 2) == ["2026-11-04", "2026-12-04"]


@pytest.mark.parametrize(
    ("days", "fields", "a_day"),
    [
        ([1], {}, 12 / 365.25),
        ([1, 15, "last"], {"at": ["06:00", "18:00"]}, 2 * 36 / 365.25),
        ([31], {}, 7 / 365.25),
        ([30], {}, 11 / 365.25),
        ([29], {}, 11.25 / 365.25),
        (["last", 31], {}, 12 / 365.25),
        (["last", 28], {}, (12 + 11.25) / 365.25),
        (list(range(1, 32)), {"at": [], "every": "1h"}, 24),
    ],
)
def test_deliveries_a_day_are_those_of_a_mean_day_of_four_years(
    days: list[int | str], fields: dict[str, Any], a_day: float
) -> None:
    assert deliveries_a_day(schedule(*days, **fields)) == pytest.approx(a_day)


@pytest.mark.parametrize(
    ("day", "months"),
    [(29, "February outside leap years"), (30, "February"), (31, "February, April, June, September and November")],
)
def test_a_day_that_some_months_do_not_have_is_noted(day: int, months: str) -> None:
    assert skipped_time_notes(schedule(1, day), TODAY) == [
        f"{day} does not exist in {months}: nothing is due for it there; the next file holds those referrals. "
        "For the last day of each month write `last`"
    ]


def test_the_notes_of_days_stand_in_their_order_before_those_of_the_clock() -> None:
    notes = skipped_time_notes(schedule(31, 3, 30, timezone="Australia/Sydney", at=["02:30"]), TODAY)
    assert [note.split(":")[0] for note in notes] == [
        "30 does not exist in February",
        "31 does not exist in February, April, June, September and November",
        "02",
    ]
    assert "on 2027-10-03: the clock skips it" in notes[2]


def test_nothing_is_noted_of_days_that_each_month_has_or_beside_the_last_day() -> None:
    assert skipped_time_notes(schedule(1, 28), TODAY) == []
    assert skipped_time_notes(schedule(29, 30, 31, "last"), TODAY) == []


def test_a_clock_change_on_a_day_that_is_not_named_is_not_noted() -> None:
    # 2027-10-03 is the one day until November 2027.
    assert skipped_time_notes(schedule(4, timezone="Australia/Sydney", at=["02:30"]), TODAY) == []


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (["last"], "06:00, the last day of the month, UTC"),
        ([15], "06:00, the 15th day of the month, UTC"),
        (["last", 15, 1], "06:00, the 1st, 15th and last day of the month, UTC"),
        ([2, 3, 11, 12, 13], "06:00, the 2nd, 3rd, 11th, 12th and 13th day of the month, UTC"),
        ([21, 22, 23, 30], "06:00, the 21st, 22nd, 23rd and 30th day of the month, UTC"),
    ],
)
def test_a_client_is_told_its_days_in_words(days: list[int | str], words: str) -> None:
    assert in_words(schedule(*days)) == words


def test_a_monthly_file_is_overdue_half_an_hour_after_its_day() -> None:
    due = utc("2026-11-30 06:00")
    found = [
        overdue_since(schedule("last"), utc("2026-10-31 06:00"), utc(f"2026-11-30 {at}")) for at in ("06:30", "06:31")
    ]
    assert found == [None, due]


@pytest.mark.parametrize("dump", [{}, {"exclude_none": True}, {"exclude_unset": True}, {"exclude_defaults": True}])
def test_a_dumped_schedule_is_read_back_as_the_same(dump: dict[str, Any]) -> None:
    for wanted in (schedule(1, 15, "last"), schedule(31), Schedule.model_validate({"every": "1h", "days": "mon-fri"})):
        assert Schedule.model_validate_json(wanted.model_dump_json(**dump)) == wanted
        assert Schedule.model_validate(wanted.model_dump(**dump)) == wanted


def test_a_schedule_without_days_of_the_month_is_dumped_as_ever() -> None:
    assert Schedule.model_validate({"at": ["06:00"], "days": ["mon"]}).model_dump_json() == (
        '{"timezone":"UTC","at":["06:00"],"every":null,"days":["mon"]}'
    )


@pytest.mark.parametrize("days", [[True], [1.5], [0], [32], ["last", "last"], []])
def test_a_dump_with_days_that_are_none_is_refused(days: list[object]) -> None:
    with pytest.raises(ValidationError):
        schedule(*days)  # type: ignore[arg-type]
