"""Rows as one Parquet file: typed columns, the same types whatever the rows hold."""

from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.agreement.column import BOOLEAN, Column
from referral_delivery.errors import InexactValue
from referral_delivery.file.rows import Copy
from referral_delivery.lake.connection import identifier
from referral_delivery.lake.query import Query, text_of
from referral_delivery.lake.refusals import refusal
from referral_delivery.lake.shaping import DECIMAL_DIGITS

# What DuckDB's threads hold of a file until it is written: with 16 KB a row, a part of their memory.
ROW_GROUP_ROWS = 8 * 1024
# BigQuery's NUMERIC, and more than any currency has.
# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
DECIMAL_PLACES = 9
_OPTIONS = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
# `2026-11-28T06:00:00.123456Z`: Parquet's finest that every reader knows is a microsecond.
_MOMENT_CHARACTERS = 27


def copies(query: Query) -> list[Copy]:
    """What writes the file: all batches by one COPY."""
    batches = " UNION ALL ".join(f"SELECT * FROM ({batch.sql})" for batch in query.batches)
    parameters = {name: value for batch in query.batches for name, value in batch.parameters.items()}
    values = [_value(column, text_of(position)) for position, column in enumerate(query.columns)]
    named = ", ".join(f"{value} AS {identifier(each.name)}" for value, each in zip(values, query.columns, strict=True))
    if not query.batches:
        nothing = ", ".join(f"NULL::{_type(column)} AS {identifier(column.name)}" for column in query.columns)
        return [Copy(f"SELECT {nothing} LIMIT 0", _OPTIONS, {})]
    ahead = [batch.ahead for batch in query.batches if batch.ahead]
    return [
        Copy(
            f"SELECT {named} FROM ({batches})",
            _OPTIONS,
            parameters,
            ahead,
            requests=sum(batch.objects for batch in query.batches) if ahead else 0,
        )
    ]


def _value(column: Column, text: str) -> str:
    type_ = _type(column)
    if type_ == "VARCHAR":
        return text
    exact, what, do = f"TRY_CAST({text} AS {type_})", f"a value that {type_} cannot hold", "choose another format"
    match column.kind:
        case AttributeType.DECIMAL:
            exact = f"CASE WHEN length(split_part({text}, '.', 2)) <= {_places(column)} THEN {exact} END"
            do = "say `places:` for the column"
        case AttributeType.TIMESTAMP:
            exact = f"CASE WHEN length({text}) <= {_MOMENT_CHARACTERS} THEN {exact} END"
            do = "say `format: iso` for the column, which then is text"
    refused = refusal(InexactValue, f" holds for column {column.name!r} {what}", do=do)
    return f"CASE WHEN {text} IS NULL THEN NULL ELSE coalesce({exact}, {refused}) END"


def _type(column: Column) -> str:
    types = {
        AttributeType.INTEGER: "BIGINT",
        AttributeType.DECIMAL: f"DECIMAL({DECIMAL_DIGITS}, {_places(column)})",
        AttributeType.DATE: "DATE",
        AttributeType.TIMESTAMP: "TIMESTAMPTZ",
        BOOLEAN: "BOOLEAN",
    }
    return types.get(column.kind or "", "VARCHAR")


def _places(column: Column) -> int:
    return DECIMAL_PLACES if column.places is None else column.places
