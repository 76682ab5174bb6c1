"""What is wrong with the lake, told apart from what fails in the world, while DuckDB reads.

A query refuses a row by raising an error of its own, whose text names the object; it never holds a row's content.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from referral_delivery.errors import DataError, InexactValue, UnreadableObject
from referral_delivery.lake.connection import literal

# The name that read_parquet gives the URL in a row; no column of an object is called so by chance or on purpose.
OBJECT_COLUMN = f"object of the row {secrets.token_hex(8)}"
OBJECT = f'"{OBJECT_COLUMN}"'
_REFUSED: tuple[type[DataError], ...] = (UnreadableObject, InexactValue)
_MARK = "refused as {}: "


def refusal(kind: type[DataError], said: str, *, found: str = "''", do: str) -> str:
    """SQL that fails with `<object><said><found>; <do>`; `found` is SQL, the other two are text."""
    assert kind in _REFUSED  # noqa: S101 - else `explained` would not know it
    mark = _MARK.format(kind.__name__)
    return f"error({literal(mark)} || {OBJECT} || {literal(said)} || {found} || {literal(f'; {do}')})"


def explained(error: duckdb.Error) -> Exception:
    """A DuckDB failure as the error to raise: data that a retry cannot mend, or the failure as it was."""
    said = str(error)
    for kind in _REFUSED:
        _, mark, refused = said.partition(_MARK.format(kind.__name__))
        if mark:
            return kind(refused)
    # Conversion messages may quote a value: only the kinds of message that name objects are repeated.
    if isinstance(error, duckdb.InvalidInputException) and ".parquet" in said:
        # What is no UTF-8 is quoted at the message's end.
        reason, _, _ = said.partition(": value ")
        return UnreadableObject(f"{reason}; have the lake's writer replace the object")
    return error


def fetch(con: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> list[Any]:
    """All rows of a query over the lake's objects; raises what `explained` says."""
    with explaining():
        return con.execute(sql, parameters).fetchall()


@contextmanager
def explaining() -> Iterator[None]:
    """Raise what `explained` says of DuckDB's failure; nothing is left of its own words, which may quote a row."""
    try:
        yield
    except duckdb.Error as error:
        if (said := explained(error)) is error:
            raise
        raise said from None
