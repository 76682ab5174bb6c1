"""Why a text is not readable as fields: the likeliest slip of the pen, from the error's place and the lines there.

A YAML parser says where it gave up, which is often a line after the slip, in words about its grammar.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import yaml

from referral_delivery.agreement.client_file.shown import source_line


class Cause(NamedTuple):
    """What should stand there, and what to do."""

    expected: str
    do: str


class UnreadableFile(Exception):
    """A file cannot be read as fields."""

    def __init__(self, line: int | None, found: str, cause: Cause) -> None:
        super().__init__(found)
        self.line, self.found, self.cause = line, found, cause


UNKNOWN = Cause("lines such as `contact: crm@acme.example`", "compare the line, and the one above it, with an example")
SECOND_DOCUMENT = Cause(
    "one client in a file", "remove the line of three hyphens; a second client gets a file of its own"
)
TAG = Cause("a value without a tag (a word that begins with !)", "remove the tag, or put the whole value in quotes")
TOO_DEEP = Cause("fields as in the example files", "remove the brackets or blanks that nest the values so deep")

_MERGE = Cause("a file without Git's conflict marks", "decide which side is right, and remove the marks")
TEMPLATE = Cause("a filled-in value", "replace the {{ … }} by the value; placeholders are not filled in here")
_MAIL = Cause("a file without the marks of a quoted mail", "remove the `>` from the beginning of each line")
_EQUALS = Cause(
    "a colon and a blank after a field's name", "write it as `name: value`; this is another format, such as TOML"
)
_SECTION = Cause("a field's name and a colon", "write `name:`, and its fields below it, indented; this is TOML or INI")
_COMMENT = Cause("no comment that begins with // or /*", "begin it with # and a blank, or remove it")
_TAB = Cause("blanks at the beginning of the line, and found a tab", "replace each tab by two blanks")
_HARD_BLANK = Cause(
    "plain blanks, and found a hard blank (U+00A0), as web pages and Word make them", "type the blanks anew"
)
_WIDE_COLON = Cause("a plain colon and a blank", "type `: ` in the place of the wide colon")
_KEY_LINES = Cause(
    "a public key in one line, and found it broken over several",
    "join its lines, or write `public_key: |` and the key below it, each line indented by two blanks more",
)
_OPEN_QUOTE = Cause("a closing quote", "put the same quote at the value's end, or remove the one at its beginning")
_AFTER_QUOTE = Cause(
    "nothing after the closing quote", "put the whole value in double quotes, or remove the quotes inside it"
)
_COMMA = Cause("no comma at the end of the line", "remove the comma; each `- ` line is an item of its own")
_OPEN_LIST = Cause("a closing ]", "put ] at the list's end")
_OPEN_BRACE = Cause("a closing }", "put } at the end")
_BACKSLASH = Cause("no backslash between double quotes", "use single quotes, or write the backslash twice")
_COLON_INSIDE = Cause("one colon with a blank after it", "put the value in quotes: it holds a colon")
_LINED_UP = Cause(
    "fields that belong together to begin in the same column", "line this one up with the others, with blanks"
)
_HYPHEN_MISSING = Cause("a hyphen before each item of the list", "write `- ` before it, in line with the others")
_NO_COLON = Cause("a name, a colon, a blank and a value", "write it as `name: value`, or join it to the line above")


def alias(name: str) -> Cause:
    return Cause("the value itself", f"a * refers to another place; write the value out, or put `*{name}` in quotes")


def twice(name: str, first: int) -> Cause:
    return Cause(f"{name} once; it stands in line {first} already", "remove one of them")


def too_long(characters: int, most: int) -> Cause:
    return Cause(
        f"at most {most:,} characters in a value, and found {characters:,}",
        "shorten it, or close the quote with which it begins",
    )


def name_is_no_text(line: str) -> Cause:
    """A mapping or list stands where a field's name should."""
    return TEMPLATE if "{{" in line else Cause("a field's name", "put a value that begins with { or [ in quotes")


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
        cause = _WIDE_COLON if _WIDE in line else Cause("the client's fields", "begin with `client: <name>`")
    return UnreadableFile(first, found, cause)


_WIDE = "\uff1a"
_GLUED = re.compile(r"\s*(?:- )?([a-z_]+):([^\s/].*)")
_FIELD = re.compile(r"\s*(?:- )?[a-z_]+:(?:\s|$)")
_COLON_IN_VALUE = re.compile(r"""\s*(?:- )?[\w-]+:\s+[^\s"'].*:(?:\s|$)""")
_TEXT_AFTER_QUOTE = re.compile(r"""\s*(?:- )?[\w-]+:\s+(["']).*\1\s*[^\s#]""")
_TEXT_AFTER_BRACE = re.compile(r"\s*(?:- )?[\w-]+:\s+([{[]).*[]}][^\s,]")
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
    return at, UNKNOWN


def _glued(match: re.Match[str]) -> Cause:
    return Cause("a blank after the colon", f"write `{match[1]}: …`")


def _begins_with(character: str) -> Cause:
    return Cause(f"no {character} at the beginning of a value without quotes", "put the value in quotes")


def _conflict(stop: _Stop) -> _Found:
    return next(((n, _MERGE) for n, line in enumerate(stop.lines, 1) if line.startswith(_CONFLICT)), None)


def _mail(stop: _Stop) -> _Found:
    return next(((n, _MAIL) for n, line in stop.around if line.startswith(">")), None)


def _other_format(stop: _Stop) -> _Found:
    if "document start" not in stop.problem and stop.context != "while scanning a simple key":
        return None
    for number, line in stop.around[-2:]:
        if _HEADING.match(line):
            return number, _SECTION
        if _ASSIGNED.match(line):
            return number, _EQUALS
    return None


def _slashes(stop: _Stop) -> _Found:
    within = stop.context in {"while parsing a flow mapping", "while parsing a flow sequence"}
    return next(((n, _COMMENT) for n, line in stop.around if within and _SLASHES.search(line)), None)


def _template(stop: _Stop) -> _Found:
    return next(((n, TEMPLATE) for n, line in stop.around if "{{" in line or "{%" in line), None)


def _tab(stop: _Stop) -> _Found:
    indents = ((n, line[: len(line) - len(line.lstrip())]) for n, line in stop.around)
    return next(((n, _TAB) for n, indent in indents if "\t" in indent), None)


def _blank(stop: _Stop) -> _Found:
    return next(((n, _HARD_BLANK) for n, line in stop.around if "\xa0" in line), None)


def _first_character(stop: _Stop) -> _Found:
    if stop.context == "while scanning a block scalar" or stop.problem.startswith("mapping keys"):
        text = stop.lines[stop.began - 1]
        sign = next((sign for sign in "|>?" if f" {sign}" in text), "?")
        return stop.began, _begins_with(sign)
    if "cannot start any token" in stop.problem:
        return stop.at, _begins_with(stop.character)
    reference = {"while scanning an alias": "*", "while scanning an anchor": "&"}.get(stop.context)
    return (stop.began, _begins_with(reference)) if reference else None


def _quote(stop: _Stop) -> _Found:
    if "quoted scalar" in stop.context:
        return stop.began, _OPEN_QUOTE if "end of stream" in stop.problem or "document" in stop.problem else _BACKSLASH
    if "did not find expected key" not in stop.problem:
        return None
    if stop.at <= len(stop.lines) and _TEXT_AFTER_QUOTE.match(stop.lines[stop.at - 1]):
        return stop.at, _AFTER_QUOTE
    for number, line in stop.upwards:
        opened = _OPENED.match(line)
        if opened and line.count(opened[1]) % 2:
            return number, _OPEN_QUOTE
    return None


def _bracket(stop: _Stop) -> _Found:
    if stop.context == "while parsing a flow sequence":
        return stop.began, _OPEN_LIST
    if stop.context == "while parsing a flow mapping":
        return stop.began, _OPEN_BRACE
    after = next((match for _, line in stop.around[-1:] if (match := _TEXT_AFTER_BRACE.match(line))), None)
    return (stop.at, _begins_with(after[1])) if after else None


def _key_over_lines(stop: _Stop) -> _Found:
    for number, line in stop.upwards:
        if "public_key:" in line:
            return None if _is_field(stop, number + 1) else (number, _KEY_LINES)
        if number < stop.at and _FIELD.match(line):
            return None
    return None


def _is_field(stop: _Stop, number: int) -> bool:
    return number > len(stop.lines) or _FIELD.match(stop.lines[number - 1]) is not None


def _colon(stop: _Stop) -> _Found:
    for number, line in stop.around:
        if _WIDE in line:
            return number, _WIDE_COLON
        if glued := _GLUED.match(line):
            return number, _glued(glued)
    if stop.problem.startswith("mapping values"):
        inside = _COLON_IN_VALUE.match(stop.lines[stop.at - 1])
        return stop.at, _COLON_INSIDE if inside else _LINED_UP
    return None


def _list(stop: _Stop) -> _Found:
    if "'-' indicator" in stop.problem:
        return stop.at, _COMMA if stop.character == "," else _HYPHEN_MISSING
    if stop.context == "while scanning a simple key":
        before = stop.lines[stop.began - 2].strip()
        return stop.began, _HYPHEN_MISSING if before.startswith("- ") else _NO_COLON
    return None


def _last(stop: _Stop) -> _Found:
    if "document start" in stop.problem:
        return stop.at, SECOND_DOCUMENT if stop.lines[stop.at - 1].startswith("---") else UNKNOWN
    return (stop.at, _LINED_UP) if "did not find expected key" in stop.problem else None


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
