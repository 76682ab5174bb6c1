"""When a client's files are due: the times and days that it names, their next runs, and notes on what is skipped.

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
from itertools import islice, pairwise, takewhile
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from referral_delivery.agreement import month, spellings, timezones
from referral_delivery.agreement.refusal import Refused

MINUTES_PER_HOUR, HOURS_PER_DAY = 60, 24
_TIME_OF_DAY = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
# Those that divide an hour or a day, so that the clock's hours are the schedule's.
INTERVALS = (
    *(f"{n}m" for n in range(1, MINUTES_PER_HOUR) if MINUTES_PER_HOUR % n == 0),
    *(f"{n}h" for n in range(1, HOURS_PER_DAY) if HOURS_PER_DAY % n == 0),
)


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


def _time_of_day(text: str) -> str:
    if not re.fullmatch(_TIME_OF_DAY, text):
        near = spellings.time_of_day(text)
        raise Refused(
            expected="a time of day, 00:00 to 23:59",
            do=f'did you mean "{near}"?' if near else 'write it with two digits each, such as "06:00"',
        )
    return text


_Times = Annotated[
    tuple[Annotated[str, AfterValidator(_time_of_day)], ...],
    BeforeValidator(spellings.listed, json_schema_input_type=spellings.input_type(_TIME_OF_DAY)),
]
_Days = Annotated[tuple[Day, ...], BeforeValidator(spellings.days, json_schema_input_type=spellings.DAYS)]
_DaysOfMonth = Annotated[
    tuple[month.DayOfMonth, ...],
    BeforeValidator(spellings.days_of_month, json_schema_input_type=spellings.DAYS_OF_MONTH),
]


class Schedule(BaseModel):
    """When a client's files are due: `at` times of day, or `every` so many minutes or hours, local time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = Field(default="UTC", description="IANA name, e.g. Australia/Sydney")
    at: _Times = Field(default=(), description='Local times of day, 24-hour "HH:MM"')
    every: str | None = Field(
        default=None,
        description="15m, 1h …: aligned to the clock, so it must divide an hour or a day",
        json_schema_extra={"anyOf": [{"enum": list(INTERVALS)}, {"type": "null"}]},
        validate_default=True,
    )
    days_of_month: _DaysOfMonth = Field(
        default=(),
        min_length=1,
        description="1 to 31 and `last`, such as [1, 15, last], in the place of `days`",
        json_schema_extra=spellings.without_default,
    )
    # Of no account where days of the month are named; after them, so that its validator knows.
    days: _Days = Field(default=_WEEK, min_length=1, description="mon-fri, or a list; default: every day")

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        return timezones.check(name)

    @field_validator("at", "days", "days_of_month")
    @classmethod
    def _each_once(cls, values: tuple[str | int, ...]) -> tuple[str | int, ...]:
        for position, value in enumerate(values):
            if value in values[:position]:
                raise Refused(found=f"`{value}` twice", expected="each once", do="remove one of them")
        return values

    @field_validator("every")
    @classmethod
    def _divides(cls, every: str | None) -> str | None:
        if every is not None and every not in INTERVALS:
            near = spellings.interval(every)
            raise Refused(
                expected=f"an interval that divides an hour or a day: {', '.join(INTERVALS)}",
                do=f"did you mean `{near}`?" if near in INTERVALS else "choose one of them, or give times under `at`",
            )
        return every

    @field_validator("every")
    @classmethod
    def _one_of_at_and_every(cls, every: str | None, info: ValidationInfo) -> str | None:
        if "at" in info.data and bool(info.data["at"]) == bool(every):
            raise Refused(
                found="both `at` and `every`" if every else "neither `at` nor `every`",
                expected="one of them",
                do="remove one" if every else 'add the times, such as `at: ["06:00", "18:30"]`, or `every: 1h`',
            )
        return every

    @field_validator("days")
    @classmethod
    def _one_of_week_and_month(cls, days: tuple[Day, ...], info: ValidationInfo) -> tuple[Day, ...]:
        if info.data.get("days_of_month"):
            raise Refused(
                found="both `days` and `days_of_month`",
                expected="one of them",
                do="remove one: a schedule goes by the week or by the month",
            )
        return days

    @model_serializer(mode="wrap")
    def _with_days_of_one_kind(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        fields.pop("days" if self.days_of_month else "days_of_month", None)
        return fields

    def is_due_on(self, day: date) -> bool:
        """Whether a local day is one of those that are named."""
        if self.days_of_month:
            return month.is_named(day, self.days_of_month)
        return _WEEK[day.weekday()] in self.days


@dataclass(frozen=True)
class Run:
    """One due time: the local time that the client named, and the instant."""

    local: datetime
    utc: datetime


def next_runs(schedule: Schedule, after: datetime, count: int) -> list[Run]:
    """The next `count` runs strictly after an aware instant, ascending."""
    return list(islice(_runs(schedule, after), count))


def runs_between(schedule: Schedule, after: datetime, before: datetime) -> Iterator[Run]:
    """The runs strictly after one aware instant and strictly before another, ascending."""
    return takewhile(lambda run: run.utc < before, _runs(schedule, after))


def deliveries_a_day(schedule: Schedule) -> float:
    """How often the schedule is due on an average day of the week, or of four years; clock changes aside."""
    of_month = schedule.days_of_month
    due = month.named_a_day(of_month) if of_month else len(schedule.days) / len(_WEEK)
    return len(_times_of_day(schedule)) * due


def skipped_time_notes(schedule: Schedule, first: date, days: int = 366) -> list[str]:
    """A sentence for each named day that some months do not have, and each `at` time that the clock skips.

    Of clock changes, those of the next `days` local days count.
    """
    zone = ZoneInfo(schedule.timezone)
    notes = list(month.missing_day_notes(schedule.days_of_month))
    for day in _days_with_clock_changes(schedule.timezone, first, days):
        for at in sorted(schedule.at):
            local = datetime.combine(day, time.fromisoformat(at))
            if schedule.is_due_on(day) and _instant(local, zone) is None:
                notes.append(
                    f"{at} does not exist in {schedule.timezone} on {day}: the clock skips it, and so does "
                    "the schedule; the next file holds those referrals"
                )
    return notes


def _runs(schedule: Schedule, after: datetime) -> Iterator[Run]:
    zone = ZoneInfo(schedule.timezone)
    times = _times_of_day(schedule)
    day = after.astimezone(zone).date()
    while True:
        if schedule.is_due_on(day):
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
