"""What the watch reads of the ledger, and what it writes there of its own: one item for each client."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from referral_delivery.ledger import items
from referral_delivery.ledger.dynamodb import Table
from referral_delivery.ledger.records import Delivery, Position
from referral_delivery.window import from_text, to_text

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

WATCH = "watch"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the watch has to know of a client from one run to the next.

    `first_seen` is when it saw the client first, `since` when this `schedule` (its hash); `started` is when it last
    started the function for it. `told` are the ids of what it has told and what still lasts, `removed` the fingerprints
    of expired keys that it has taken from the server.
    """

    first_seen: datetime
    since: datetime
    schedule: str
    started: datetime | None = None
    told: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


# Of a delivery's record, all but its objects, its hashes and its contract, which are most of it.
_OUTLINE = [
    *("version", "client", "record", "sequence", "occasion", "kind", "start", "end", "key", "rows", "bytes"),
    *("late_rows", "published_at", "etag", "resends", "first_collected_at", "last_collected_at", "collected_from"),
    *("collections", "partial_collections"),
]


class Watching:
    """The ledger as the watch uses it, and whoever looks at all clients."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._table = Table(dynamodb, table)

    def look(self, clients: Iterable[str], *, consistent: bool = False) -> dict[str, tuple[Position, Memory | None]]:
        """Where each of the clients stands, and what is remembered of it; two hundred items in two requests."""
        names = list(clients)
        keys = [(client, record) for client in names for record in (items.CURSOR, WATCH)]
        found = self._table.get_all(keys, consistent=consistent)
        return {
            client: (
                items.to_position(found.get((client, items.CURSOR), {})),
                _to_memory(found.get((client, WATCH))),
            )
            for client in names
        }

    def remember(self, client: str, memory: Memory) -> None:
        """Put it in the place of what was remembered."""
        self._table.put({"client": client, "record": WATCH, **_from_memory(memory)})

    def uncollected(self, client: str, *, since: datetime, until: datetime) -> list[Delivery]:
        """Files with referrals that were published by `until` and never fetched whole, of windows from `since` on."""
        found = self._table.range(
            client,
            items.DELIVERY + to_text(since),
            # A window ends before its file is published.
            items.DELIVERY + to_text(until),
            condition="attribute_exists(#key) AND attribute_not_exists(first_collected_at) AND #rows > :none "
            "AND published_at <= :until",
            names=("key", "rows"),
            values={":none": 0, ":until": to_text(until)},
        )
        return [items.to_delivery(values) for values in found]

    def recent(self, client: str, *, since: datetime) -> list[Delivery]:
        """Committed deliveries whose windows end at `since` or later, oldest first, without objects and contract."""
        found = self._table.range(client, items.DELIVERY + to_text(since), items.AFTER_DELIVERIES, attributes=_OUTLINE)
        return [items.to_delivery(values) for values in found]


def _from_memory(memory: Memory) -> dict[str, Any]:
    values = {
        "version": items.VERSION,
        "first_seen": to_text(memory.first_seen),
        "since": to_text(memory.since),
        "schedule": memory.schedule,
        "started": to_text(memory.started) if memory.started else None,
        "told": sorted(memory.told),
        "removed": sorted(memory.removed),
    }
    return {name: value for name, value in values.items() if value is not None}


def _to_memory(values: Mapping[str, Any] | None) -> Memory | None:
    if values is None:
        return None
    return Memory(
        first_seen=from_text(values["first_seen"]),
        since=from_text(values["since"]),
        schedule=values["schedule"],
        started=from_text(values["started"]) if "started" in values else None,
        told=frozenset(values.get("told", ())),
        removed=frozenset(values.get("removed", ())),
    )
