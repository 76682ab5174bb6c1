"""When a file counts as late: one rule, for the watch and for those who look."""

from datetime import date, datetime, timedelta

from referral_delivery.agreement.schedule import Schedule, next_runs
from referral_delivery.window import midnight

# A run may take Lambda's 15 minutes, and its retries a few more.
GRACE = timedelta(minutes=30)


def waits_since(cursor: datetime | None, since: datetime, deliver_from: date) -> datetime:
    """From when on a due time without a delivery was missed; `since` is when the schedule was first seen."""
    return max(cursor or since, since, midnight(deliver_from))


def overdue_since(schedule: Schedule, waits: datetime, now: datetime, *, grace: timedelta = GRACE) -> datetime | None:
    """The first due time after `waits` that is older than the grace; None where there is none."""
    first = next_runs(schedule, waits, 1)[0].utc
    return first if first + grace < now else None
