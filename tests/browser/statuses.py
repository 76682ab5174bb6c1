"""Statuses to show: clients with a past, as the ledger would give it, without a ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from referral_delivery.agreement.schedule import runs_between
from referral_delivery.ledger.records import Delivery, Position, Receipts
from referral_delivery.watch.roster import Entry
from referral_delivery.window import Window
from referralctl.status.view import ClientView, Facts, status
from tests.support import utc

NOW = utc("2026-11-24 20:40")
SCHEDULES: Sequence[dict[str, Any]] = (
    {"timezone": "Australia/Sydney", "at": ["06:00", "18:30"]},
    {"timezone": "America/New_York", "every": "1h"},
    {"at": ["07:00"], "days": ["mon", "tue", "wed", "thu", "fri"]},
    {"timezone": "Europe/Berlin", "every": "15m"},
)
FINGERPRINT = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"


def entry(client: str = "acme", **changed: Any) -> Entry:
    """A client's entry of the roster; `contract` are fields of its contract."""
    contract = {"client": client, "deliver_from": "2026-10-01", "attributes": ["email", "first_name"]}
    fields: dict[str, Any] = {
        "contract": contract | changed.pop("contract", {}),
        "contact": f"crm@{client}.example",
        "schedule": SCHEDULES[0],
        "keys": [{"label": "crm-2026", "fingerprint": FINGERPRINT}],
    }
    return Entry.model_validate(fields | changed)


def delivery(client: str, window: Window, *, after: timedelta = timedelta(seconds=40), **changed: Any) -> Delivery:
    """A delivery of 120 rows, whose file was there so long after its window ended."""
    fields: dict[str, Any] = {
        "client": client,
        "sequence": 1,
        "occasion": "scheduled",
        "window": window,
        "key": f"downloads/{client}/referrals_{client}_{window.end:%Y%m%dT%H%M%SZ}.csv",
        "rows": 120,
        "size_bytes": 9_000,
        "sha256": "0" * 64,
        "plain_hash": None,
        "late_rows": 0,
        "published_at": window.end + after,
        "contract": "",
        "objects": frozenset(),
    }
    return Delivery(**fields | changed)


def past(of: Entry, *, until: datetime = NOW, days: int = 15) -> list[Delivery]:
    """A delivery for each due time of the last days."""
    start = until - timedelta(days=days)
    ends = [run.utc for run in runs_between(of.schedule, start, until)]
    return [delivery(of.client, Window(*window)) for window in zip([start, *ends], ends, strict=False)]


def position(cursor: datetime | None, **changed: Any) -> Position:
    """Where a client stands that nobody is at work for."""
    fields: dict[str, Any] = {
        "cursor": cursor,
        "sequence": 1,
        "requested_until": cursor,
        "sealed_key": None,
        "lease_owner": None,
        "lease_expires": None,
        "last_rows": cursor,
    }
    return Position(**fields | changed)


def facts(of: Entry | None = None, recent: Sequence[Delivery] | None = None, **changed: Any) -> Facts:
    """A client that has received what was due, and whose schedule has stood for a year."""
    of = of or entry()
    recent = past(of) if recent is None else recent
    fields: dict[str, Any] = {
        "entry": of,
        "position": position(recent[-1].window.end if recent else None),
        "recent": recent,
        "since": utc("2025-11-01 00:00"),
        "first_seen": utc("2025-11-01 00:00"),
    }
    return Facts(**fields | changed)


def collected(made: Delivery) -> Delivery:
    """The delivery, fetched whole an hour later."""
    at = made.published_at + timedelta(hours=1)
    return Delivery(**{**vars(made), "receipts": Receipts(first=at, last=at, complete=1)})


def many(count: int) -> list[ClientView]:
    """So many clients, a few of them in each kind of trouble."""
    return status(map(_one, range(count)), NOW)


def _one(number: int) -> Facts:
    expires = f"2026-{'11-29' if number % 97 == 3 else '12-20'}"
    of = entry(
        f"client-{number:04d}",
        schedule=SCHEDULES[number % 2 if number % 10 else 2],
        keys=[{"label": "crm-2026", "fingerprint": FINGERPRINT, **({"expires": expires} if number % 7 == 3 else {})}],
        collect_within="2d" if number % 41 == 5 else None,
    )
    recent = past(of)
    if number % 3 == 0:
        recent = [collected(each) for each in recent]
    if number % 8 == 1:
        recent[-9] = delivery(of.client, recent[-9].window, after=timedelta(hours=3))
    if number % 5 == 2:
        recent[3::6] = [delivery(of.client, each.window, rows=0, key=None) for each in recent[3::6]]
    if number % 150 == 0:
        recent = recent[:-6]
    leased = {"lease_owner": "run", "lease_expires": NOW.timestamp() + 60} if number % 90 == 7 else {}
    return facts(of, recent, position=position(recent[-1].window.end, **leased))
