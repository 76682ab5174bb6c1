"""The SQL of one delivery: the DuckDB connection, the check of the lake's columns, the rows and their text.

Values are parameters; identifiers come only from the catalogue or are quoted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

from referral_delivery.attributes import CATALOGUE, AttributeType
from referral_delivery.contract import Column, Contract
from referral_delivery.errors import MissingAttribute, UnreadableObject, WrongType
from referral_delivery.lake import Lake, Selection

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_MB_PER_VCPU = 1_769
# What Python, the compressor and the parts in flight take beside DuckDB.
_RESERVED_MB = 400
# DuckDB's threads finish rows out of order, and what waits for its turn may take a quarter of the limit: without an
# end to it, memory follows the function's size and the speed of S3. Lower, and a row group of wide text fails.
_DUCKDB_MB, _DUCKDB_MB_PER_THREAD = 1_024, 512

_TIMESTAMPS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
_ACCEPTED = {
    AttributeType.TEXT: ("VARCHAR", "ENUM"),
    AttributeType.INTEGER: (
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
    ),
    AttributeType.DECIMAL: ("DECIMAL", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
    AttributeType.DATE: ("DATE",),
    AttributeType.TIMESTAMP: _TIMESTAMPS,
}
_BLANKS = " \t\r\n"
_MARK = "referral outside its hour: "


@dataclass(frozen=True)
class Query:
    """A SELECT and its parameters."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)


def connect(
    *, endpoint_url: str, region: str, credentials: "ReadOnlyCredentials", memory_mb: int
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that reads S3, limited to what a function of `memory_mb` can give it."""
    endpoint = urlsplit(endpoint_url)
    threads = max(1, round(memory_mb / MEMORY_MB_PER_VCPU))
    con = duckdb.connect(
        config={
            "memory_limit": f"{min(memory_mb - _RESERVED_MB, max(_DUCKDB_MB, _DUCKDB_MB_PER_THREAD * threads))}MB",
            "threads": threads,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "enable_external_file_cache": False,
        }
    )
    con.execute("SET TimeZone = 'UTC'")  # a zoned timestamp is compared and written as UTC
    con.execute("SET parquet_metadata_cache = true")  # the check of the columns reads the footers first
    con.load_extension(str(_httpfs()))
    options = {
        "KEY_ID": credentials.access_key or "",
        "SECRET": credentials.secret_key or "",
        "SESSION_TOKEN": credentials.token or "",
        "REGION": region,
        "ENDPOINT": endpoint.netloc,
        "URL_STYLE": "vhost" if (endpoint.hostname or "").endswith(".amazonaws.com") else "path",
    }
    written = ", ".join(f"{name} {_literal(value)}" for name, value in options.items())
    con.execute(f"CREATE SECRET (TYPE s3, {written}, USE_SSL {endpoint.scheme == 'https'})")
    return con


def rows(con: duckdb.DuckDBPyConnection, contract: Contract, selection: Selection, lake: Lake) -> Query:
    """The rows of a delivery, each taken by exactly one delivery of the client (docs/architecture.md).

    Order: by object key, seen objects before new ones, within an object as it was written, so that the same
    selection gives the same bytes. Checks the columns of all of these objects first.
    """
    seen, new = [[lake.url(found) for found in objects] for objects in (selection.seen, selection.new)]
    sources = dict.fromkeys(column.source for column in contract.attributes)
    present_seen, present_new = check_columns(con, sources, seen, new)
    parts, parameters = [], _bounds(contract, selection)
    if seen:
        parts.append(
            f"SELECT {_header(contract, present_seen)} FROM read_parquet($seen, union_by_name = true) "
            "WHERE received_at >= $start AND received_at < $end AND received_at >= $deliver_from"
        )
        parameters["seen"] = seen
    if new:
        parts.append(
            f"SELECT {_header(contract, present_new)} FROM read_parquet($new, union_by_name = true) "
            f"WHERE {_in_its_hour('received_at < $end AND received_at >= $deliver_from')}"
        )
        parameters["new"] = new
    sql = " UNION ALL ".join(parts) or f"SELECT {_header(contract, frozenset())} LIMIT 0"
    return Query(sql, {name: value for name, value in parameters.items() if f"${name}" in sql})


def count_late(con: duckdb.DuckDBPyConnection, contract: Contract, selection: Selection, lake: Lake) -> int:
    """How many rows of a delivery are from before its window."""
    if not selection.late:
        return 0
    bounds = _bounds(contract, selection)
    [(found,)] = _fetch(
        con,
        "SELECT count(*) FROM read_parquet($late, union_by_name = true) "
        "WHERE received_at < $start AND received_at >= $deliver_from",
        {
            "late": [lake.url(late) for late in selection.late],
            "start": bounds["start"],
            "deliver_from": bounds["deliver_from"],
        },
    )
    return int(found)


def check_columns(
    con: duckdb.DuckDBPyConnection, attributes: Iterable[str], seen: Sequence[str], new: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Which of the wanted columns some `seen` object has, and some `new` one.

    Refuses objects whose columns are of a wrong type, and attributes that no object of the window has.
    """
    urls = [*seen, *new]
    if not urls:
        return frozenset(), frozenset()
    wanted = {"received_at", *attributes}
    holders: dict[str, set[str]] = {name: set() for name in sorted(wanted)}
    for url, name, type_ in _columns(con, urls):
        if name not in wanted:
            continue
        holders[name].add(url)
        accepted = _ACCEPTED[CATALOGUE[name].type]
        if type_.partition("(")[0] not in accepted:
            raise WrongType(
                f"column {name!r} of {url} is {type_}, expected {CATALOGUE[name].type} ({' or '.join(accepted)}); "
                "have the lake's writer replace the object"
            )
    for name, having in holders.items():
        if not having:
            raise MissingAttribute(
                f"none of the window's {len(urls):,} objects has a column {name!r} (the first is {urls[0]}); have "
                "the lake's writer add it, or take the attribute out of the client file"
            )
    if without := set(urls) - holders["received_at"]:
        raise MissingAttribute(f"{min(without)} has no column 'received_at'; have the lake's writer replace it")
    return (
        frozenset(name for name in wanted if not holders[name].isdisjoint(seen)),
        frozenset(name for name in wanted if not holders[name].isdisjoint(new)),
    )


def explained(error: duckdb.Error) -> Exception:
    """A DuckDB failure as the error to raise: data that a retry cannot mend, or the failure as it was."""
    said = str(error)
    if _MARK in said:
        return UnreadableObject(said.partition(_MARK)[2].splitlines()[0])
    # Conversion messages may quote a value: only the kinds of message that name objects are repeated.
    if isinstance(error, duckdb.InvalidInputException) and ".parquet" in said:
        return UnreadableObject(f"{said.splitlines()[0]}; have the lake's writer replace the object")
    return error


def _columns(con: duckdb.DuckDBPyConnection, urls: list[str]) -> list[Any]:
    return _fetch(
        con,
        "SELECT file_name, name, duckdb_type FROM parquet_schema($urls) WHERE duckdb_type IS NOT NULL",
        {"urls": urls},
    )


def _fetch(con: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> list[Any]:
    try:
        return con.execute(sql, parameters).fetchall()
    except duckdb.Error as error:
        raise explained(error) from error


def _bounds(contract: Contract, selection: Selection) -> dict[str, Any]:
    moments = {
        "start": selection.window.start,
        "end": selection.window.end,
        "deliver_from": datetime.combine(contract.deliver_from, time(), UTC),
    }
    return {name: moment.astimezone(UTC).replace(tzinfo=None) for name, moment in moments.items()}


def _in_its_hour(condition: str) -> str:
    """The condition, or a failure that names the object, for a row of another hour than its key says.

    Which rows a delivery takes rests on the hour in the key, so such a row could be lost.
    """
    hour = (
        "(regexp_extract(filename, '/dt=([^/]*)/', 1) || ' ' || "
        "regexp_extract(filename, '/hr=([^/]*)/', 1) || ':00:00')::TIMESTAMP"
    )
    return (
        f"CASE WHEN received_at IS NULL OR date_trunc('hour', received_at) <> {hour} "
        f"THEN error('{_MARK}' || filename || ' holds a received_at of ' || "
        f"coalesce(received_at::VARCHAR, 'NULL') || '; have the lake''s writer file it under its own hour') "
        f"ELSE {condition} END"
    )


def _header(contract: Contract, present: frozenset[str]) -> str:
    return ", ".join(
        f"{value_of(column) if column.source in present else 'NULL'} AS {_quoted(column.name)}"
        for column in contract.attributes
    )


def value_of(column: Column) -> str:
    """The SQL of one value of a column, as it is written to the file."""
    attribute = CATALOGUE[column.source]
    value = _quoted(attribute.name)
    if column.transform:
        # No hash of nothing: it would look like one and the same customer in every such row.
        trimmed = f"nullif(trim({value}, '{_BLANKS}'), '')"
        return f"{column.transform.value}(lower({trimmed}))"
    if attribute.type is AttributeType.TIMESTAMP:
        return f"strftime({value}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%fZ')"
    return value


def _httpfs() -> Any:
    """The httpfs extension as PyPI ships it: signed, and built for exactly this DuckDB."""
    return files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
