"""A client's last two weeks: what became of each due time."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from referral_delivery.agreement.schedule import Schedule, runs_between
from referral_delivery.ledger.records import Delivery
from referral_delivery.watch.due import GRACE

SPAN = timedelta(days=14)
# One for each hour; what is due more often is shown by the hour.
MOST_MARKS = 14 * 24


class Outcome(StrEnum):
    """What became of a due time, the worst first."""

    MISSING = "missing"
    LATE = "late"
    DELIVERED = "delivered"
    COLLECTED = "collected"
    EMPTY = "empty"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One due time, or several of one hour, of which it then has the first; `delivery` is what it was met with."""

    due: datetime
    outcome: Outcome
    delivery: Delivery | None = None
    times: int = 1

    @property
    def behind(self) -> timedelta | None:
        """How long after the due time its file was there."""
        return self.delivery.published_at - self.due if self.delivery else None


def strip(
    schedule: Schedule, deliveries: Sequence[Delivery], *, since: datetime, now: datetime, grace: timedelta = GRACE
) -> list[Mark]:
    """What became of the due times of the last two weeks; one that is within the grace, and open, is left out.

    `deliveries` are in the order of their windows. Before `since` nobody knows what was due: there, each delivery is
    a mark of its own, and none is late.
    """
    start = now - SPAN
    known_from = max(start, since)
    earlier = [
        Mark(due=each.window.end, outcome=_outcome(each), delivery=each)
        for each in deliveries
        if start < each.window.end <= known_from
    ]
    ends = [each.window.end for each in deliveries]
    marks = []
    for run in runs_between(schedule, known_from, now):
        place = bisect_left(ends, run.utc)
        made = deliveries[place] if place < len(ends) else None
        if made:
            late = made.published_at - run.utc > grace
            marks.append(Mark(due=run.utc, outcome=Outcome.LATE if late else _outcome(made), delivery=made))
        elif now - run.utc > grace:
            marks.append(Mark(due=run.utc, outcome=Outcome.MISSING))
    return joined([*earlier, *marks])


def joined(marks: list[Mark]) -> list[Mark]:
    """The marks, or, where they are too many, those of an hour as one that has the worst outcome of them."""
    if len(marks) <= MOST_MARKS:
        return marks
    hours: dict[datetime, list[Mark]] = {}
    for mark in marks:
        hours.setdefault(mark.due.replace(minute=0, second=0, microsecond=0), []).append(mark)
    worst_first = list(Outcome)
    worst = [min(each, key=lambda mark: worst_first.index(mark.outcome)) for each in hours.values()]
    return [
        Mark(due=each[0].due, outcome=mark.outcome, delivery=mark.delivery, times=sum(one.times for one in each))
        for each, mark in zip(hours.values(), worst, strict=True)
    ]


def counted(marks: Iterable[Mark]) -> dict[Outcome, int]:
    """How many marks have each outcome, the worst first; none that no mark has."""
    tally = Counter(mark.outcome for mark in marks)
    return {outcome: tally[outcome] for outcome in Outcome if tally[outcome]}


def in_words(marks: Sequence[Mark]) -> str:
    """The strip as a sentence, for those who do not see it."""
    if not marks:
        return "nothing was due"
    return ", ".join(f"{count} {outcome}" for outcome, count in counted(marks).items())


def _outcome(delivery: Delivery) -> Outcome:
    if not delivery.rows:
        return Outcome.EMPTY
    return Outcome.COLLECTED if delivery.receipts.first else Outcome.DELIVERED
