"""A client file's text → its fields, each with its line.

The values are built from YAML's events, without YAML's types: `06:00` is no base-60 number, `2026-11-31` no date
that cannot be, `0412` no octal number and `!!int "abc"` no crash. A value is text, true, false or nothing; the
model knows the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from referral_delivery.agreement.client_file import causes, unreadable
from referral_delivery.agreement.client_file.shown import quoted, source_line
from referral_delivery.agreement.client_file.unreadable import Cause, UnreadableFile

Location = tuple[int | str, ...]

# A column's value map stands at depth 5; the rest is room for fields to come.
MAX_DEPTH = 10
# Three times the longest key that Transfer Family takes: SSH2 and PEM have headers and comments beside it.
MAX_CHARACTERS = 6_144
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Where the names are values of the lake.
_OF_VALUES = (("equals",), ("contains",))
_TEXT_TAGS = (None, "tag:yaml.org,2002:str")


@dataclass(frozen=True)
class Fields:
    """The fields of one client file, and the line of every value."""

    values: dict[str, Any]
    lines: dict[Location, int]

    def line(self, location: Location) -> int | None:
        """Line of a value, or of what it stands in; None for the file as a whole."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location) if location else None


def parse(text: str) -> Fields:
    """The fields of a file's text; UnreadableFile names the line and the likely cause."""
    lines = text.splitlines()
    builder = _Builder(text, lines)
    try:
        values = builder.document()
    except yaml.MarkedYAMLError as error:
        line, cause = causes.likely(error, lines)
        raise UnreadableFile(line, source_line(lines, line), cause) from error
    except yaml.YAMLError as error:
        raise UnreadableFile(1, source_line(lines, 1), unreadable.UNKNOWN) from error
    if not isinstance(values, dict):
        raise causes.no_fields(values, lines)
    return Fields(values, builder.lines)


class _Builder:
    """Builds the values of one YAML document, event by event."""

    def __init__(self, text: str, source: list[str]) -> None:
        self.lines: dict[Location, int] = {}
        self._source = source
        self._events: Iterator[Any] = iter(yaml.parse(text, yaml.CSafeLoader))

    def document(self) -> Any:
        next(self._events)  # the stream's start
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), ())
        next(self._events)  # the document's end
        second = next(self._events)
        if isinstance(second, yaml.DocumentStartEvent):
            self._refuse(second, unreadable.SECOND_DOCUMENT)
        return value

    def _value(self, event: Any, location: Location) -> Any:
        self.lines[location] = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, unreadable.alias(str(event.anchor)))
        if event.tag not in _TEXT_TAGS:
            self._refuse(event, unreadable.TAG)
        if len(location) > MAX_DEPTH:
            self._refuse(event, unreadable.TOO_DEEP)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(location)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(location)
        self._check_length(event)
        if event.implicit[0]:  # neither quotes nor a tag
            return None if event.value in _NOTHING else _TRUTH.get(event.value, event.value)
        return event.value

    def _sequence(self, location: Location) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, (*location, len(values))))
        return values

    def _mapping(self, location: Location) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._name(event, location)
            if name in values:
                self._refuse(event, unreadable.twice(quoted(name), self.lines[*location, name]))
            values[name] = self._value(next(self._events), (*location, name))
            self.lines[*location, name] = event.start_mark.line + 1
        return values

    def _name(self, event: Any, location: Location) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, causes.name_is_no_text(self._source[event.start_mark.line]))
        self._check_length(event)
        # Elsewhere a name is a field's, and `null:` is one.
        if event.implicit[0] and event.value in _NOTHING and location[-1:] in _OF_VALUES:
            self._refuse(event, unreadable.NO_VALUE)
        return str(event.value)

    def _check_length(self, event: Any) -> None:
        if len(event.value) > MAX_CHARACTERS:
            self._refuse(event, unreadable.too_long(len(event.value), MAX_CHARACTERS))

    def _refuse(self, event: Any, cause: Cause) -> NoReturn:
        line = event.start_mark.line + 1
        raise UnreadableFile(line, source_line(self._source, line), cause)
