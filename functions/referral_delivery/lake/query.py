"""The rows of one delivery: which objects are read together, in which order, and their SELECTs.

Order: seen objects before new ones; of each, groups of the same columns by their first object's key; within a group by
key, within an object as it was written. So the same selection gives the same bytes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import groupby
from typing import Any

import duckdb

from referral_delivery.agreement.contract import Contract
from referral_delivery.errors import UnreadableObject
from referral_delivery.lake.columns import ARRIVAL, Footer, Layout, footers
from referral_delivery.lake.connection import forget_what_is_read, identifier, requests_in_flight
from referral_delivery.lake.objects import Lake, LakeObject, Selection
from referral_delivery.lake.refusals import OBJECT, OBJECT_COLUMN, fetch, refusal
from referral_delivery.lake.values import value_of

# Objects of up to this size on average are bound by S3's answers and not by the CPU: they are fetched ahead.
SMALL_OBJECT_BYTES = 1024 * 1024
# Small objects are fetched so many bytes at a time; DuckDB has 600 MB at least.
_AHEAD_BYTES = 64 * 1024 * 1024
# So much of an object's end comes with its footer, in the same request.
_TAIL_BYTES = 16 * 1024

_READ = f"read_parquet($urls, filename = {OBJECT_COLUMN!r}, hive_partitioning = false)"


@dataclass(frozen=True)
class Batch:
    """A SELECT over objects of one group; `ahead` fetches first what it reads, with many requests at once."""

    sql: str
    parameters: Mapping[str, Any]
    ahead: "Batch | None" = None

    def fetch(self, con: duckdb.DuckDBPyConnection) -> list[Any]:
        """Its rows, where they are few; many requests are under way."""
        with requests_in_flight(con, len(self.parameters["urls"])):
            return fetch(con, self.sql, dict(self.parameters))


@dataclass(frozen=True)
class Query:
    """The rows of a file: its header, and the batches that hold them, in order."""

    header: Sequence[str]
    batches: Sequence[Batch] = ()
    late: Sequence[Batch] = ()


@dataclass(frozen=True)
class _Group:
    """Objects that store the wanted columns alike, by key."""

    layout: Layout
    urls: Sequence[str]

    @property
    def arrival(self) -> str:
        """Its received_at, in SQL."""
        stored = self.layout[ARRIVAL]
        assert stored is not None  # noqa: S101 - `footers` refuses objects without it
        return identifier(stored.name)

    def batch(self, columns: str, condition: str, bounds: Mapping[str, Any], *, ahead: Batch | None = None) -> Batch:
        """The columns of the rows that meet the condition; of the bounds, those that it names are parameters."""
        used = {name: value for name, value in bounds.items() if f"${name}" in condition}
        return Batch(f"SELECT {columns} FROM {_READ} WHERE {condition}", {**used, "urls": self.urls}, ahead)


def rows(con: duckdb.DuckDBPyConnection, contract: Contract, selection: Selection, lake: Lake) -> Query:
    """The rows of a delivery, each taken by exactly one delivery of the client (docs/architecture.md).

    Reads the footers of all of its objects first, and refuses what cannot be delivered.
    """
    sizes = {lake.url(found): found.size_bytes for found in (*selection.seen, *selection.new)}
    known = footers(con, sizes, contract.attributes)
    small = sum(sizes.values()) <= SMALL_OBJECT_BYTES * len(sizes)
    if not small:
        forget_what_is_read(con)
    bounds, batches = _bounds(contract, selection), []
    for objects, condition in ((selection.seen, _of_seen), (selection.new, _of_new)):
        for group in _groups(objects, known, lake):
            columns = _selected(contract, group.layout)
            for part in _parts(group, known) if small else [group]:
                ahead = _ahead(part, known) if small else None
                batches.append(part.batch(columns, condition(part.arrival), bounds, ahead=ahead))
    late = [group.batch("count(*)", _of_late(group.arrival), bounds) for group in _groups(selection.late, known, lake)]
    return Query([column.name for column in contract.attributes], batches, late)


def count_late(con: duckdb.DuckDBPyConnection, query: Query) -> int:
    """How many rows of a delivery are from before its window."""
    return sum(int(rows) for late in query.late for (rows,) in late.fetch(con))


def _groups(objects: Iterable[LakeObject], known: Mapping[str, Footer], lake: Lake) -> list[_Group]:
    found: dict[Layout, list[str]] = {}
    for lake_object in objects:
        url = lake.url(lake_object)
        found.setdefault(known[url].layout, []).append(url)
    return [_Group(layout, urls) for layout, urls in found.items()]


def _parts(group: _Group, known: Mapping[str, Footer]) -> Iterator[_Group]:
    """The group, cut where it is more than is fetched ahead at a time."""
    before, starts = 0, []
    for url in group.urls:
        starts.append((before // _AHEAD_BYTES, url))
        before += known[url].size_bytes
    for _, part in groupby(starts, key=lambda start: start[0]):
        yield _Group(group.layout, [url for _, url in part])


def _ahead(part: _Group, known: Mapping[str, Footer]) -> Batch | None:
    """What fetches those small objects of a part that did not come with their footers."""
    urls = [url for url in part.urls if _TAIL_BYTES < known[url].size_bytes <= SMALL_OBJECT_BYTES]
    if not urls:
        return None
    read = ", ".join(f"max(hash({identifier(stored.name)}))" for _, stored in part.layout.columns)
    return Batch(f"SELECT {read} FROM {_READ}", {"urls": urls})


def _selected(contract: Contract, layout: Layout) -> str:
    values = [value_of(column, layout[column.source]) for column in contract.attributes]
    if len(values) == 1:
        # A line that is blank is no row to most readers: `""` is one.
        values = [f"coalesce({values[0]}, '')"]
    return ", ".join(values)


def _bounds(contract: Contract, selection: Selection) -> dict[str, Any]:
    moments = {
        "start": selection.window.start,
        "end": selection.window.end,
        "deliver_from": datetime.combine(contract.deliver_from, time(), UTC),
    }
    return {name: moment.astimezone(UTC).replace(tzinfo=None) for name, moment in moments.items()}


def _of_seen(arrival: str) -> str:
    return f"{arrival} >= $start AND {arrival} < $end AND {arrival} >= $deliver_from"


def _of_late(arrival: str) -> str:
    return f"{arrival} < $start AND {arrival} >= $deliver_from"


def _of_new(arrival: str) -> str:
    """Up to the window's end; a row of another hour than its object's key says is refused.

    Which rows a delivery takes rests on the hour in the key, so such a row could be lost.
    """
    hour = (
        f"(regexp_extract({OBJECT}, '/dt=([^/]*)/', 1) || ' ' || "
        f"regexp_extract({OBJECT}, '/hr=([^/]*)/', 1) || ':00:00')::TIMESTAMP"
    )
    refused = refusal(
        UnreadableObject,
        f" holds a {ARRIVAL} of ",
        found=f"coalesce({arrival}::VARCHAR, 'NULL')",
        do="have the lake's writer file it under its own hour",
    )
    return (
        f"CASE WHEN {arrival} IS NULL OR date_trunc('hour', {arrival}) <> {hour} "
        f"THEN {refused} ELSE {arrival} < $end AND {arrival} >= $deliver_from END"
    )
