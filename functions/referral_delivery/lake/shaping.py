"""From an attribute's exact text to what the contract says of it, as SQL: format, places, map, transform, guard.

Each step takes the text before it from a SELECT of its own, so that none is computed twice. What comes from the
contract is a parameter.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from referral_delivery.agreement import moments
from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.agreement.column import BOOLEAN, Column, Transform
from referral_delivery.agreement.value_map import ValueMap, folded
from referral_delivery.errors import InexactValue
from referral_delivery.lake.connection import literal
from referral_delivery.lake.refusals import refusal

BLANKS = " \t\r\n"
# DuckDB's widest decimal.
DECIMAL_DIGITS = 38
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = "=+-@\t\r\n"
# `2026-11-28T06:00:00.123456`, which an exact text of a moment begins with.
_MICROSECOND_CHARACTERS = 26
_PLAIN = "%Y-%m-%dT%H:%M:%S.%f"

Step = Callable[[str], str]


class Parameters:
    """Values of a query, each under the name that its SQL has for it."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __call__(self, value: Any) -> str:
        """The name, with its `$`, under which the query finds the value."""
        name = f"said{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def is_refusing(column: Column) -> bool:
    """Whether a step may refuse a value, for which it must know the row's object."""
    return column.places is not None or column.timezone is not None


def steps(column: Column, parameters: Parameters, *, guard: bool) -> list[Step]:
    """What is done to a column's exact text, in order; nothing where the text itself is wanted."""
    return [*_steps(column, parameters, guard=guard)]


def constant(column: Column, parameters: Parameters) -> str:
    """The SQL of a value that is the same in every row."""
    return parameters(_text(column.value))


def _steps(column: Column, parameters: Parameters, *, guard: bool) -> Iterator[Step]:
    if column.format is not None or column.timezone is not None:
        day = column.type == AttributeType.DATE
        yield _day(column, parameters) if day else _moment(column, parameters)
    if column.places is not None:
        yield _rounded(column)
    if column.map or column.if_empty is not None:
        yield _mapped(column, parameters)
    if column.transform:
        yield _hashed(column)
    if guard and column.type == column.kind == AttributeType.TEXT:
        yield _guarded


def _day(column: Column, parameters: Parameters) -> Step:
    if column.format == moments.ISO:
        return lambda text: text
    format_ = parameters(column.format)
    return lambda text: f"strftime({text}::DATE, {format_})"


def _moment(column: Column, parameters: Parameters) -> Step:
    if column.timezone is None:
        return lambda text: _written(column, text, _utc(text), _utc(text))
    zone = parameters(column.timezone)
    said = f" holds in column {column.source!r} a moment that is of no year from 1 to 9999 in {column.timezone}"
    refused = refusal(InexactValue, said, do="have the lake's writer replace the object")

    def step(text: str) -> str:
        local = f"timezone({zone}, timezone('UTC', {_utc(text)}))"
        written = _written(column, text, _utc(text), local)
        within = f"{local} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
        return f"CASE WHEN {within} THEN {written} WHEN {text} IS NOT NULL THEN {refused} END"

    return step


def _utc(text: str) -> str:
    return f"left({text}, {_MICROSECOND_CHARACTERS})::TIMESTAMP"


def _written(column: Column, text: str, utc: str, local: str) -> str:
    """A moment as the column wants it, from its exact text and what clocks say then, in UTC and at the place."""
    match column.format:
        case moments.EPOCH:
            return _since_1970(utc, 1_000_000)
        case moments.EPOCH_MS:
            return _since_1970(utc, 1_000)
        case moments.DATE:
            return f"strftime({local}, '%Y-%m-%d')"
        case moments.ISO | None:
            finer = f"rtrim(substr({text}, {_MICROSECOND_CHARACTERS + 1}), 'Z')"
            offset = _offset(utc, local, ":") if column.timezone else "'Z'"
            return f"strftime({local}, '{_PLAIN}') || {finer} || {offset}"
        case format_:
            parts = [f"strftime({local}, {literal(part)})" if part else "''" for part in format_.split("%z")]
            return f" || {_offset(utc, local, '')} || ".join(parts)


def _since_1970(utc: str, unit: int) -> str:
    """Whole units, downwards also before 1970; DuckDB's `//` goes towards zero."""
    microseconds = f"epoch_us({utc})"
    return f"(({microseconds} - (({microseconds} % {unit}) + {unit}) % {unit}) // {unit})::VARCHAR"


def _offset(utc: str, local: str, between: str) -> str:
    """`+11:00`; with seconds where a zone of old had some."""
    seconds = f"(epoch_us({local}) - epoch_us({utc})) // 1000000"
    size = f"abs({seconds})"
    return (
        f"(CASE WHEN {seconds} < 0 THEN '-' ELSE '+' END || lpad(({size} // 3600)::VARCHAR, 2, '0') || '{between}' || "
        f"lpad(({size} // 60 % 60)::VARCHAR, 2, '0') || "
        f"CASE {size} % 60 WHEN 0 THEN '' ELSE '{between}' || lpad(({size} % 60)::VARCHAR, 2, '0') END)"
    )


def _rounded(column: Column) -> Step:
    """Halves away from zero, as DuckDB's cast of a text does, digit by digit."""
    type_ = f"DECIMAL({DECIMAL_DIGITS}, {column.places})"
    said = f" holds in column {column.source!r} a number of more digits than {type_} has"
    refused = refusal(InexactValue, said, do="have the lake's writer replace the object")
    return lambda text: (
        f"CASE WHEN {text} IS NULL THEN NULL ELSE coalesce(TRY_CAST({text} AS {type_})::VARCHAR, {refused}) END"
    )


def _mapped(column: Column, parameters: Parameters) -> Step:
    # An empty text is neither true nor false.
    stays = "NULL" if column.kind == BOOLEAN else None
    if_empty = parameters(_text(column.if_empty)) if column.if_empty is not None else stays
    known = _known(column.map, parameters) if column.map else None
    no_match = parameters(_text(column.if_no_match)) if column.if_no_match is not None else None

    def step(text: str) -> str:
        found = f"coalesce({', '.join([*known(text), no_match or text])})" if known else text
        return f"CASE WHEN trim({text}, '{BLANKS}') <> '' THEN {found} ELSE {if_empty or text} END"

    return step


def _known(map_: ValueMap, parameters: Parameters) -> Callable[[str], list[str]]:
    """What the map says of a text, in parts that are NULL where they do not know it; the first that does counts."""
    parts = []
    for kind in dict.fromkeys(entry.kind for entry in map_.entries):
        entries = [entry for entry in map_.entries if entry.kind == kind]
        texts = [folded(entry.text) if map_.ignore_case else entry.text for entry in entries]
        outputs = parameters([_text(entry.output) for entry in entries])
        parts.append(_equal(parameters(texts), outputs) if kind == "equals" else _part(texts, outputs, parameters))

    def known(text: str) -> list[str]:
        compared = f"lower({text})" if map_.ignore_case else text
        return [part(compared) for part in parts]

    return known


def _equal(texts: str, outputs: str) -> Step:
    return lambda text: f"{outputs}[list_position({texts}, {text})]"


def _part(texts: list[str], outputs: str, parameters: Parameters) -> Step:
    """One look at all of them tells whether it is worth while to look for each.

    Each has a parameter of its own: DuckDB copies a list for every place that names it.
    """
    any_of_them = parameters("|".join(map(re.escape, texts)))
    names = [parameters(each) for each in texts]

    def step(text: str) -> str:
        each = " ".join(f"WHEN contains({text}, {name}) THEN {n}" for n, name in enumerate(names, start=1))
        return f"CASE WHEN regexp_matches({text}, {any_of_them}) THEN {outputs}[CASE {each} END] END"

    return step


def _hashed(column: Column) -> Step:
    """No hash of nothing: it would look like one and the same customer in every such row."""
    return lambda text: f"{Transform(str(column.transform))}(lower(nullif(trim({text}, '{BLANKS}'), '')))"


def _guarded(text: str) -> str:
    starts = ", ".join(literal(each) for each in _FORMULA_STARTS)
    return f"CASE WHEN left({text}, 1) IN ({starts}) THEN '''' || {text} ELSE {text} END"


def _text(output: str | bool | None) -> str:
    return str(output).lower() if isinstance(output, bool) else str(output)
