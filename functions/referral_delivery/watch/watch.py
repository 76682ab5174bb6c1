"""One round of the watch: what is found about each client, what is done about it at once, and who is told.

A client's trouble is its own: what fails for one is logged and counted, and the round goes on to the next.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from referral_delivery.delivery.event import ExportEvent
from referral_delivery.errors import DeliveryError
from referral_delivery.ledger.records import Position
from referral_delivery.ledger.watching import Memory, Watching
from referral_delivery.watch.events import Event
from referral_delivery.watch.findings import Finding, FindingType, findings
from referral_delivery.watch.keys import ClientKeys
from referral_delivery.watch.roster import Entry
from referral_delivery.window import to_text

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

# A file's record is found by its window's end, which may be so long before the file.
_PUBLISHED_AFTER = timedelta(days=1)
# A client whose runs fail is started less and less often, down to this.
_START_AGAIN, _START_AT_LEAST = timedelta(minutes=5), timedelta(hours=1)
_AT_ONCE = 16


@dataclass
class Round:
    """What came of a round: all that was found, and how many clients could not be looked after."""

    clients: int = 0
    found: list[Finding] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    removed: list[Finding] = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)

    def count(self, type_: FindingType) -> int:
        """How many of a type were found."""
        return sum(each.type is type_ for each in self.found)

    def clients_with(self, type_: FindingType) -> int:
        """How many clients something of a type was found about."""
        return len({each.client for each in self.found if each.type is type_})


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Looks after all clients; `tell` puts events, and raises where it could not."""

    watching: Watching
    keys: ClientKeys
    start: Callable[[ExportEvent], None]
    tell: Callable[[Sequence[Event]], None]
    retention: timedelta

    def run(self, entries: Iterable[Entry], now: datetime) -> Round:
        """One round over the roster's clients."""
        by_name = {entry.client: entry for entry in entries}
        round_ = Round(clients=len(by_name))
        known = self.watching.look(by_name)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="watch") as pool:
            looked = pool.map(lambda entry: self._look(entry, *known[entry.client], now), by_name.values())
            for entry, outcome in zip(by_name.values(), looked, strict=True):
                if isinstance(outcome, Exception):
                    round_.failed.append((entry.client, outcome))
                else:
                    self._add(round_, outcome)
        return round_

    def _look(self, entry: Entry, position: Position, memory: Memory | None, now: datetime) -> "_Client | Exception":
        try:
            return self._client(entry, position, memory, now)
        except (BotoCoreError, ClientError, DeliveryError) as error:
            return error

    def _client(self, entry: Entry, position: Position, memory: Memory | None, now: datetime) -> "_Client":
        remembered = _recalled(entry, memory, now)
        uncollected = (
            self.watching.uncollected(
                entry.client, since=now - self.retention - _PUBLISHED_AFTER, until=now - entry.collect_within
            )
            if entry.collect_within
            else ()
        )
        found = findings(
            entry, position, uncollected, since=remembered.since, first_seen=remembered.first_seen, now=now
        )
        client = _Client(found)
        remembered = self._act(entry, position, client, remembered, now)
        if new := [each.event for each in found if each.event and each.id not in remembered.told]:
            self.tell(new)
        remembered = replace(remembered, told=frozenset(each.id for each in found))
        if remembered != memory:
            self.watching.remember(entry.client, remembered)
        return client

    def _act(self, entry: Entry, position: Position, client: "_Client", memory: Memory, now: datetime) -> Memory:
        """Start what is stuck, and take expired keys from the server; what was done is remembered."""
        if any(each.type is FindingType.STUCK for each in client.found) and _may_start(position, memory, now):
            due = position.requested_until or position.cursor or now
            self.start(ExportEvent(contract=entry.contract, scheduled_time=to_text(due)))
            client.started = True
            memory = replace(memory, started=now)
        expired = {each.facts["fingerprint"]: each for each in client.found if each.type is FindingType.KEY_EXPIRED}
        if due_for_removal := {str(name) for name in expired} - memory.removed:
            gone = self.keys.remove(entry.client, due_for_removal)
            client.removed = [expired[fingerprint] for fingerprint in sorted(gone)]
        return replace(memory, removed=frozenset(map(str, expired)))

    @staticmethod
    def _add(round_: Round, client: "_Client") -> None:
        round_.found += client.found
        round_.removed += client.removed
        if client.started:
            round_.started += sorted({each.client for each in client.found})


@dataclass
class _Client:
    """What came of one client."""

    found: list[Finding]
    started: bool = False
    removed: list[Finding] = field(default_factory=list)


def _recalled(entry: Entry, memory: Memory | None, now: datetime) -> Memory:
    """What is remembered of a client, or a new memory; a changed schedule owes nothing of before."""
    now, schedule = now.replace(microsecond=0), entry.schedule.model_dump_json()
    if memory is None:
        return Memory(first_seen=now, since=now, schedule=schedule)
    return memory if memory.schedule == schedule else replace(memory, since=now, schedule=schedule)


def _may_start(position: Position, memory: Memory, now: datetime) -> bool:
    pause = min(_START_AGAIN * max(position.attempts, 1), _START_AT_LEAST)
    # A round starts some seconds earlier or later than the one before.
    return memory.started is None or now - memory.started >= pause - timedelta(minutes=1)


def invoke(functions: "LambdaClient", name: str) -> Callable[[ExportEvent], None]:
    """What starts the export function for an event, and does not wait for it."""

    def start(event: ExportEvent) -> None:
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=event.model_dump_json().encode())

    return start


def summary(found: Iterable[Finding]) -> str:
    """The findings by type, for the log's one line."""
    return json.dumps(dict(sorted(Counter(each.type.value for each in found).items())))


def by_client(found: Iterable[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    """The findings of each client, by name."""
    names: dict[str, list[Finding]] = {}
    for each in found:
        names.setdefault(each.client, []).append(each)
    yield from sorted(names.items())
