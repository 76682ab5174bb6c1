"""Days of the month that a schedule names: 1 to 31, and `last`."""

from calendar import monthrange
from collections.abc import Collection, Iterator
from datetime import date
from typing import Literal

LAST: Literal["last"] = "last"
DayOfMonth = int | Literal["last"]
_DAYS_IN_FOUR_YEARS = 4 * 365 + 1
# By a month's length, how many of it four years have; of which one is a leap year.
_MONTHS_IN_FOUR_YEARS = {31: 28, 30: 16, 29: 1, 28: 3}
_MONTHS_WITHOUT = {
    29: "February outside leap years",
    30: "February",
    31: "February, April, June, September and November",
}


def is_named(day: date, days: Collection[DayOfMonth]) -> bool:
    """Whether a date is one of the days."""
    _, length = monthrange(day.year, day.month)
    return day.day in _in_month(length, days)


def named_a_day(days: Collection[DayOfMonth]) -> float:
    """How many of an average day's dates are named: 12 / 365.25 for a day that each month has."""
    named = sum(months * len(_in_month(length, days)) for length, months in _MONTHS_IN_FOUR_YEARS.items())
    return named / _DAYS_IN_FOUR_YEARS


def missing_day_notes(days: Collection[DayOfMonth]) -> Iterator[str]:
    """A sentence for each of the days that some months do not have; none where `last` is due there in any case."""
    for day, months in _MONTHS_WITHOUT.items():
        if day in days and LAST not in days:
            yield (
                f"{day} does not exist in {months}: nothing is due for it there; the next file holds those "
                f"referrals. For the last day of each month write `{LAST}`"
            )


def _in_month(length: int, days: Collection[DayOfMonth]) -> set[int]:
    """The days that a month of that length has, as numbers: `last` and its number are one day."""
    return {length if day == LAST else day for day in days if day == LAST or day <= length}
