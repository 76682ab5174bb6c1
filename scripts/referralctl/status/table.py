"""The status in a terminal."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from referralctl.status.strip import SPAN, Mark, Outcome
from referralctl.status.view import ClientView, State

_STATES = {State.OVERDUE: "bold red", State.PENDING: "yellow", State.RUNNING: "cyan", State.OK: "green"}
# Told apart without colours too.
_OUTCOMES = {
    Outcome.MISSING: ("x", "bold red"),
    Outcome.LATE: ("!", "yellow"),
    Outcome.DELIVERED: ("+", "green"),
    Outcome.COLLECTED: ("#", "bold green"),
    Outcome.EMPTY: ("-", "dim"),
}
_NOTHING_DUE = "."
LEGEND = "14 days: # collected, + delivered, - empty, ! late, x missing, . nothing due; of a day, the worst"


def table(views: Sequence[ClientView], now: datetime) -> Table:
    """One line for each client."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("client", "state", "last file", "rows", "cursor age", "next due", "14 days", "notes"):
        made.add_column(column, justify="right" if column == "rows" else "left", overflow="fold")
    for view in views:
        made.add_row(
            Text(view.client),
            Text(view.state, style=_STATES[view.state]),
            Text(view.last_file or ""),
            f"{view.last.rows:,}" if view.last else "",
            "" if view.cursor_age_seconds is None else str(timedelta(seconds=view.cursor_age_seconds)),
            Text(f"{view.next_due:%a %Y-%m-%d %H:%M} {view.zone}"),
            days(view.marks, now),
            Text("; ".join(view.notes), style=_STATES[State.OVERDUE] if view.overdue else "yellow"),
        )
    return made


def summary(views: Sequence[ClientView], now: datetime) -> str:
    """The status in one line."""
    states = [view.state for view in views]
    parts = [f"{states.count(state):,} {state}" for state in State if state in states]
    return f"{now:%Y-%m-%d %H:%M:%S}Z  {', '.join(parts) or 'no clients'}"


def days(marks: Sequence[Mark], now: datetime) -> Text:
    """One sign for each of the last 14 times 24 hours: the worst outcome in it."""
    worst_first = list(Outcome)
    by_day: dict[int, list[Outcome]] = defaultdict(list)
    for mark in marks:
        by_day[(now - mark.due).days].append(mark.outcome)
    text = Text(no_wrap=True)
    for day in reversed(range(SPAN.days)):
        if outcomes := by_day.get(day):
            text.append(*_OUTCOMES[min(outcomes, key=worst_first.index)])
        else:
            text.append(_NOTHING_DUE, "dim")
    return text
