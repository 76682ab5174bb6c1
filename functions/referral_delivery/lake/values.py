"""One exact text for each value, whatever the type under which an object stores it.

A form follows from the attribute's type and the object's own, so a value never depends on its neighbours. What has
no exact text is refused with the object, the column and its type, never with the value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.agreement.column import Column
from referral_delivery.errors import InexactValue
from referral_delivery.lake.connection import identifier
from referral_delivery.lake.refusals import refusal

# A column that a writer has made of nothing but nulls, as DuckDB calls its type.
NOTHING = '"NULL"'
# DuckDB hands both over as microseconds.
INT96, NANOSECONDS_UTC = "INT96", "TIMESTAMP_NS WITH TIME ZONE"
_INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)
_MICROSECONDS = "'%Y-%m-%dT%H:%M:%S.%f'"


@dataclass(frozen=True)
class Stored:
    """A top-level column as an object has it: its name there, and its type, which DuckDB or this module names."""

    name: str
    type: str

    @property
    def kind(self) -> str:
        """The type without its parameters."""
        return self.type.partition("(")[0]


def logical_type(column: Column, stored: Stored) -> AttributeType:
    """The type that a column has in every object and every file.

    Of an attribute that nobody knows any more, and whose type a record of the first version has not kept, the object's.
    """
    if column.type in list(AttributeType):
        return AttributeType(column.type)
    return next((type_ for type_, forms in _FORMS.items() if stored.kind in forms), AttributeType.TEXT)


def accepted(type_: AttributeType) -> list[str]:
    """The types under which an object may store values of an attribute's type."""
    return list(_FORMS[type_])


def value_of(column: Column, stored: Stored | None) -> str:
    """The SQL of one value of a column's attribute as text; `stored` None for objects that have no such column."""
    if stored is None or stored.type == NOTHING:
        return "NULL::VARCHAR"
    return _FORMS[logical_type(column, stored)][stored.kind](stored)


def _as_cast(stored: Stored) -> str:
    return f"{identifier(stored.name)}::VARCHAR"


def _decimal(stored: Stored) -> str:
    """Without zeros at the end; DuckDB writes a DECIMAL(2,2) of a half as `.50`."""
    text = _as_cast(stored)
    if stored.type.endswith(",0)"):
        return text
    trimmed = f"rtrim(rtrim({text}, '0'), '.')"
    return rf"CASE {trimmed} WHEN '' THEN '0' ELSE regexp_replace({trimmed}, '^(-?)\.', '\10.') END"


def _binary(stored: Stored) -> str:
    """The shortest digits that make the same FLOAT or DOUBLE, which is what DuckDB writes, in plain notation."""
    value, text = identifier(stored.name), _as_cast(stored)
    sign = f"regexp_extract({text}, '^-')"
    digits = f"replace(regexp_extract({text}, '([0-9.]+)e', 1), '.', '')"
    exponent = f"regexp_extract({text}, 'e(.+)$', 1)::INTEGER"
    plain = (
        f"{sign} || CASE WHEN {exponent} < 0 THEN '0.' || repeat('0', -{exponent} - 1) || {digits} "
        f"ELSE rpad({digits}, {exponent} + 1, '0') END"
    )
    written = (
        f"CASE WHEN {value} = 0 THEN '0' WHEN contains({text}, 'e') THEN {plain} "
        rf"ELSE regexp_replace({text}, '\.0$', '') END"
    )
    return _refused_unless(f"isfinite({value})", written, stored, "is no finite number")


def _date(stored: Stored) -> str:
    within = f"{identifier(stored.name)} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
    return _refused_unless(within, _as_cast(stored), stored, "is no day of the years 1 to 9999")


def _timestamp(stored: Stored) -> str:
    value = f"{identifier(stored.name)}::TIMESTAMP"
    within = f"{value} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    written = f"strftime({value}, {_MICROSECONDS}) || 'Z'"
    return _refused_unless(within, written, stored, "is no moment of the years 1 to 9999")


def _nanoseconds(stored: Stored) -> str:
    """Nine digits where six are not all. (DuckDB's own `%n` is wrong before 1970, and its cast rounds there.)"""
    value = identifier(stored.name)
    below = f"(epoch_ns({value}) % 1000 + 1000) % 1000"
    written = (
        f"strftime(make_timestamp((epoch_ns({value}) - {below}) // 1000), {_MICROSECONDS}) "
        f"|| CASE {below} WHEN 0 THEN '' ELSE lpad(({below})::VARCHAR, 3, '0') END || 'Z'"
    )
    return _refused_unless(f"isfinite({value})", written, stored, "is no moment")


def _refused_unless(condition: str, text: str, stored: Stored, what: str) -> str:
    said = f" holds in column {stored.name!r} a {stored.type} that {what}"
    refused = refusal(InexactValue, said, do="have the lake's writer replace the object")
    return f"CASE WHEN {identifier(stored.name)} IS NULL THEN NULL WHEN {condition} THEN {text} ELSE {refused} END"


_FORMS: Mapping[AttributeType, Mapping[str, Callable[[Stored], str]]] = {
    AttributeType.TEXT: dict.fromkeys(("VARCHAR", "ENUM", "JSON", "UUID"), _as_cast),
    AttributeType.INTEGER: dict.fromkeys(_INTEGERS, _as_cast),
    AttributeType.DECIMAL: {
        "DECIMAL": _decimal,
        "DOUBLE": _binary,
        "FLOAT": _binary,
        **dict.fromkeys(_INTEGERS, _as_cast),
    },
    AttributeType.DATE: {"DATE": _date},
    AttributeType.TIMESTAMP: {
        "TIMESTAMP": _timestamp,
        "TIMESTAMP WITH TIME ZONE": _timestamp,
        "TIMESTAMP_NS": _nanoseconds,
        NANOSECONDS_UTC: _timestamp,
        INT96: _timestamp,
    },
}
