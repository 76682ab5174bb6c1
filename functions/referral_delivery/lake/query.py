"""The rows of one delivery: which objects are read together, in which order, and their SELECTs of texts.

Order: seen objects before new ones; of each, groups of the same columns by their first object's key; within a group by
key, within an object as it was written. So the same selection gives the same bytes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from itertools import groupby
from typing import Any

import duckdb

from referral_delivery.agreement.column import Column
from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.file_format import Format
from referral_delivery.errors import UnreadableObject
from referral_delivery.lake.columns import ARRIVAL, Footer, Layout, footers
from referral_delivery.lake.connection import forget_what_is_read, identifier, requests_in_flight
from referral_delivery.lake.objects import Lake, LakeObject, Selection
from referral_delivery.lake.refusals import OBJECT, OBJECT_COLUMN, fetch, refusal
from referral_delivery.lake.shaping import Parameters, constant, is_refusing, steps
from referral_delivery.lake.values import value_of

# Objects of up to this size on average are bound by S3's answers and not by the CPU: they are fetched ahead.
SMALL_OBJECT_BYTES = 1024 * 1024
# Small objects are fetched so many bytes at a time; DuckDB has 600 MB at least.
_AHEAD_BYTES = 64 * 1024 * 1024
# So much of an object's end comes with its footer, in the same request.
_TAIL_BYTES = 16 * 1024
_NAMED = re.compile(r"\$([a-z_]+[0-9]*)")


@dataclass(frozen=True)
class Batch:
    """A SELECT over so many objects of one group; `ahead` fetches first what it reads, with many requests at once.

    `listed` is the parameter that lists them.
    """

    sql: str
    parameters: Mapping[str, Any]
    objects: int
    ahead: "Batch | None" = None
    listed: str = ""

    def part(self, first: int, end: int) -> "Batch":
        """The rows of some of its objects, by their places; parts that follow on each other give all of its rows."""
        urls = self.parameters[self.listed][first:end]
        return replace(self, parameters={**self.parameters, self.listed: urls}, objects=len(urls))

    def fetch(self, con: duckdb.DuckDBPyConnection) -> list[Any]:
        """Its rows, where they are few; many requests are under way."""
        with requests_in_flight(con, self.objects):
            return fetch(con, self.sql, dict(self.parameters))


@dataclass(frozen=True)
class Query:
    """The rows of a file: its columns, and the batches that hold them, in order.

    A batch gives each column's text, named by `text_of` its position, and, where the file's format may refuse one,
    each row's object as OBJECT. What batches call a parameter by the same name is the same.
    """

    columns: Sequence[Column]
    batches: Sequence[Batch] = ()
    late: Sequence[Batch] = ()


def text_of(position: int) -> str:
    """What a batch calls the column at a position, from 0."""
    return f"c{position}"


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


class _Selects:
    """The SELECTs of one contract, and their parameters."""

    def __init__(self, contract: Contract, bounds: Mapping[str, Any]) -> None:
        self._columns, self._parameters = contract.attributes, Parameters(dict(bounds))
        file = contract.file
        self._steps = [steps(each, self._parameters, guard=file.formula_guard) for each in self._columns]
        self._constants = [constant(each, self._parameters) if each.source is None else None for each in self._columns]
        self._names_objects = file.format == Format.PARQUET or any(map(is_refusing, self._columns))

    def rows(self, group: _Group, condition: str, ahead: Batch | None) -> Batch:
        """The columns of those of a group's rows that meet the condition."""
        values = [
            said or value_of(column, group.layout[column.source or ""])
            for said, column in zip(self._constants, self._columns, strict=True)
        ]
        listed = self._parameters(group.urls)
        sql = f"SELECT {self._named(values)} {self._from(listed)} WHERE {condition}"
        for number in range(max(map(len, self._steps))):
            texts = [
                done[number](text_of(position)) if number < len(done) else text_of(position)
                for position, done in enumerate(self._steps)
            ]
            sql = f"SELECT {self._named(texts)} FROM ({sql})"
        return self._batch(sql, listed, ahead)

    def count(self, group: _Group, condition: str) -> Batch:
        """How many of a group's rows meet the condition."""
        listed = self._parameters(group.urls)
        return self._batch(f"SELECT count(*) {self._from(listed)} WHERE {condition}", listed)

    def touch(self, group: _Group, urls: Sequence[str]) -> Batch:
        """What reads all that is wanted of some of a group's objects."""
        read = ", ".join(f"max(hash({identifier(stored.name)}))" for _, stored in group.layout.columns)
        listed = self._parameters(urls)
        return self._batch(f"SELECT {read} {self._from(listed)}", listed)

    def _named(self, texts: Sequence[str]) -> str:
        named = [f"{text} AS {text_of(position)}" for position, text in enumerate(texts)]
        return ", ".join([*named, OBJECT] if self._names_objects else named)

    def _from(self, listed: str) -> str:
        return f"FROM read_parquet({listed}, filename = {OBJECT_COLUMN!r}, hive_partitioning = false)"

    def _batch(self, sql: str, listed: str, ahead: Batch | None = None) -> Batch:
        # DuckDB takes no parameter that a query does not name.
        parameters = {name: self._parameters.values[name] for name in _NAMED.findall(sql)}
        name = listed.removeprefix("$")
        return Batch(sql, parameters, len(parameters[name]), ahead, name)


def rows(con: duckdb.DuckDBPyConnection, contract: Contract, selection: Selection, lake: Lake) -> Query:
    """The rows of a delivery, each taken by exactly one delivery of the client (docs/architecture.md).

    Reads the footers of all of its objects first, and refuses what cannot be delivered.
    """
    sizes = {lake.url(found): found.size_bytes for found in (*selection.seen, *selection.new)}
    known = footers(con, sizes, contract.attributes)
    small = sum(sizes.values()) <= SMALL_OBJECT_BYTES * len(sizes)
    if not small:
        forget_what_is_read(con)
    selects, batches = _Selects(contract, _bounds(contract, selection)), []
    for objects, condition in ((selection.seen, _of_seen), (selection.new, _of_new)):
        for group in _groups(objects, known, lake):
            for part in _parts(group, known) if small else [group]:
                ahead = _ahead(selects, part, known) if small else None
                batches.append(selects.rows(part, condition(part.arrival), ahead))
    late = [selects.count(group, _of_late(group.arrival)) for group in _groups(selection.late, known, lake)]
    return Query(contract.attributes, batches, late)


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


def _ahead(selects: _Selects, part: _Group, known: Mapping[str, Footer]) -> Batch | None:
    """What fetches those small objects of a part that did not come with their footers."""
    urls = [url for url in part.urls if _TAIL_BYTES < known[url].size_bytes <= SMALL_OBJECT_BYTES]
    return selects.touch(part, urls) if urls else None


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
