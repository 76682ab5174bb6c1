"""Windows of arrival time, and the hours of the lake that they touch. All times are UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Window:
    """Half-open interval `[start, end)` of arrival time; both ends aware, UTC, whole seconds."""

    start: datetime
    end: datetime

    def touches(self, hour: datetime) -> bool:
        """Whether some moment of the hour that starts at `hour` lies in the window."""
        return hour < self.end and hour + HOUR > self.start


def floor_to_hour(moment: datetime) -> datetime:
    """The start of the hour that holds a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def midnight(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time(), UTC)


def days_between(first: datetime, end: datetime) -> list[datetime]:
    """Midnights of the UTC days that `[first, end)` touches, ascending."""
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    days = []
    while day < end:
        days.append(day)
        day += timedelta(days=1)
    return days


def to_text(moment: datetime) -> str:
    """A moment as `2026-11-01T05:00:00Z`, which sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime:
    """The aware UTC moment that `to_text` wrote."""
    return datetime.fromisoformat(text)
