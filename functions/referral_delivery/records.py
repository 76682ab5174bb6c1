"""What the ledger holds, as dataclasses and as DynamoDB items."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from referral_delivery.contract import Contract
from referral_delivery.event import Kind
from referral_delivery.lake import HASH_BYTES
from referral_delivery.upload import UploadedParts
from referral_delivery.window import Window, from_text, to_text

CURSOR = "cursor"
DELIVERY = "delivery#"
BACKFILL = "backfill#"

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


@dataclass(frozen=True)
class Sealed:
    """A pending delivery's bytes, fixed: completing this very upload is all that may still publish them."""

    parts: UploadedParts
    rows: int
    late_rows: int
    fence: int


@dataclass(frozen=True)
class Pending:
    """A delivery that has begun: it is finished before any other, as it was begun.

    `objects` names the lake objects that it is the first to read; known from when it was first sealed.
    """

    sequence: int
    kind: str
    window: Window
    key: str
    contract: Contract
    sealed: Sealed | None = None
    objects: frozenset[bytes] | None = None


@dataclass(frozen=True)
class Claim:
    """The client's state, as the holder of its lease found it."""

    client: str
    fence: int
    position: datetime | None
    sequence: int
    pending: Pending | None


@dataclass(frozen=True)
class Position:
    """Where a client stands, for those who only look."""

    cursor: datetime | None
    sequence: int
    pending: Pending | None
    lease_owner: str | None
    lease_expires: float | None


@dataclass(frozen=True)
class LeaseHeld:
    """Another run holds the client's lease, until `expires` (epoch seconds)."""

    owner: str
    expires: float


@dataclass(frozen=True)
class Resend:
    """One attempt to make a delivery again; without `key`, its bytes were other ones and were not published."""

    key: str | None
    sha256: str
    at: datetime


@dataclass(frozen=True)
class Delivery:
    """One committed delivery; without `sequence`, `key` and `sha256` it records an empty run."""

    client: str
    sequence: int | None
    kind: str
    window: Window
    key: str | None
    rows: int
    size_bytes: int
    sha256: str | None
    late_rows: int
    published_at: datetime
    contract: Contract
    objects: frozenset[bytes]
    resends: tuple[Resend, ...] = ()


def item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB attribute values."""
    return {name: _serializer.serialize(value) for name, value in values.items()}


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB attribute values as plain ones; numbers are Decimal, bytes are Binary."""
    return {name: _deserializer.deserialize(value) for name, value in attributes.items()}


def packed(objects: frozenset[bytes]) -> bytes:
    """Hashes end to end, sorted."""
    return b"".join(sorted(objects))


def unpacked(value: Binary | bytes | None) -> frozenset[bytes]:
    """What `packed` put together."""
    octets: bytes = value.value if isinstance(value, Binary) else value or b""  # type: ignore[attr-defined]  # stub lacks it
    return frozenset(octets[n : n + HASH_BYTES] for n in range(0, len(octets), HASH_BYTES))


def to_claim(client: str, cursor: Mapping[str, Any]) -> Claim:
    """The cursor's item, as the claim that has just been made on it."""
    position = cursor.get("position")
    pending = cursor.get("pending")
    return Claim(
        client=client,
        fence=int(cursor["fence"]),
        position=from_text(position) if position else None,
        sequence=int(cursor.get("sequence", 0)),
        pending=to_pending(pending) if pending else None,
    )


def to_position(cursor: Mapping[str, Any]) -> Position:
    """The cursor's item, or an empty one, to look at."""
    position, pending = cursor.get("position"), cursor.get("pending")
    return Position(
        cursor=from_text(position) if position else None,
        sequence=int(cursor.get("sequence", 0)),
        pending=to_pending(pending) if pending else None,
        lease_owner=cursor.get("lease_owner"),
        lease_expires=float(cursor["lease_expires"]) if "lease_expires" in cursor else None,
    )


def from_resend(resend: Resend) -> dict[str, Any]:
    """A resend as an entry of its delivery's record."""
    values = {"key": resend.key, "sha256": resend.sha256, "at": to_text(resend.at)}
    return {name: value for name, value in values.items() if value is not None}


def from_pending(pending: Pending) -> dict[str, Any]:
    """A pending delivery as the map inside the cursor's item."""
    values: dict[str, Any] = {
        "sequence": pending.sequence,
        "kind": pending.kind,
        "start": to_text(pending.window.start),
        "end": to_text(pending.window.end),
        "key": pending.key,
        "contract": pending.contract.model_dump_json(),
    }
    if pending.objects is not None:
        values["objects"] = packed(pending.objects)
    if sealed := pending.sealed:
        values["sealed"] = {
            "upload_id": sealed.parts.upload_id,
            "etags": sealed.parts.etags,
            "bytes": sealed.parts.size_bytes,
            "sha256": sealed.parts.sha256,
            "rows": sealed.rows,
            "late_rows": sealed.late_rows,
            "fence": sealed.fence,
        }
    return values


def record_key(kind: str, window: Window) -> str:
    """The sort key of a delivery's record: by the window's end, or a backfill's whole window."""
    if kind == Kind.BACKFILL:
        return f"{BACKFILL}{to_text(window.start)}#{to_text(window.end)}"
    return DELIVERY + to_text(window.end)


def from_delivery(delivery: Delivery) -> dict[str, Any]:
    """A delivery as its item; what an empty run lacks is left out."""
    values = {
        "client": delivery.client,
        "record": record_key(delivery.kind, delivery.window),
        "sequence": delivery.sequence,
        "kind": delivery.kind,
        "start": to_text(delivery.window.start),
        "end": to_text(delivery.window.end),
        "key": delivery.key,
        "rows": delivery.rows,
        "bytes": delivery.size_bytes,
        "sha256": delivery.sha256,
        "late_rows": delivery.late_rows,
        "published_at": to_text(delivery.published_at),
        "contract": delivery.contract.model_dump_json(),
        "objects": packed(delivery.objects),
    }
    return {name: value for name, value in values.items() if value is not None}


def to_delivery(values: Mapping[str, Any]) -> Delivery:
    """The delivery that `from_delivery` wrote."""
    return Delivery(
        client=values["client"],
        sequence=int(values["sequence"]) if "sequence" in values else None,
        kind=values["kind"],
        window=Window(from_text(values["start"]), from_text(values["end"])),
        key=values.get("key"),
        rows=int(values["rows"]),
        size_bytes=int(values["bytes"]),
        sha256=values.get("sha256"),
        late_rows=int(values["late_rows"]),
        published_at=from_text(values["published_at"]),
        contract=Contract.model_validate_json(values["contract"]),
        objects=unpacked(values["objects"]),
        resends=tuple(
            Resend(key=each.get("key"), sha256=each["sha256"], at=from_text(each["at"]))
            for each in values.get("resends", ())
        ),
    )


def to_pending(values: Mapping[str, Any]) -> Pending:
    """The pending delivery that `from_pending` wrote."""
    sealed = values.get("sealed")
    return Pending(
        sequence=int(values["sequence"]),
        kind=values["kind"],
        window=Window(from_text(values["start"]), from_text(values["end"])),
        key=values["key"],
        contract=Contract.model_validate_json(values["contract"]),
        sealed=_to_sealed(sealed) if sealed else None,
        objects=unpacked(values["objects"]) if "objects" in values else None,
    )


def _to_sealed(values: Mapping[str, Any]) -> Sealed:
    return Sealed(
        parts=UploadedParts(
            upload_id=values["upload_id"],
            etags=list(values["etags"]),
            size_bytes=int(values["bytes"]),
            sha256=values["sha256"],
        ),
        rows=int(values["rows"]),
        late_rows=int(values["late_rows"]),
        fence=int(values["fence"]),
    )
