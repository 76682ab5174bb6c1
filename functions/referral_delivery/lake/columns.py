"""Which of the wanted columns an object has, and how it stores them: one look at every object's footer.

Only top-level columns count, and names are compared case-folded. Objects that have the same wanted columns under the
same names and types are a group, which one SELECT can read without changing a value.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from referral_delivery.agreement.column import Column
from referral_delivery.errors import MissingAttribute, UnreadableObject, WrongType
from referral_delivery.lake.connection import requests_in_flight
from referral_delivery.lake.refusals import fetch
from referral_delivery.lake.values import INT96, NANOSECONDS_UTC, NOTHING, Stored, accepted, logical_type

ARRIVAL = "received_at"
_NESTED = "a nested column"
# A schema is one row a node, depth first, the root first. DuckDB reads a decimal of more than 38 digits as a DOUBLE
# and cuts nanoseconds that are UTC to microseconds, so these have names of their own here.
_SCHEMAS = f"""
SELECT nodes, list(file_name) FROM (
    SELECT file_name, list({{
        'name': name,
        'children': coalesce(num_children, 0),
        'type': CASE
            WHEN type IS NULL OR repetition_type = 'REPEATED' THEN '{_NESTED}'
            WHEN type = 'INT96' THEN '{INT96}'
            WHEN converted_type = 'DECIMAL' AND duckdb_type NOT LIKE 'DECIMAL%'
                THEN 'DECIMAL of ' || precision || ' digits'
            WHEN logical_type LIKE 'TimestampType(isAdjustedToUTC=1%NanoSeconds()%' THEN '{NANOSECONDS_UTC}'
            ELSE duckdb_type
        END
    }} ORDER BY column_id) AS nodes
    FROM parquet_schema($urls) GROUP BY file_name
) GROUP BY nodes
"""


@dataclass(frozen=True)
class Layout:
    """How an object stores the wanted columns: by attribute, without those that it lacks."""

    columns: tuple[tuple[str, Stored], ...]

    def __getitem__(self, source: str) -> Stored | None:
        return dict(self.columns).get(source)


@dataclass(frozen=True)
class Footer:
    """What a delivery must know of an object before it reads it."""

    layout: Layout
    size_bytes: int


def footers(con: duckdb.DuckDBPyConnection, sizes: Mapping[str, int], columns: Iterable[Column]) -> dict[str, Footer]:
    """The footers of the objects whose URLs and sizes these are; wanted are what the columns need and `received_at`.

    Refuses objects whose columns are of a wrong type or ambiguous, and attributes that no object has.
    """
    if not (urls := list(sizes)):
        return {}
    needed = (Column.model_validate(ARRIVAL), *columns)
    wanted = {column.source: column for column in needed if column.source is not None}
    with requests_in_flight(con, len(urls)):
        schemas = fetch(con, _SCHEMAS, {"urls": urls})
    found = {}
    for nodes, objects in schemas:
        layout = _layout(nodes, wanted, example=min(objects))
        found.update({url: Footer(layout, sizes[url]) for url in objects})
    for name in sorted(wanted):
        if not any(footer.layout[name] for footer in found.values()):
            raise MissingAttribute(
                f"none of the window's {len(urls):,} objects has a column {name!r} (the first is {urls[0]}); have "
                "the lake's writer add it, or take the attribute out of the client file"
            )
    if without := [url for url, footer in found.items() if footer.layout[ARRIVAL] is None]:
        raise MissingAttribute(f"{min(without)} has no column {ARRIVAL!r}; have the lake's writer replace it")
    return found


def _layout(nodes: Sequence[Mapping[str, Any]], wanted: Mapping[str, Column], *, example: str) -> Layout:
    columns = [*_top_level(nodes)]
    names = Counter(column.name.casefold() for column in columns)
    if twice := sorted(column.name for column in columns if names[column.name.casefold()] > 1):
        raise UnreadableObject(
            f"{example} has columns whose names differ only in case: {', '.join(map(repr, twice))}; have the lake's "
            "writer replace the object"
        )
    by_name = {column.name.casefold(): column for column in columns}
    held = [(name, by_name[name.casefold()]) for name in sorted(wanted) if name.casefold() in by_name]
    for name, column in held:
        _check_type(wanted[name], column, example=example)
    return Layout(tuple(held))


def _check_type(column: Column, stored: Stored, *, example: str) -> None:
    if stored.type == NOTHING and column.source != ARRIVAL:
        return
    type_ = logical_type(column, stored)
    if stored.kind not in accepted(type_):
        raise WrongType(
            f"column {stored.name!r} of {example} is {stored.type}, expected {type_} "
            f"({' or '.join(accepted(type_))}); have the lake's writer replace the object"
        )


def _top_level(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Stored]:
    """The root's own children; what lies below them is skipped."""
    position = 1
    while position < len(nodes):
        yield Stored(nodes[position]["name"], nodes[position]["type"])
        open_ = 1
        while open_:
            open_ += nodes[position]["children"] - 1
            position += 1
