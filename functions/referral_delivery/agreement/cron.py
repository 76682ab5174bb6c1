"""A schedule → EventBridge Scheduler's cron expressions, which are evaluated in the schedule's timezone.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from collections.abc import Iterable
from datetime import time

from referral_delivery.agreement.month import LAST
from referral_delivery.agreement.schedule import Day, Schedule

_LONGEST_MONTH = 31


def expressions(schedule: Schedule) -> list[str]:
    """The fewest cron expressions that fire at exactly the schedule's times, in a stable order.

    Times that share a minute share an expression, and so do minutes that fall in the same hours. Two may fire at one
    time where `last` stands beside 28, 29 or 30.
    """
    return [f"cron({times} {days})" for days in _days(schedule) for times in _times(schedule)]


def _times(schedule: Schedule) -> list[str]:
    """Minutes and hours."""
    if schedule.every:
        count, unit = int(schedule.every[:-1]), schedule.every[-1]
        return [f"{_step(count)} *" if unit == "m" else f"0 {_step(count)}"]
    times = {time.fromisoformat(at) for at in schedule.at}
    by_minute = _rectangles({(at.minute, at.hour) for at in times})
    by_hour = [(minutes, hours) for hours, minutes in _rectangles({(at.hour, at.minute) for at in times})]
    fewest = min(by_minute, by_hour, key=len)
    return [f"{_list(minutes)} {_list(hours)}" for minutes, hours in sorted(fewest)]


def _days(schedule: Schedule) -> list[str]:
    """Day-of-month, month, day-of-week and year; one of the two day fields must be `?`.

    AWS documents `L` as the last day of the month, and not as an item of a list.
    """
    if not schedule.days_of_month:
        if set(schedule.days) == set(Day):
            return ["* * ? *"]
        return [f"? * {','.join(day.upper() for day in Day if day in schedule.days)} *"]
    has_last = LAST in schedule.days_of_month
    # A month's 31st is its last day.
    numbers = sorted(day for day in schedule.days_of_month if day != LAST and not (has_last and day == _LONGEST_MONTH))
    return [*([f"{_list(numbers)} * ? *"] if numbers else []), *(["L * ? *"] if has_last else [])]


def _rectangles(cells: set[tuple[int, int]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Disjoint products of rows and columns that make up `cells`: rows with the same columns are one product."""
    columns = {row: tuple(sorted(c for r, c in cells if r == row)) for row, _ in cells}
    rows: dict[tuple[int, ...], list[int]] = {}
    for row in sorted(columns):
        rows.setdefault(columns[row], []).append(row)
    return [(tuple(same), shared) for shared, same in rows.items()]


def _step(count: int) -> str:
    return "*" if count == 1 else f"0/{count}"


def _list(values: Iterable[int]) -> str:
    return ",".join(map(str, values))
