"""What the status is made of, read in few requests: the roster, the cursors by the hundred, recent deliveries."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from referral_delivery.ledger.records import Delivery, Position
from referral_delivery.ledger.watching import Memory
from referral_delivery.watch.roster import Entry
from referralctl.stacks import AT_ONCE, Stack
from referralctl.status.strip import SPAN
from referralctl.status.view import ClientView, Facts, status

# A receipt changes a delivery's record, and leaves the cursor where it is.
READ_AGAIN = timedelta(minutes=5)


class Reader:
    """Reads the status of a stack; again, it asks only for the deliveries of clients whose cursor has moved."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._recent: dict[str, tuple[Position, list[Delivery]]] = {}
        self._read_at: datetime | None = None

    def read(self, now: datetime) -> list[ClientView]:
        """Every client of the roster at a moment, those with something amiss first."""
        roster, written = self._stack.roster()
        known = self._stack.watching.look((entry.client for entry in roster.clients), consistent=True)
        if self._read_at is None or now - self._read_at >= READ_AGAIN:
            self._recent, self._read_at = {}, now
        moved = [
            client
            for client, (position, _memory) in known.items()
            if client not in self._recent or self._recent[client][0].cursor != position.cursor
        ]
        recent = recent_deliveries(self._stack, moved, since=now - SPAN)
        self._recent |= {client: (known[client][0], made) for client, made in recent.items()}
        return status(
            (
                facts(entry, *known[entry.client], recent=self._recent[entry.client][1], written=written)
                for entry in roster.clients
            ),
            now,
        )


def facts(
    entry: Entry, position: Position, memory: Memory | None, *, recent: list[Delivery], written: datetime
) -> Facts:
    """What is known of a client; where the watch has not seen its schedule yet, that is `written` with the roster."""
    seen = memory is not None and memory.schedule == entry.schedule.model_dump_json()
    return Facts(
        entry=entry,
        position=position,
        recent=recent,
        since=memory.since if memory and seen else written,
        first_seen=memory.first_seen if memory else written,
    )


def recent_deliveries(stack: Stack, clients: Collection[str], *, since: datetime) -> dict[str, list[Delivery]]:
    """The deliveries of each client whose windows end at `since` or later, oldest first; one request a client."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="status") as pool:
        found = pool.map(lambda client: stack.watching.recent(client, since=since), clients)
        return dict(zip(clients, found, strict=True))
