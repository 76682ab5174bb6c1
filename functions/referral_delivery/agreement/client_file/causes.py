"""Why a text is not readable as fields: the likeliest slip of the pen, from the error's place and the lines there.

A YAML parser says where it gave up, which is often a line after the slip, in words about its grammar.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from referral_delivery.agreement.client_file import unreadable
from referral_delivery.agreement.client_file.shown import source_line
from referral_delivery.agreement.client_file.unreadable import Cause, UnreadableFile


def name_is_no_text(line: str) -> Cause:
    """A mapping or list stands where a field's name should."""
    if "{{" in line:
        return unreadable.TEMPLATE
    return Cause("a field's name", "put a value that begins with { or [ in quotes")


def no_fields(value: object, lines: list[str]) -> UnreadableFile:
    """The whole document is a list, a text, or nothing."""
    first = next((n for n, line in enumerate(lines, 1) if line.strip() and not line.startswith(("#", "---"))), None)
    if value is None or first is None:
        return UnreadableFile(None, "an empty file", Cause("the client's fields", "begin with `client: <name>`"))
    found, line = source_line(lines, first), lines[first - 1]
    if isinstance(value, list):
        cause = Cause(
            "the client's fields, without hyphens before them", "remove the hyphens; begin with `client: <name>`"
        )
    elif glued := _GLUED.match(line):
        cause = _glued(glued)
    else:
        cause = unreadable.WIDE_COLON if _WIDE in line else Cause("the client's fields", "begin with `client: <name>`")
    return UnreadableFile(first, found, cause)


_WIDE = "\uff1a"
_GLUED = re.compile(r"\s*(?:- )?([a-z_]+):([^\s/].*)")
_FIELD = re.compile(r"\s*(?:- )?[a-z_]+:(?:\s|$)")
_COLON_IN_VALUE = re.compile(r"""\s*(?:- )?[\w-]+:\s+[^\s"'].*:(?:\s|$)""")
_TEXT_AFTER_QUOTE = re.compile(r"""\s*(?:- )?[\w-]+:\s+(["']).*\1\s*[^\s#]""")
_TEXT_AFTER_BRACE = re.compile(r"\s*(?:- )?[\w-]+:\s+([{[]).*[]}][^\s,\]}]")
_ITEM_ALONE = re.compile(r"\s*- \w+\s*$")
_SIGN_ALONE = re.compile(r"\s*(?:- )?[\w-]+:\s+[^\w\s]\s*$")
_OPENED = re.compile(r"""\s*(?:- )?[\w-]+:\s+(["'])""")
_ASSIGNED = re.compile(r"\s*[\w-]+\s*=\s*\S")
_HEADING = re.compile(r"\s*\[+[\w.-]+\]+\s*(?:#.*)?$")
_SLASHES = re.compile(r"(?:^|[\s,{[])(?://|/\*)")
_CONFLICT = ("<<<<<<< ", ">>>>>>> ")

_Found = tuple[int, Cause] | None


@dataclass(frozen=True)
class _Stop:
    """Where and why the parser stopped; lines count from 1."""

    problem: str
    context: str
    began: int  # where what it was reading began
    at: int
    character: str
    lines: list[str]

    @property
    def around(self) -> list[tuple[int, str]]:
        """The lines from the one above where it began."""
        return [(n, self.lines[n - 1]) for n in range(max(self.began - 1, 1), self.at + 1) if n <= len(self.lines)]

    @property
    def upwards(self) -> list[tuple[int, str]]:
        """The lines from the one where it stopped to the first."""
        return list(reversed([*enumerate(self.lines, 1)][: self.at]))


def likely(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[int, Cause]:
    """The line and the likely cause of what a YAML parser refused."""
    mark = error.problem_mark
    at = mark.line + 1 if mark else 1
    text = lines[at - 1] if at <= len(lines) else ""
    stop = _Stop(
        problem=error.problem or "",
        context=error.context or "",
        began=error.context_mark.line + 1 if error.context_mark else at,
        at=at,
        character=text[mark.column] if mark and mark.column < len(text) else "",
        lines=lines,
    )
    for cause in _CAUSES:
        if found := cause(stop):
            return found
    return at, unreadable.UNKNOWN


def _glued(match: re.Match[str]) -> Cause:
    return Cause("a blank after the colon", f"write `{match[1]}: …`")


def _begins_with(character: str) -> Cause:
    return Cause(f"no {character} at the beginning of a value without quotes", "put the value in quotes")


def _conflict(stop: _Stop) -> _Found:
    return next(((n, unreadable.MERGE) for n, line in enumerate(stop.lines, 1) if line.startswith(_CONFLICT)), None)


def _mail(stop: _Stop) -> _Found:
    return next(((n, unreadable.MAIL) for n, line in stop.around if line.startswith(">")), None)


def _other_format(stop: _Stop) -> _Found:
    if "document start" not in stop.problem and stop.context != "while scanning a simple key":
        return None
    for number, line in stop.around[-2:]:
        if _HEADING.match(line):
            return number, unreadable.SECTION
        if _ASSIGNED.match(line):
            return number, unreadable.EQUALS
    return None


def _slashes(stop: _Stop) -> _Found:
    within = stop.context in {"while parsing a flow mapping", "while parsing a flow sequence"}
    return next(((n, unreadable.COMMENT) for n, line in stop.around if within and _SLASHES.search(line)), None)


def _template(stop: _Stop) -> _Found:
    return next(((n, unreadable.TEMPLATE) for n, line in stop.around if "{{" in line or "{%" in line), None)


def _tab(stop: _Stop) -> _Found:
    indents = ((n, line[: len(line) - len(line.lstrip())]) for n, line in stop.around)
    return next(((n, unreadable.TAB) for n, indent in indents if "\t" in indent), None)


def _blank(stop: _Stop) -> _Found:
    return next(((n, unreadable.HARD_BLANK) for n, line in stop.around if "\xa0" in line), None)


def _first_character(stop: _Stop) -> _Found:
    if stop.context == "while scanning a block scalar" or stop.problem.startswith("mapping keys"):
        text = stop.lines[stop.began - 1]
        sign = next((sign for sign in "|>?" if f" {sign}" in text), "?")
        return stop.began, _begins_with(sign)
    if "cannot start any token" in stop.problem or any(map(_SIGN_ALONE.match, stop.lines[stop.at - 1 : stop.at])):
        return stop.at, _begins_with(stop.character)
    reference = {"while scanning an alias": "*", "while scanning an anchor": "&"}.get(stop.context)
    return (stop.began, _begins_with(reference)) if reference else None


def _quote(stop: _Stop) -> _Found:
    if "quoted scalar" in stop.context:
        is_open = "end of stream" in stop.problem or "document" in stop.problem
        return stop.began, unreadable.OPEN_QUOTE if is_open else unreadable.BACKSLASH
    if "did not find expected key" not in stop.problem:
        return None
    if stop.at <= len(stop.lines) and _TEXT_AFTER_QUOTE.match(stop.lines[stop.at - 1]):
        return stop.at, unreadable.AFTER_QUOTE
    for number, line in stop.upwards:
        opened = _OPENED.match(line)
        if opened and line.count(opened[1]) % 2:
            return number, unreadable.OPEN_QUOTE
    return None


def _bracket(stop: _Stop) -> _Found:
    if stop.context == "while parsing a flow sequence":
        return stop.began, unreadable.OPEN_LIST
    if stop.context == "while parsing a flow mapping":
        return stop.began, unreadable.OPEN_BRACE
    after = next((match for _, line in stop.around[-1:] if (match := _TEXT_AFTER_BRACE.match(line))), None)
    return (stop.at, _begins_with(after[1])) if after else None


def _key_over_lines(stop: _Stop) -> _Found:
    for number, line in stop.upwards:
        if "public_key:" in line:
            return None if _is_field(stop, number + 1) else (number, unreadable.KEY_LINES)
        if number < stop.at and _FIELD.match(line):
            return None
    return None


def _is_field(stop: _Stop, number: int) -> bool:
    return number > len(stop.lines) or _FIELD.match(stop.lines[number - 1]) is not None


def _colon(stop: _Stop) -> _Found:
    for number, line in stop.around:
        if _WIDE in line:
            return number, unreadable.WIDE_COLON
        if glued := _GLUED.match(line):
            return number, _glued(glued)
    if stop.problem.startswith("mapping values"):
        above = stop.lines[stop.at - 2] if stop.at > 1 else ""
        if _ITEM_ALONE.match(above):
            return stop.at, unreadable.NAME_OF_FIELDS
        inside = _COLON_IN_VALUE.match(stop.lines[stop.at - 1])
        return stop.at, unreadable.COLON_INSIDE if inside else unreadable.LINED_UP
    return None


def _list(stop: _Stop) -> _Found:
    if "'-' indicator" in stop.problem:
        return stop.at, unreadable.COMMA if stop.character == "," else unreadable.HYPHEN_MISSING
    if stop.context == "while scanning a simple key":
        before = stop.lines[stop.began - 2].strip()
        return stop.began, unreadable.HYPHEN_MISSING if before.startswith("- ") else unreadable.NO_COLON
    return None


def _last(stop: _Stop) -> _Found:
    if "document start" in stop.problem:
        return stop.at, unreadable.SECOND_DOCUMENT if stop.lines[stop.at - 1].startswith("---") else unreadable.UNKNOWN
    return (stop.at, unreadable.LINED_UP) if "did not find expected key" in stop.problem else None


# The first that finds something says it.
_CAUSES: tuple[Callable[[_Stop], _Found], ...] = (
    _conflict,
    _mail,
    _template,
    _tab,
    _blank,
    _key_over_lines,
    _first_character,
    _quote,
    _slashes,
    _bracket,
    _other_format,
    _colon,
    _list,
    _last,
)
