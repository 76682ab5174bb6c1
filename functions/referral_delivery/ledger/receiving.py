"""How receipts get into the ledger: one conditional update of a file's record for each fetch of the file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from referral_delivery.ledger import items
from referral_delivery.ledger.dynamodb import Refused, Table
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.window import Window, from_text, to_text

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# Fetches that a record remembers, to know a repeated event: then it starts afresh, so that it does not grow for ever.
REMEMBERED = 100
_AFTER_DELIVERIES = "delivery$"
# As names of files write a moment, unless a client's template says otherwise.
_MOMENT, _COMPACT = re.compile(r"\d{8}T\d{6}Z"), "%Y%m%dT%H%M%SZ"
_RESEND = re.compile(r"_r\d+(?=\.|$)")
_NEW = "attribute_exists(client) AND (attribute_not_exists(fetches) OR NOT contains(fetches, :id))"


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """One fetch of a client's file, whole or broken off; `id` tells it from the other fetches of the file."""

    client: str
    key: str
    id: str
    whole: bool
    size_bytes: int
    etag: str | None
    ended: datetime
    address: str | None


class Received(StrEnum):
    """What became of a fetch."""

    COUNTED = "counted"
    COUNTED_BEFORE = "counted before"
    UNKNOWN_FILE = "no delivery has this file"
    OTHER_BYTES = "the bytes are not the delivery's"


class Receiving:
    """The ledger as receipts use it."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._table = Table(dynamodb, table)

    def receive(self, fetch: Fetch, *, since: datetime) -> Received:
        """Count a fetch in the record of its file, once, whatever the order in which fetches are told.

        A file whose name does not say its window is looked for among deliveries whose windows end at `since` or later.
        """
        found = self._find(fetch, since=since)
        while found:
            if not _is_of(fetch, found):
                return Received.OTHER_BYTES
            if fetch.id in found.get("fetches", ()):
                return Received.COUNTED_BEFORE
            expression, condition, values = _counted(fetch, found)
            changed = self._table.change(
                fetch.client, str(found["record"]), expression, condition=condition, values=values
            )
            if not isinstance(changed, Refused):
                return Received.COUNTED
            found = changed.values
        return Received.UNKNOWN_FILE

    def _find(self, fetch: Fetch, *, since: datetime) -> dict[str, Any]:
        """The record of the file, or nothing: one read where its name says its window, as names do by default."""
        for record in _named(fetch.key):
            found = self._table.get(fetch.client, record)
            if _has(found, fetch.key):
                return found
        candidates = self._table.range(
            fetch.client,
            items.DELIVERY + to_text(since),
            _AFTER_DELIVERIES,
            condition="#key = :key OR #key = :resent_from",
            names=("key",),
            values={":key": fetch.key, ":resent_from": _RESEND.sub("", fetch.key)},
        )
        return next((found for found in candidates if _has(found, fetch.key)), {})


def _named(key: str) -> Iterator[str]:
    """Records that the name of a file may be of, by the moments in it."""
    moments = [to_text(moment) for text in _MOMENT.findall(key.rsplit("/", 1)[1]) if (moment := _moment(text))]
    if len(moments) == 2:  # noqa: PLR2004 - a backfill's name has the start and the end of its window
        yield items.record_key(Occasion.BACKFILL, Window(from_text(moments[0]), from_text(moments[1])))
    for end in dict.fromkeys(reversed(moments)):
        yield items.DELIVERY + end


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _COMPACT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _has(values: Mapping[str, Any], key: str) -> bool:
    return bool(values) and (values.get("key") == key or _resent(values, key))


def _resent(values: Mapping[str, Any], key: str) -> bool:
    """Whether a resend published the delivery's own bytes there."""
    return any(
        resend.get("key") == key and resend["sha256"] == values.get("sha256") for resend in values.get("resends", ())
    )


def _is_of(fetch: Fetch, values: Mapping[str, Any]) -> bool:
    """Whether what was fetched is what was delivered, as far as the record and the event tell.

    The ETag of a resend is not recorded, nor was that of older deliveries.
    """
    size = int(values["bytes"])
    if fetch.size_bytes != size if fetch.whole else fetch.size_bytes > size:
        return False
    etag = values.get("etag")
    return etag is None or fetch.etag is None or etag == fetch.etag or _resent(values, fetch.key)


def _counted(fetch: Fetch, found: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """The update that counts a fetch, its condition, and their values."""
    full = len(found.get("fetches", ())) >= REMEMBERED
    values: dict[str, Any] = {":id": fetch.id, ":ids": {fetch.id}, ":one": 1}
    sets: list[str] = ["fetches = :ids"] if full else []
    adds: list[str] = [] if full else ["fetches :ids"]
    condition = _NEW
    if fetch.whole:
        adds.append("collections :one")
        ended = to_text(fetch.ended)
        first, last = found.get("first_collected_at", ended), found.get("last_collected_at", ended)
        sets += ["first_collected_at = :first", "last_collected_at = :last"]
        values |= {":first": min(first, ended), ":last": max(last, ended)}
        if ended >= last and fetch.address:
            sets.append("collected_from = :address")
            values[":address"] = fetch.address
        # Two at once: the second is refused, and looks at what the first has written.
        if "collections" in found:
            condition += " AND collections = :before"
            values[":before"] = found["collections"]
        else:
            condition += " AND attribute_not_exists(collections)"
    else:
        adds.append("partial_collections :one")
    return (
        " ".join(f"{verb} {', '.join(each)}" for verb, each in (("SET", sets), ("ADD", adds)) if each),
        condition,
        values,
    )
