"""A file of referrals as DuckDB reads it: CSV, JSON Lines and Parquet."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from referral_delivery.agreement.attributes import CATALOGUE
from referralctl.errors import FileRefused
from referralctl.loading.columns import attributes_of, require_identity
from referralctl.loading.csv_files import checked_csv, csv_line
from referralctl.loading.json_lines import csv_of_json_lines, json_line
from referralctl.loading.lines import Advance, Text

# Not a type of DuckDB's: what a file of text spells.
SPELLED = "SPELLED"

CSV, JSON_LINES, PARQUET = (".csv", ".csv.gz"), (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"), (".parquet", ".pq")


@dataclass(frozen=True)
class Source:
    """`sql` gives `_row`, counted from 1, and a column for each attribute of `types`."""

    file: Path
    types: dict[str, str]
    sql: str
    # Where a row stands, for a person: line 18, or row 17.
    place: Callable[[int], str]
    parameters: dict[str, Any] = field(default_factory=dict)
    # As far as the format's own check has counted them.
    rows: int | None = None


def opened(file: Path, con: duckdb.DuckDBPyConnection, folder: Path, advance: Advance) -> Source:
    """The file, its format and columns checked; what is written on the way lies in `folder`."""
    name = file.name.lower()
    if not file.is_file():
        raise FileRefused(file, found="no file", expected="a file of referrals", do="check the path")
    # DuckDB takes brackets and stars of a path for patterns, and `a=b` folders for columns.
    (link := folder / "source").symlink_to(file.resolve())
    if name.endswith(PARQUET):
        source = _parquet(file, con, link)
    elif name.endswith(CSV):
        source = _text(file, checked_csv(file, advance), link, csv_line)
    elif name.endswith(JSON_LINES):
        text = csv_of_json_lines(file, folder / "source.csv", advance)
        source = _text(file, text, text.path, json_line)
    else:
        raise FileRefused(
            file,
            found=f"a name that ends in {''.join(file.suffixes[-2:]) or 'nothing'}",
            expected=f"one of {', '.join((*CSV, *JSON_LINES, *PARQUET))}",
            do="name the file by what it is",
        )
    require_identity(file, source.types)
    return source


def _text(file: Path, text: Text, path: Path, place: Callable[[Path, int], str]) -> Source:
    # Nothing at all is null, and "" is empty. Nothing is guessed: a guessed type loses leading zeros.
    sql = (
        "SELECT row_number() OVER () AS _row, * FROM read_csv($file, auto_detect = false, header = true, delim = ',', "
        "quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, columns = $columns, "
        f"compression = '{'gzip' if text.gzipped else 'none'}')"
    )
    parameters = {"file": str(path), "columns": dict.fromkeys(text.columns, "VARCHAR")}
    types = dict.fromkeys(text.present, SPELLED)
    return Source(file, types, sql, lambda row: place(file, row), parameters, text.rows)


def _parquet(file: Path, con: duckdb.DuckDBPyConnection, path: Path) -> Source:
    parameters = {"file": str(path)}
    try:
        leaves = con.execute(
            "SELECT name, num_children, type, logical_type, converted_type, duckdb_type FROM parquet_schema($file)",
            parameters,
        ).fetchall()
    except duckdb.Error as error:
        raise FileRefused(file, found="no Parquet", expected="a whole Parquet file", do="write it again") from error
    columns = _top_level([_Element(*leaf) for leaf in leaves])
    attributes = attributes_of(file, [column.name for column in columns])
    for attribute, column in zip(attributes, columns, strict=True):
        _refuse_lossy(file, attribute, column)
    types = {attribute: column.read_as for attribute, column in zip(attributes, columns, strict=True)}
    renamed = ", ".join(f'"{column.name}" AS {name}' for name, column in zip(attributes, columns, strict=True))
    sql = (
        f"SELECT file_row_number + 1 AS _row, {renamed} "
        "FROM read_parquet($file, file_row_number = true, hive_partitioning = false)"
    )
    return Source(file, types, sql, lambda row: f"row {row}", parameters)


class _Element(NamedTuple):
    """An element of a Parquet schema, with the type that DuckDB reads it as."""

    name: str
    children: int | None
    type: str
    logical: str | None
    converted: str | None
    read_as: str


def _top_level(schema: list[_Element]) -> list[_Element]:
    """The columns of a schema that lists every element before what is inside of it."""
    columns, inside = [], 0
    for element in schema[1:]:
        if inside == 0:
            columns.append(element)
        inside += (element.children or 0) - (inside > 0)
    return columns


def _refuse_lossy(file: Path, attribute: str, column: _Element) -> None:
    """FileRefused where DuckDB would read a column as something near it, without a word."""
    logical = column.logical or ""
    refused = {
        "a group of columns": bool(column.children),
        "INT96": column.type == "INT96",
        "nanoseconds with a zone": "isAdjustedToUTC=1" in logical and "NANOS=NanoSeconds" in logical,
        "a decimal of more than 38 digits": column.converted == "DECIMAL" and not column.read_as.startswith("DECIMAL"),
    }
    for found in (found for found, held in refused.items() if held):
        raise FileRefused(
            file,
            column=attribute,
            found=found,
            expected=f"{CATALOGUE[attribute].type}, in a type that can be read exactly",
            do="write times as TIMESTAMP with microseconds, numbers as DECIMAL of up to 38 digits",
        )
