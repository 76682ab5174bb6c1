"""Times of day → EventBridge Scheduler expressions, their next runs, and notes on daylight saving.

EventBridge Scheduler evaluates a cron expression in the schedule's timezone; it skips a local time that does
not exist and runs a repeated one once.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import islice, pairwise
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MINUTES_PER_HOUR, HOURS_PER_DAY = 60, 24
_EVERY = re.compile(r"([1-9][0-9]?)([mh])")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Day(StrEnum):
    """Days of the week in EventBridge's spelling, in Python's order (Monday is 0)."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_WEEK = tuple(Day)


class Schedule(BaseModel):
    """When a client's files are due: `at` times of day, or `every` so many minutes or hours, local time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = Field(default="UTC", description="IANA name, e.g. Australia/Sydney")
    at: tuple[Annotated[str, Field(pattern=_TIME_OF_DAY.pattern)], ...] = Field(
        default=(), description='Local times of day, 24-hour "HH:MM"'
    )
    every: Annotated[str, Field(pattern=_EVERY.pattern)] | None = Field(
        default=None, description="15m, 1h …: aligned to the clock, so it must divide an hour or a day"
    )
    days: tuple[Day, ...] = Field(default=_WEEK, min_length=1, description="Default: every day")

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        if name not in _timezones():
            raise ValueError(f"unknown timezone {name!r}; use an IANA name such as Australia/Sydney or UTC")
        return name

    @field_validator("at", mode="before")
    @classmethod
    def _two_digit_times(cls, times: object) -> object:
        for found in times if isinstance(times, list | tuple) else ():
            if not (isinstance(found, str) and _TIME_OF_DAY.fullmatch(found)):
                raise ValueError(f'{found!r} is no time of day; write it as "HH:MM" in quotes, 00:00 to 23:59')
        return times

    @field_validator("at", "days")
    @classmethod
    def _each_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for position, value in enumerate(values):
            if value in values[:position]:
                raise ValueError(f"{str(value)!r} stands twice; remove one of them")
        return values

    @field_validator("every")
    @classmethod
    def _divides(cls, every: str | None) -> str | None:
        match = _EVERY.fullmatch(every or "")
        if every is not None and match is None:
            raise ValueError(f"{every!r} is no interval; write minutes or hours, such as 15m or 2h")
        if match:
            count, whole = int(match[1]), MINUTES_PER_HOUR if match[2] == "m" else HOURS_PER_DAY
            if count >= whole or whole % count:
                fitting = ", ".join(f"{n}{match[2]}" for n in range(1, whole) if whole % n == 0)
                raise ValueError(f"{every!r} does not divide the clock evenly; use one of {fitting}, or `at`")
        return every

    @model_validator(mode="after")
    def _one_of_at_and_every(self) -> Self:
        if bool(self.at) == bool(self.every):
            found = "both" if self.at else "neither"
            raise ValueError(f"give either `at` or `every`, found {found}")
        return self


@dataclass(frozen=True)
class Run:
    """One due time: the local time that the client named, and the instant."""

    local: datetime
    utc: datetime


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def expressions(schedule: Schedule) -> list[str]:
    """The fewest cron expressions that fire at exactly the schedule's times, in a stable order.

    Times that share a minute share an expression, and so do minutes that fall in the same hours.
    """
    days = _days_field(schedule.days)
    if schedule.every:
        count, unit = int(schedule.every[:-1]), schedule.every[-1]
        if unit == "m":
            return [f"cron({_step(count)} * {days})"]
        return [f"cron(0 {_step(count)} {days})"]
    times = {time.fromisoformat(at) for at in schedule.at}
    by_minute = _rectangles({(at.minute, at.hour) for at in times})
    by_hour = [(minutes, hours) for hours, minutes in _rectangles({(at.hour, at.minute) for at in times})]
    fewest = min(by_minute, by_hour, key=len)
    return [f"cron({_list(minutes)} {_list(hours)} {days})" for minutes, hours in sorted(fewest)]


def next_runs(schedule: Schedule, after: datetime, count: int) -> list[Run]:
    """The next `count` runs strictly after an aware instant, ascending."""
    return list(islice(_runs(schedule, after), count))


def deliveries_a_day(schedule: Schedule) -> float:
    """How often the schedule is due on an average day of the week, clock changes aside."""
    return len(_times_of_day(schedule)) * len(schedule.days) / len(_WEEK)


def skipped_time_notes(schedule: Schedule, first: date, days: int = 366) -> list[str]:
    """A sentence for each `at` time that does not exist on some of the next `days` local days."""
    zone = ZoneInfo(schedule.timezone)
    notes = []
    for day in _days_with_clock_changes(schedule.timezone, first, days):
        for at in sorted(schedule.at):
            local = datetime.combine(day, time.fromisoformat(at))
            if _WEEK[day.weekday()] in schedule.days and _instant(local, zone) is None:
                notes.append(
                    f"{at} does not exist in {schedule.timezone} on {day}: the clock skips it, and so does "
                    "the schedule; the next file holds those referrals"
                )
    return notes


def _runs(schedule: Schedule, after: datetime) -> Iterator[Run]:
    zone = ZoneInfo(schedule.timezone)
    times = _times_of_day(schedule)
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        if _WEEK[day.weekday()] in schedule.days:
            candidates = (datetime.combine(day, at) for at in times)
            runs = [Run(local, utc) for local in candidates if (utc := _instant(local, zone)) is not None]
            # In the repeated hour of autumn the local order is not the order of instants.
            yield from sorted((run for run in runs if run.utc > after), key=lambda run: run.utc)
        day += timedelta(days=1)


def _instant(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant of a naive local time; the first of two, or None where the clock skips it."""
    utc = local.replace(tzinfo=zone).astimezone(UTC)
    return utc if utc.astimezone(zone).replace(tzinfo=None) == local else None


def _times_of_day(schedule: Schedule) -> list[time]:
    if not schedule.every:
        return sorted(time.fromisoformat(at) for at in schedule.at)
    count, unit = int(schedule.every[:-1]), schedule.every[-1]
    minutes = count if unit == "m" else count * MINUTES_PER_HOUR
    return [time(*divmod(minute, MINUTES_PER_HOUR)) for minute in range(0, HOURS_PER_DAY * MINUTES_PER_HOUR, minutes)]


@lru_cache(maxsize=1024)
def _days_with_clock_changes(timezone: str, first: date, days: int) -> tuple[date, ...]:
    zone = ZoneInfo(timezone)
    midnights = [datetime.combine(first + timedelta(days=n), time(), zone) for n in range(days + 1)]
    return tuple(today.date() for today, tomorrow in pairwise(midnights) if today.utcoffset() != tomorrow.utcoffset())


def _rectangles(cells: set[tuple[int, int]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Disjoint products of rows and columns that make up `cells`: rows with the same columns are one product."""
    columns = {row: tuple(sorted(c for r, c in cells if r == row)) for row, _ in cells}
    rows: dict[tuple[int, ...], list[int]] = {}
    for row in sorted(columns):
        rows.setdefault(columns[row], []).append(row)
    return [(tuple(same), shared) for shared, same in rows.items()]


def _days_field(days: tuple[Day, ...]) -> str:
    """Day-of-month, month, day-of-week and year; one of the two day fields must be `?`."""
    if set(days) == set(_WEEK):
        return "* * ? *"
    return f"? * {','.join(day.upper() for day in _WEEK if day in days)} *"


def _step(count: int) -> str:
    return "*" if count == 1 else f"0/{count}"


def _list(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
