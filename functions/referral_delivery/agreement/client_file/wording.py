"""What the model refuses → findings in words: one place that maps a field and an error's type to sentences.

Pydantic's own sentences ("Input should be a valid tuple") never reach a reader: a rule of ours says its words by
`Refused`, and everything else is said by the field's line in words.py.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from referral_delivery.agreement.attributes import CATALOGUE
from referral_delivery.agreement.client_file.fields import Fields, Location
from referral_delivery.agreement.client_file.shown import CURLY_QUOTES, NOT_SHOWN, described, masked, quoted
from referral_delivery.agreement.client_file.unreadable import TEMPLATE
from referral_delivery.agreement.client_file.words import FIELDS, MEANT, MEANT_TRUTH, MEANT_VALUES, YES_OR_NO
from referral_delivery.agreement.column import Transform
from referral_delivery.agreement.key_formats import PRIVATE_KEY
from referral_delivery.agreement.refusal import Refused, nearest
from referral_delivery.errors import Finding

# With less, any short word is like md5.
_ALIKE = 0.7
# What pydantic calls a mapping's key in a place.
_KEY = "[key]"
_MAP = "attributes.*.map"
# What people write at the top, or in a map, and is a column's.
_OF_COLUMNS = {each.removeprefix("attributes.*.") for each in FIELDS if each.startswith("attributes.*.")}


def findings(error: ValidationError, path: Path, read: Fields, *, secret: bool) -> list[Finding]:
    """A finding for each slip that the model's errors show; `secret` files are not quoted."""
    details = error.errors(include_url=False)
    meant = {place for detail in details for place in _meant_for(detail, read.values)}
    inside = {detail["loc"][:-1] for detail in details}
    told: dict[Location, Finding] = {}
    for detail in details:
        location = _written((*detail["loc"], *_inside(detail)), read.values)
        follows = detail["loc"] in meant or (
            detail["type"] == "too_short" and any(place[: len(location)] == location for place in inside)
        )
        if not follows:
            told[location] = _finding(detail, location, path, read, secret)
    return list(told.values())


def _written(location: Location, values: Any) -> Location:
    """The place as far as the file has it: `email` alone is a column, and `06:00` alone a list of times."""
    part = values
    for depth, step in enumerate(location):
        if isinstance(step, int) and isinstance(part, list):
            part = part[step]
        elif isinstance(step, str) and isinstance(part, dict):
            part = part.get(step)
        else:
            return location[:depth]
    return location


def _inside(detail: ErrorDetails) -> Location:
    """Where in the refused value the slip is."""
    refused = detail.get("ctx", {}).get("error")
    return refused.at if isinstance(refused, Refused) else ()


def _finding(detail: ErrorDetails, location: Location, path: Path, read: Fields, secret: bool) -> Finding:
    found, expected, do = _words(detail, read.values)
    return Finding(
        file=path,
        line=read.line(location),
        field=".".join(map(str, _known(location))) if secret else named(location, read.values),
        found=NOT_SHOWN if secret and found != PRIVATE_KEY else found,
        expected=expected,
        do=do,
    )


def _words(detail: ErrorDetails, values: Any) -> tuple[str, str, str]:
    """Found, expected, do."""
    value = detail["input"]
    refused = detail.get("ctx", {}).get("error")
    if isinstance(refused, Refused):
        found = described(value) if refused.found is None else masked(refused.found)
        return found, refused.expected, _slip(value, masked(refused.do))
    if detail["type"] == "extra_forbidden":
        return _unknown_field(detail["loc"], _entry(detail["loc"], values))
    pattern = _pattern(detail["loc"])
    words = FIELDS[pattern]
    if detail["type"] == "missing":
        return "nothing", words.expected, words.do or f"add it, like `{words.example}`"
    return described(value), words.expected, _advice(pattern, value)


def _advice(pattern: str, value: object) -> str:
    words, near = FIELDS[pattern], None
    meant = MEANT_TRUTH if words.choices == YES_OR_NO else MEANT_VALUES.get(pattern, {})
    if isinstance(value, str):
        near = meant.get(value.strip(" ").casefold()) or nearest(value, words.choices)
    if near and near == value:
        return "remove the quotes"
    return _slip(value, f"did you mean `{near}`?" if near else words.do or f"write it like `{words.example}`")


def _slip(value: object, do: str) -> str:
    """What to do about a slip that may happen in any field, or `do`."""
    if isinstance(value, str) and "{{" in value:
        return TEMPLATE.do
    if isinstance(value, str) and set(value) & CURLY_QUOTES and not do.startswith("did you mean"):
        return "type the quotes anew, straight ones, or leave them out"
    return do


def _unknown_field(location: Location, entry: dict[str, Any]) -> tuple[str, str, str]:
    name, siblings = str(location[-1]), _siblings(location)
    expected = f"one of {', '.join(siblings)}"
    if "\xa0" in name:
        do = "type the blanks before it anew: they are hard blanks (U+00A0), as web pages and Word make them"
    elif _is_column(location, entry):
        do = _column_meant(name, entry)
    elif ":" in name:
        do = f"put a blank after the colon: {quoted(name.replace(':', ': ', 1))}"
    elif meant := _meant(location):
        do = f"remove it; `{meant}` is there already" if meant in entry else f"did you mean `{meant}`?"
    else:
        do = _elsewhere(location)
    return "a field that is not known here", expected, do


def _elsewhere(location: Location) -> str:
    """What to do with a field that is of another place; first of those that are no list's."""
    parent, name = _pattern(location[:-1]), str(location[-1])
    meant = MEANT.get(_plain(name))
    name = name if _parents(name) or meant not in _OF_COLUMNS else str(meant)
    above = next(iter(sorted(_parents(name), key=lambda each: "*" in each)), "")
    if not above:
        return "move it under `equals:`, indented, or remove it" if parent == _MAP else "remove it"
    if parent.startswith(f"{above}."):
        return f"write it as `{name}: …` beside `{parent.removeprefix(f'{above}.')}:`, not below it"
    return f"it belongs under `{above.removesuffix('.*').rpartition('*.')[2]}:`; move it there, indented"


def _parents(name: str) -> list[str]:
    return [above for each in FIELDS for above, _, last in [each.rpartition(".")] if above and last == name]


def _column_meant(name: str, entry: dict[str, Any]) -> str:
    """What to write in the place of `- email: …`: a hash that was meant must not be left out with the colon."""
    if entry == {name: None}:
        return f"remove the colon: `- {name}`"
    texts = [each for value in entry.values() for each in (value.values() if isinstance(value, dict) else [value])]
    hashes = (nearest(each, Transform, cutoff=_ALIKE) for each in texts if isinstance(each, str))
    if transform := next((each for each in hashes if each), None):
        return f"write it as `- {{name: {name}_{transform}, from: {name}, transform: {transform}}}`"
    return f"write `- {name}`, or with fields of its own `- {{name: …, from: {name}, transform: sha256}}`"


def _meant(location: Location) -> str | None:
    name, siblings = str(location[-1]).partition(":")[0], _siblings(location)
    known = MEANT.get(_plain(name))
    if known in _OF_COLUMNS and known not in siblings:
        return None
    return known if known in siblings else nearest(name, siblings)


def _plain(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").split())


def _meant_for(detail: ErrorDetails, values: Any) -> Iterator[Location]:
    """Places whose own errors only follow from this one."""
    *parent, name = detail["loc"]
    if detail["type"] == "missing" and name == "name":
        yield (*parent, "from")  # which is the name where it is not given
    if detail["type"] != "extra_forbidden":
        return
    entry = _entry(detail["loc"], values)
    if _is_column(detail["loc"], entry):
        yield from ((*parent, each) for each in ("name", "from", "transform"))
    elif (meant := _meant(detail["loc"])) and meant not in entry:
        yield (*parent, meant)
        if meant == "value":
            yield (*parent, "from")  # which is the name where nothing is given


def _entry(location: Location, values: Any) -> dict[str, Any]:
    """What the file has beside an unknown field, that field too."""
    for step in location[:-1]:
        values = values[step]
    entry: dict[str, Any] = values
    return entry


def _is_column(location: Location, entry: dict[str, Any]) -> bool:
    """`- email:` with a colon behind it, and not a field of a column that says its name or attribute."""
    return (
        _pattern(location[:-1]) == "attributes.*" and location[-1] in CATALOGUE and not {"name", "from"} & entry.keys()
    )


def _siblings(location: Location) -> list[str]:
    parent = _pattern(location[:-1])
    return [name for each in FIELDS for before, _, name in [each.rpartition(".")] if before == parent and name != "*"]


def _pattern(location: Location) -> str:
    """A place's name in FIELDS; of a list's item, or of what a map says, by `*`."""
    pattern = ""
    for step in location:
        if step == _KEY:
            break
        named = f"{pattern}.{step}".removeprefix(".")
        among_many = isinstance(step, int) or (named not in FIELDS and f"{pattern}.*" in FIELDS)
        pattern = f"{pattern}.*" if among_many else named
    return pattern


def named(location: Location, values: Any) -> str:
    """`keys.0.expires (crm-2026)`: a place in the file, with the label or name of the list's item."""
    label, part = "", values
    for step in location:
        if isinstance(step, str):
            part = part.get(step) if isinstance(part, dict) else None
        elif isinstance(part, list) and isinstance(part[step], dict):
            part = part[step]
            name = part.get("label", part.get("name"))
            label = f" ({quoted(name)[1:-1]})" if isinstance(name, str) and name.strip() else ""
    return ".".join(quoted(str(step))[1:-1] or '""' for step in location) + label


def _known(location: Location) -> Location:
    """A place without the names that are not the model's: in a pasted private key they may be anything."""
    names = {name for each in FIELDS for name in each.split(".")}
    return tuple(step if isinstance(step, int) or step in names else "…" for step in location)
