"""JSON Lines, written as CSV for DuckDB: its own reader takes numbers for doubles."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from referral_delivery.agreement.attributes import CATALOGUE, AttributeType
from referralctl.errors import FileRefused
from referralctl.loading.columns import attributes_of
from referralctl.loading.lines import Advance, Text, not_unicode, nth, numbered


class Number(str):
    """A number of JSON, as it is written."""

    __slots__ = ()


def csv_of_json_lines(file: Path, into: Path, advance: Advance) -> Text:
    """The objects of a JSON Lines file as CSV, numbers as they are written; FileRefused with the line that is none."""
    positions = {name: position for position, name in enumerate(CATALOGUE)}
    present: dict[str, None] = {}
    names: dict[tuple[str, ...], list[str]] = {}
    rows = 0
    with into.open("wb") as out:
        out.write(",".join(CATALOGUE).encode() + b"\n")
        for line, text in _objects(file, advance):
            pairs = _object(file, line, text)
            keys = tuple(key for key, _ in pairs)
            if keys not in names:
                names[keys] = attributes_of(file, keys, place=f"line {line}")
                present |= dict.fromkeys(names[keys])
            fields = [""] * len(positions)
            for name, (_, value) in zip(names[keys], pairs, strict=True):
                fields[positions[name]] = _field(file, line, name, value)
            try:
                out.write(",".join(fields).encode() + b"\n")
            except UnicodeEncodeError as error:
                raise not_unicode(file, line) from error
            rows += 1
    return Text(into, list(CATALOGUE), list(present), rows)


def json_line(file: Path, row: int) -> str:
    """Where the row of a JSON Lines file stands, rows counted from 1."""
    return f"line {nth((line for line, _ in _objects(file, lambda _: None)), row)}"


def _objects(file: Path, advance: Advance) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number."""
    for line, text in numbered(file, advance):
        if text.strip():
            yield line, text


def _object(file: Path, line: int, text: str) -> tuple[tuple[str, Any], ...]:
    """A line's names and values; an object is a tuple of pairs, so that no name of two is lost."""
    try:
        found = json.loads(
            text, object_pairs_hook=tuple, parse_int=Number, parse_float=Number, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise FileRefused(
            file,
            place=f"line {line}",
            found="no JSON (nor are NaN and Infinity)",
            expected="one JSON object in each line",
            do="put the line right",
        ) from error
    if not isinstance(found, tuple):
        raise FileRefused(
            file,
            place=f"line {line}",
            found="no object",
            expected='one object in each line, such as {"referral_id": "r-1"}',
            do="put the line right",
        )
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _field(file: Path, line: int, attribute: str, value: object) -> str:
    """A value as a field of CSV: null is nothing at all, everything else stands in quotes."""
    if value is None:
        return ""
    text = CATALOGUE[attribute].type is AttributeType.TEXT
    if not isinstance(value, str) or (text and isinstance(value, Number)):
        kinds = {Number: "a number", bool: "true or false", list: "a list", tuple: "an object"}
        raise FileRefused(
            file,
            place=f"line {line}",
            column=attribute,
            found=kinds[type(value)],
            expected="text in quotes, or null" if text else "a number or a text, or null",
            do="write the value as text: a number may have lost zeros or digits" if text else "put the value right",
        )
    return '"' + value.replace('"', '""') + '"'
