"""The ledger's records as DynamoDB items: plain data with a version, read leniently.

What a reader does not know it leaves out, and what an older writer left out has a default. Nothing is held against
today's catalogue or today's rules: what was delivered stays readable after an attribute has gone, and after a rollback.

    version 1   the contract stands in each record, and what is pending may not be sealed; `kind` is its occasion
    version 2   records name the contract's hash; only what is sealed is written down
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

from referral_delivery.agreement.contract import Contract
from referral_delivery.file.upload import UploadedParts
from referral_delivery.lake.objects import HASH_BYTES
from referral_delivery.ledger.fields import MOMENT, Fields
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Claim, Delivery, LeaseHeld, Position, Receipts, Resend, Sealed
from referral_delivery.window import Window, from_text, to_text

VERSION = 2

CURSOR = "cursor"
DELIVERY = "delivery#"
BACKFILL = "backfill#"
CONTRACT = "contract#"
# The character after '#', for the end of a range of keys.
AFTER_DELIVERIES, AFTER_BACKFILLS = "delivery$", "backfill$"

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as DynamoDB attribute values."""
    return {name: _serializer.serialize(value) for name, value in values.items()}


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB attribute values as plain ones; numbers are Decimal, bytes are Binary."""
    return {name: _deserializer.deserialize(value) for name, value in attributes.items()}


def packed(objects: frozenset[bytes]) -> bytes:
    """Hashes end to end, sorted."""
    return b"".join(sorted(objects))


def unpacked(value: Binary | None) -> frozenset[bytes]:
    """What `packed` put together, as DynamoDB gives it back."""
    octets: bytes = value.value if value else b""  # type: ignore[attr-defined]  # stub lacks it
    return frozenset(octets[n : n + HASH_BYTES] for n in range(0, len(octets), HASH_BYTES))


def record_key(occasion: str, window: Window) -> str:
    """The sort key of a delivery's record: by the window's end, or a backfill's whole window."""
    if occasion == Occasion.BACKFILL:
        return f"{BACKFILL}{to_text(window.start)}#{to_text(window.end)}"
    return DELIVERY + to_text(window.end)


def to_claim(client: str, cursor: Mapping[str, Any]) -> Claim:
    """The cursor's item, as the claim that has just been made on it."""
    fields = Fields.of(cursor)
    return Claim(
        client=client,
        fence=fields.number("fence"),
        attempt=max(1, fields.number("attempts") - fields.number("in_vain", 0)),
        position=fields.moment("position"),
        sequence=fields.number("sequence", 0),
        sealed=_pending(fields),
        requested_until=fields.moment("requested_until"),
        contract=fields.text("contract") if "contract" in fields else None,
    )


def to_position(cursor: Mapping[str, Any]) -> Position:
    """The cursor's item, or an empty one, to look at."""
    fields = Fields.of(cursor)
    sealed = _pending(fields)
    return Position(
        cursor=fields.moment("position"),
        sequence=fields.number("sequence", 0),
        requested_until=fields.moment("requested_until"),
        sealed_key=sealed.key if sealed else None,
        lease_owner=fields.text("lease_owner") if "lease_owner" in fields else None,
        lease_expires=float(fields.number("lease_expires")) if "lease_expires" in fields else None,
        attempts=fields.number("attempts", 0),
        in_vain=fields.number("in_vain", 0),
        last_rows=fields.moment("last_rows"),
    )


def to_lease(cursor: Mapping[str, Any]) -> LeaseHeld:
    """Who holds the lease, by the cursor's item."""
    fields = Fields.of(cursor)
    return LeaseHeld(fields.text("lease_owner"), fields.number("fence"), fields.number("lease_expires"))


def asked(cursor: Mapping[str, Any]) -> datetime | None:
    """Until when deliveries were asked for, by the cursor's item."""
    return Fields.of(cursor).moment("requested_until")


def _pending(cursor: Fields) -> Sealed | None:
    return _sealed(cursor.map("pending")) if "pending" in cursor else None


def contract_of(values: Mapping[str, Any]) -> Contract | None:
    """The contract that stands in a record of version 1; None in later ones, which name its hash."""
    text = values.get("contract", "")
    return Contract.recalled(json.loads(text)) if text.startswith("{") else None


def from_sealed(sealed: Sealed) -> dict[str, Any]:
    """A sealed delivery as the map inside the cursor's item, or as a backfill's item."""
    return {
        "version": VERSION,
        "sequence": sealed.sequence,
        "occasion": sealed.occasion,
        "start": to_text(sealed.window.start),
        "end": to_text(sealed.window.end),
        "key": sealed.key,
        "contract": sealed.contract,
        "objects": packed(sealed.objects),
        "sealed": {
            "upload_id": sealed.parts.upload_id,
            # One text, because each entry of a list costs DynamoDB three bytes more.
            "etags": " ".join(sealed.parts.etags),
            "bytes": sealed.parts.size_bytes,
            "sha256": sealed.parts.sha256,
            "plain_hash": sealed.parts.plain_hash,
            "rows": sealed.rows,
            "late_rows": sealed.late_rows,
            "fence": sealed.fence,
            "run": sealed.run,
        },
    }


def to_sealed(values: Mapping[str, Any]) -> Sealed | None:
    """What `from_sealed` wrote; None for nothing, and for what version 1 had begun but not sealed."""
    return _sealed(Fields.of(values))


def _sealed(fields: Fields) -> Sealed | None:
    if "sealed" not in fields:
        return None
    sealed, start, end = fields.map("sealed"), fields.moment("start"), fields.moment("end")
    if start is None or end is None:
        raise fields.wrong("end" if start else "start", MOMENT)
    contract = fields.text("contract")
    in_record = contract_of(fields.values)
    etags = sealed.values.get("etags")
    if not isinstance(etags, str | list):
        raise sealed.wrong("etags", "a text")
    return Sealed(
        sequence=fields.number("sequence"),
        occasion=fields.text("kind" if "kind" in fields else "occasion"),
        window=Window(start, end),
        key=fields.text("key"),
        contract=in_record.hash if in_record else contract,
        objects=unpacked(fields.octets("objects")),
        parts=UploadedParts(
            upload_id=sealed.text("upload_id"),
            etags=etags.split() if isinstance(etags, str) else etags,
            size_bytes=sealed.number("bytes"),
            sha256=sealed.text("sha256"),
            plain_hash=sealed.values.get("plain_hash"),
        ),
        rows=sealed.number("rows"),
        late_rows=sealed.number("late_rows"),
        fence=sealed.number("fence"),
        run=sealed.values.get("run"),
    )


def from_delivery(delivery: Delivery) -> dict[str, Any]:
    """A delivery as its item; what an empty run lacks is left out."""
    values = {
        "version": VERSION,
        "client": delivery.client,
        "record": record_key(delivery.occasion, delivery.window),
        "sequence": delivery.sequence,
        "occasion": delivery.occasion,
        "start": to_text(delivery.window.start),
        "end": to_text(delivery.window.end),
        "key": delivery.key,
        "rows": delivery.rows,
        "bytes": delivery.size_bytes,
        "sha256": delivery.sha256,
        "plain_hash": delivery.plain_hash,
        "etag": delivery.etag,
        "late_rows": delivery.late_rows,
        "published_at": to_text(delivery.published_at),
        "contract": delivery.contract,
        "objects": packed(delivery.objects),
    }
    return {name: value for name, value in values.items() if value is not None}


def to_delivery(values: Mapping[str, Any]) -> Delivery:
    """The delivery that `from_delivery` wrote, in this or another version."""
    in_record = contract_of(values)
    return Delivery(
        client=values["client"],
        sequence=int(values["sequence"]) if "sequence" in values else None,
        occasion=_occasion(values),
        window=Window(from_text(values["start"]), from_text(values["end"])),
        key=values.get("key"),
        rows=int(values.get("rows", 0)),
        size_bytes=int(values.get("bytes", 0)),
        sha256=values.get("sha256"),
        plain_hash=values.get("plain_hash"),
        late_rows=int(values.get("late_rows", 0)),
        published_at=from_text(values["published_at"]),
        contract=in_record.hash if in_record else values.get("contract", ""),
        objects=unpacked(values.get("objects")),
        resends=tuple(map(_to_resend, values.get("resends", ()))),
        etag=values.get("etag"),
        receipts=Receipts(
            first=_moment(values.get("first_collected_at")),
            last=_moment(values.get("last_collected_at")),
            last_address=values.get("collected_from"),
            complete=int(values.get("collections", 0)),
            partial=int(values.get("partial_collections", 0)),
        ),
    )


def _moment(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def _occasion(values: Mapping[str, Any]) -> str:
    text: str = values["occasion"] if "occasion" in values else values["kind"]
    return text


def from_resend(resend: Resend) -> dict[str, Any]:
    """A resend as an entry of its delivery's record."""
    values = {"key": resend.key, "sha256": resend.sha256, "at": to_text(resend.at), "request": resend.request}
    return {name: value for name, value in values.items() if value is not None}


def _to_resend(values: Mapping[str, Any]) -> Resend:
    return Resend(values.get("key"), values["sha256"], from_text(values["at"]), values.get("request"))
