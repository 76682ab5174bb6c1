"""The status of all clients as plain data: what the table, the page and `--json` show. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from infra.schedules import in_words as schedule_in_words
from referral_delivery.agreement.schedule import next_runs
from referral_delivery.ledger.records import Delivery, Position
from referral_delivery.watch.findings import Finding, FindingType, findings, is_waiting
from referral_delivery.watch.roster import Entry
from referral_delivery.window import midnight, to_text
from referralctl.status.strip import Mark, counted, in_words, strip


class State(StrEnum):
    """How a client stands, in the order in which clients are listed."""

    OVERDUE = "overdue"
    PENDING = "pending"
    RUNNING = "running"
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of one client: `since` is from when its schedule is known, `recent` has 14 days, oldest first."""

    entry: Entry
    position: Position
    recent: Sequence[Delivery]
    since: datetime
    first_seen: datetime


@dataclass(frozen=True, kw_only=True)
class KeyDate:
    """A key, and how many days it has left; none for one without an end."""

    label: str
    fingerprint: str
    expires: date | None
    days_left: int | None


@dataclass(frozen=True, kw_only=True)
class ClientView:
    """One client at one moment; `next_due` is in the client's zone, `notes` say what is amiss beside its state."""

    client: str
    contact: str
    schedule: str
    state: State
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    last: Delivery | None
    cursor: datetime | None
    cursor_age_seconds: int | None
    next_due: datetime
    zone: str
    keys: tuple[KeyDate, ...]
    marks: tuple[Mark, ...]

    @property
    def last_file(self) -> str | None:
        """The name of the last file."""
        return str(self.last.key).rpartition("/")[2] if self.last else None

    @property
    def overdue(self) -> bool:
        """Whether a due time was missed."""
        return self.state is State.OVERDUE

    @property
    def next_key(self) -> KeyDate | None:
        """The key that ends first."""
        return min((key for key in self.keys if key.expires), key=lambda key: str(key.expires), default=None)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        zone = ZoneInfo(self.zone)
        return {
            "client": self.client,
            "state": self.state.value,
            "overdue": self.overdue,
            "notes": list(self.notes),
            "last_file": self.last_file,
            "rows": self.last.rows if self.last else None,
            "published_at": to_text(self.last.published_at) if self.last else None,
            "cursor": to_text(self.cursor) if self.cursor else None,
            "cursor_age_seconds": self.cursor_age_seconds,
            "next_due": f"{self.next_due:%a %Y-%m-%d %H:%M} {zone.key}",
            "next_due_at": to_text(self.next_due),
            "schedule": self.schedule,
            "contact": self.contact,
            "keys": [
                {
                    "label": key.label,
                    "fingerprint": key.fingerprint,
                    "expires": key.expires.isoformat() if key.expires else None,
                    "days_left": key.days_left,
                }
                for key in self.keys
            ],
            "outcomes": {outcome.value: count for outcome, count in counted(self.marks).items()},
            "strip": [
                {
                    "due": to_text(mark.due),
                    "outcome": mark.outcome.value,
                    "times": mark.times,
                    "published_at": to_text(mark.delivery.published_at) if mark.delivery else None,
                }
                for mark in self.marks
            ],
        }

    @property
    def strip_in_words(self) -> str:
        """What the strip shows."""
        return in_words(self.marks)


def status(facts: Iterable[Facts], now: datetime) -> list[ClientView]:
    """Every client at a moment, those with something amiss first, each group by name."""
    order = list(State)
    views = [client_view(each, now) for each in facts]
    return sorted(views, key=lambda view: (order.index(view.state), not view.notes, view.client))


def client_view(facts: Facts, now: datetime) -> ClientView:
    """One client at a moment."""
    entry, position = facts.entry, facts.position
    found = findings(entry, position, _uncollected(facts, now), since=facts.since, first_seen=facts.first_seen, now=now)
    zone = ZoneInfo(entry.schedule.timezone)
    today, first_day = now.astimezone(UTC).date(), midnight(entry.contract.deliver_from)
    first_due = next_runs(entry.schedule, max(now, first_day), 1)[0]
    return ClientView(
        client=entry.client,
        contact=entry.contact,
        schedule=schedule_in_words(entry.schedule),
        state=_state(found, position, now),
        notes=tuple(_notes(entry, found, now)),
        columns=tuple(column.name for column in entry.contract.attributes),
        last=next((each for each in reversed(facts.recent) if each.key), None),
        cursor=position.cursor,
        cursor_age_seconds=int((now - position.cursor).total_seconds()) if position.cursor else None,
        next_due=first_due.utc.astimezone(zone),
        zone=zone.key,
        keys=tuple(
            KeyDate(
                label=key.label,
                fingerprint=key.fingerprint,
                expires=key.expires,
                days_left=(key.expires - today).days if key.expires else None,
            )
            for key in entry.keys
        ),
        marks=tuple(strip(entry.schedule, facts.recent, since=max(facts.since, first_day), now=now, grace=entry.grace)),
    )


def _state(found: Sequence[Finding], position: Position, now: datetime) -> State:
    if any(each.type is FindingType.OVERDUE for each in found):
        return State.OVERDUE
    if position.lease_expires is not None and position.lease_expires > now.timestamp():
        return State.RUNNING
    return State.PENDING if is_waiting(position, now=now) else State.OK


def _uncollected(facts: Facts, now: datetime) -> list[Delivery]:
    within = facts.entry.collect_within
    return [
        each
        for each in facts.recent
        if within and each.key and each.rows and not each.receipts.first and now - each.published_at >= within
    ]


def _notes(entry: Entry, found: Sequence[Finding], now: datetime) -> list[str]:
    notes = []
    for each in found:
        facts = each.facts
        match each.type:
            case FindingType.OVERDUE:
                due = each.since.astimezone(ZoneInfo(entry.schedule.timezone))
                notes.append(f"nothing since it was due on {due:%a %Y-%m-%d %H:%M}")
            case FindingType.SILENT:
                notes.append(f"no referral since {facts['last_referrals_until']}")
            case FindingType.KEY_EXPIRED:
                notes.append(f"key {facts['label']} has expired")
            case FindingType.KEY_EXPIRING:
                days = facts["days_left"]
                notes.append(f"key {facts['label']} ends in {days} {'day' if days == 1 else 'days'}")
            case FindingType.PGP_KEY_EXPIRED:
                notes.append(f"PGP key {facts['fingerprint'][-16:]} has expired: nothing is delivered")
            case FindingType.PGP_KEY_EXPIRING:
                days = facts["days_left"]
                notes.append(f"PGP key {facts['fingerprint'][-16:]} ends in {days} {'day' if days == 1 else 'days'}")
    uncollected = sum(each.type is FindingType.NOT_COLLECTED for each in found)
    if uncollected:
        notes.append(f"{uncollected} {'file' if uncollected == 1 else 'files'} not collected")
    if entry.contract.deliver_from > now.astimezone(UTC).date():
        notes.append(f"starts on {entry.contract.deliver_from}")
    return notes
