"""What the ledger holds, as dataclasses; items.py says how DynamoDB keeps it.

A contract is named by its hash: its text stands once, in an item of its own (`Ledger.contract`).
"""

from dataclasses import dataclass
from datetime import datetime

from referral_delivery.file.upload import UploadedParts
from referral_delivery.window import Window


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A delivery whose bytes are fixed: completing its upload is all that may still publish them.

    `objects` are those that it is the first to read; `fence` is the fencing number under which its bytes were uploaded,
    `run` the run that uploaded them: after a ledger was lost or restored, numbers come twice. Older records have none.
    """

    sequence: int
    occasion: str
    window: Window
    key: str
    contract: str
    objects: frozenset[bytes]
    parts: UploadedParts
    rows: int
    late_rows: int
    fence: int
    run: str | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The client's state, as the holder of its lease knows it.

    `attempt` counts the runs since one came to an end, without those that failed for the lake's data or the contract.
    """

    client: str
    fence: int
    attempt: int
    position: datetime | None
    sequence: int
    sealed: Sealed | None
    requested_until: datetime | None
    contract: str | None


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a client stands, for those who only look.

    `sealed_key` is that of a file that waits to be published; `attempts` counts the runs since one came to an end,
    `in_vain` those of them that failed for the lake's data or the contract; `last_rows` is the end of the last window
    that had referrals.
    """

    cursor: datetime | None
    sequence: int
    requested_until: datetime | None
    sealed_key: str | None
    lease_owner: str | None
    lease_expires: float | None
    attempts: int = 0
    in_vain: int = 0
    last_rows: datetime | None = None


@dataclass(frozen=True)
class LeaseHeld:
    """Another run holds the client's lease, until `expires` (epoch seconds) by its own clock, unless it renews it."""

    owner: str
    fence: int
    expires: int


@dataclass(frozen=True)
class Resend:
    """One attempt to make a delivery again; without `key`, its bytes were other ones and were not published.

    `request` tells a repeated call from a new one.
    """

    key: str | None
    sha256: str
    at: datetime
    request: str | None = None


@dataclass(frozen=True, kw_only=True)
class Receipts:
    """When, and from which address, a client has fetched a file whole; `partial` counts the fetches that broke off."""

    first: datetime | None = None
    last: datetime | None = None
    last_address: str | None = None
    complete: int = 0
    partial: int = 0


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One committed delivery; without `sequence`, `key` and `sha256` it records an empty run.

    `plain_hash` is of the file's bytes before they were compressed, `etag` is S3's of the file.
    """

    client: str
    sequence: int | None
    occasion: str
    window: Window
    key: str | None
    rows: int
    size_bytes: int
    sha256: str | None
    plain_hash: str | None
    late_rows: int
    published_at: datetime
    contract: str
    objects: frozenset[bytes]
    resends: tuple[Resend, ...] = ()
    etag: str | None = None
    receipts: Receipts = Receipts()
