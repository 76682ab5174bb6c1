"""How a column of a file becomes one of the lake: the SQL of the exact value, and of whether there is one.

What would change on the way is not good, and its file is refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from referral_delivery.agreement.attributes import AttributeType

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
# What DuckDB calls the type of a Parquet column that was written with nothing but nulls.
_NULLS = '"NULL"'
_STORED = {
    AttributeType.TEXT: "VARCHAR",
    AttributeType.INTEGER: "BIGINT",
    AttributeType.DECIMAL: "DECIMAL(18, 6)",
    AttributeType.DATE: "DATE",
    AttributeType.TIMESTAMP: "TIMESTAMP",
}


@dataclass(frozen=True)
class Reading:
    """SQL of a column's values, null where there is none, and of whether one that is not null is good."""

    value: str
    good: str = "true"
    expected: str = ""


def typed(attribute: AttributeType, type_: str, column: str) -> Reading | None:
    """How the values of a Parquet column are read; None for a type that is not the attribute's."""
    if type_ == _NULLS:
        return Reading(f"NULL::{_STORED[attribute]}")
    return _TYPED[attribute](type_, type_.partition("(")[0], column)


def _text(_: str, plain: str, column: str) -> Reading | None:
    return Reading(f"{column}::VARCHAR") if plain in ("VARCHAR", "ENUM") else None


def _integer(type_: str, plain: str, column: str) -> Reading | None:
    # Some databases have one type of number, and write what is whole without digits after the point.
    if plain not in _INTEGERS and not re.fullmatch(r"DECIMAL\(\d+,0\)", type_):
        return None
    value = f"TRY_CAST({column} AS BIGINT)"
    return Reading(value, f"{value} IS NOT NULL", "an integer of 64 bits")


def _decimal(_: str, plain: str, column: str) -> Reading | None:
    if plain in _INTEGERS:
        return Reading(f"{column}::DECIMAL(20, 0)")
    if plain in ("DOUBLE", "FLOAT"):
        return Reading(column, f"isfinite({column})", "a finite number")
    return Reading(column) if plain == "DECIMAL" else None


def _date(_: str, plain: str, column: str) -> Reading | None:
    return Reading(column, in_years(column), "a date of the years 1 to 9999") if plain == "DATE" else None


def _timestamp(_: str, plain: str, column: str) -> Reading | None:
    if not plain.startswith("TIMESTAMP"):
        return None
    value, whole = f"{column}::TIMESTAMP", "true"
    if plain == "TIMESTAMP_NS":
        whole = f"({column}::TIMESTAMP)::TIMESTAMP_NS = {column}"
    return Reading(
        value, f"({whole} AND {in_years(value)})", "a time to the microsecond at most, of the years 1 to 9999"
    )


_TYPED: dict[AttributeType, Callable[[str, str, str], Reading | None]] = {
    AttributeType.TEXT: _text,
    AttributeType.INTEGER: _integer,
    AttributeType.DECIMAL: _decimal,
    AttributeType.DATE: _date,
    AttributeType.TIMESTAMP: _timestamp,
}


def in_years(value: str) -> str:
    """True for moments and days that every reader can write; infinity is none."""
    return f"({value})::DATE BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
