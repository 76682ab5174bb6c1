"""What is found about one client at one moment. Pure: the roster's entry, where its ledger stands, and the clock."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from referral_delivery.agreement.recipient import Recipient
from referral_delivery.ledger.records import Delivery, Position
from referral_delivery.watch.due import overdue_since, waits_since
from referral_delivery.watch.events import (
    Event,
    FileLate,
    FileNotCollected,
    KeyExpired,
    KeyExpiring,
    PgpKeyExpired,
    PgpKeyExpiring,
)
from referral_delivery.watch.roster import Entry, RosterKey
from referral_delivery.window import midnight, to_text

# A client is asked for its next key in time, once more, and on the last day.
DAYS_BEFORE_EXPIRY = (30, 7, 1)


class FindingType(StrEnum):
    """What an operator wants to know before the client calls."""

    OVERDUE = "overdue"
    STUCK = "stuck"
    SILENT = "silent"
    NOT_COLLECTED = "not_collected"
    KEY_EXPIRING = "key_expiring"
    KEY_EXPIRED = "key_expired"
    PGP_KEY_EXPIRING = "pgp_key_expiring"
    PGP_KEY_EXPIRED = "pgp_key_expired"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing about one client, since a moment; `id` stays the same for as long as it lasts.

    `event` is what others are told of it; of what concerns the platform team alone there is none.
    """

    type: FindingType
    client: str
    since: datetime
    id: str
    facts: dict[str, Any] = field(default_factory=dict)
    event: Event | None = None

    @classmethod
    def of(cls, type_: FindingType, event: Event, *, since: datetime) -> Self:
        """What is found, as the event tells it."""
        return cls(type=type_, client=event.client, since=since, id=event.id, facts=event.to_detail(), event=event)


def findings(
    entry: Entry,
    position: Position,
    uncollected: Iterable[Delivery],
    *,
    since: datetime,
    first_seen: datetime,
    now: datetime,
) -> list[Finding]:
    """All that is found now; `since` is when the watch first saw the client's schedule, `first_seen` the client."""
    return [
        *_overdue(entry, position, since=since, now=now),
        *_stuck(entry, position, now=now),
        *_silent(entry, position, first_seen=first_seen),
        *(
            Finding.of(FindingType.NOT_COLLECTED, FileNotCollected.of(each, at=now), since=each.published_at)
            for each in uncollected
        ),
        *(found for key in entry.keys for found in _key(entry, key, now=now)),
        *(found for key in entry.contract.recipients for found in _pgp_key(entry, key, now=now)),
    ]


def is_waiting(position: Position, *, now: datetime) -> bool:
    """Whether something was asked for, or sealed, that nobody is at work on."""
    asked, leased = position.requested_until, (position.lease_expires or 0) > now.timestamp()
    behind = asked is not None and asked <= now and (position.cursor is None or position.cursor < asked)
    return (behind or position.sealed_key is not None) and not leased


def _overdue(entry: Entry, position: Position, *, since: datetime, now: datetime) -> Iterator[Finding]:
    waits = waits_since(position.cursor, since, entry.contract.deliver_from)
    missed = overdue_since(entry.schedule, waits, now, grace=entry.grace)
    if missed is not None:
        yield Finding.of(FindingType.OVERDUE, FileLate.of(entry.client, due=missed, at=now), since=missed)


def _stuck(entry: Entry, position: Position, *, now: datetime) -> Iterator[Finding]:
    if is_waiting(position, now=now):
        since = position.requested_until or position.cursor or now
        yield Finding(
            type=FindingType.STUCK,
            client=entry.client,
            id=f"stuck/{entry.client}/{to_text(since)}",
            since=since,
            facts={"requested_until": to_text(since), "attempts": position.attempts},
        )


def _silent(entry: Entry, position: Position, *, first_seen: datetime) -> Iterator[Finding]:
    """By what deliveries have looked at: what arrives after the cursor is not known yet."""
    if entry.expect_within is None or position.cursor is None:
        return
    last = position.last_rows or max(midnight(entry.contract.deliver_from), first_seen)
    if position.cursor - last > entry.expect_within:
        yield Finding(
            type=FindingType.SILENT,
            client=entry.client,
            id=f"silent/{entry.client}/{to_text(last)}",
            since=last,
            facts={"last_referrals_until": to_text(last), "looked_until": to_text(position.cursor)},
        )


def _key(entry: Entry, key: RosterKey, *, now: datetime) -> Iterator[Finding]:
    if key.expires is None:
        return
    left = (key.expires - now.astimezone(UTC).date()).days
    if left <= 0:
        event: Event = KeyExpired.of(entry.client, key, at=now)
        yield Finding.of(FindingType.KEY_EXPIRED, event, since=midnight(key.expires))
    elif left <= max(DAYS_BEFORE_EXPIRY):
        days = min(each for each in DAYS_BEFORE_EXPIRY if each >= left)
        event = KeyExpiring.of(entry.client, key, at=now, step=days)
        yield Finding.of(FindingType.KEY_EXPIRING, event, since=midnight(key.expires - timedelta(days=days)))


def _pgp_key(entry: Entry, key: Recipient, *, now: datetime) -> Iterator[Finding]:
    if key.expires is None:
        return
    left = key.expires - now
    steps = [days for days in DAYS_BEFORE_EXPIRY if left <= timedelta(days=days)]
    if key.has_expired(now):
        yield Finding.of(FindingType.PGP_KEY_EXPIRED, PgpKeyExpired.of(entry.client, key, at=now), since=key.expires)
    elif steps:
        event = PgpKeyExpiring.of(entry.client, key, at=now, step=min(steps))
        yield Finding.of(FindingType.PGP_KEY_EXPIRING, event, since=key.expires - timedelta(days=min(steps)))
