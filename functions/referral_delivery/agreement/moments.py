"""How a client wants dates and timestamps written: a name for the common ways, or a small part of strftime's language.

What a format leaves out of a moment is cut off, never rounded.
"""

import re
from typing import Annotated

from pydantic import Field

from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.agreement.client_file.shown import quoted
from referral_delivery.agreement.refusal import Refused, nearest

# Where a column says it.
AT = ("format",)
ISO, DATE, EPOCH, EPOCH_MS = "iso", "date", "epoch", "epoch_ms"
# Names of days and months are English.
_OF_A_DAY = "YymdjbBaA"
DIRECTIVES = {AttributeType.DATE: _OF_A_DAY, AttributeType.TIMESTAMP: f"{_OF_A_DAY}HIpMSfz"}
NAMES = {AttributeType.DATE: (ISO,), AttributeType.TIMESTAMP: (ISO, DATE, EPOCH, EPOCH_MS)}
NUMBERS = (EPOCH, EPOCH_MS)
MAX_FORMAT_CHARACTERS = 64
# Between the parts; a quote, a comma or a backslash would be a surprise in any file.
_BETWEEN = "A-Za-z0-9 ./:_-"
# For the JSON Schema.
_PARTS_OF_MOMENTS = rf"^(?=.*%)(?:[{_BETWEEN}]|%[{DIRECTIVES[AttributeType.TIMESTAMP]}])+$"
FORMAT = Annotated[
    str,
    Field(json_schema_extra={"anyOf": [{"enum": [*NAMES[AttributeType.TIMESTAMP]]}, {"pattern": _PARTS_OF_MOMENTS}]}),
]
# What people call the names.
_CALLED = {
    "iso8601": ISO, "iso-8601": ISO, "iso_8601": ISO, "rfc3339": ISO, "unix": EPOCH, "unixtime": EPOCH,
    "timestamp": EPOCH, "epoch_s": EPOCH, "seconds": EPOCH, "unix_ms": EPOCH_MS, "epochms": EPOCH_MS,
    "millis": EPOCH_MS, "milliseconds": EPOCH_MS, "day": DATE,
}  # fmt: skip
# As spreadsheets and other programs write the parts, the longest first.
_ELSEWHERE = {
    "yyyy": "%Y", "yy": "%y", "mmmm": "%B", "mmm": "%b", "dddd": "%A", "ddd": "%a", "dd": "%d", "hh24": "%H",
    "hh": "%H", "mi": "%M", "ss": "%S",
}  # fmt: skip
_PARTS = re.compile("|".join(_ELSEWHERE) + "|mm", re.IGNORECASE)


def check(text: str, type_: AttributeType) -> str:
    """A format for values of a type, or Refused."""
    allowed, names = DIRECTIVES[type_], NAMES[type_]
    if text in names:
        return text
    pieces = re.fullmatch(rf"(?:[{_BETWEEN}]|%[{allowed}])+", text)
    if pieces and "%" in text and len(text) <= MAX_FORMAT_CHARACTERS:
        _refuse_mixed_up(text)
        return text
    raise Refused(
        found=quoted(text) if text.strip() else "nothing",
        expected=f"{', '.join(names)}, or parts of a {type_} ({', '.join(f'%{each}' for each in allowed)}), and "
        "between them letters, digits, blanks and `. / : _ -`",
        do=_meant(text, type_),
        at=AT,
    )


def _refuse_mixed_up(text: str) -> None:
    """Months for minutes, minutes for months, and hours of which nobody knows which half of the day they are of."""
    parts = re.findall("%(.)", text)
    meant = found = ""
    if "M" in parts and not {"H", "I"} & {*parts}:
        meant, found = text.replace("%M", "%m"), "minutes (%M) without hours"
    elif "M" not in parts and re.search("%[HI][^%]?%m", text):
        meant, found = re.sub("(%[HI][^%]?)%m", r"\1%M", text), "the month (%m) behind hours"
    elif "I" in parts and "p" not in parts:
        meant, found = text.replace("%I", "%H"), "hours from 1 to 12 (%I) without AM or PM (%p)"
    if meant:
        raise Refused(
            found=f"{quoted(text)}, which has {found}",
            expected="%m for months, %M for minutes behind hours, and %H, or %I and %p, for hours",
            do=f'did you mean "{meant}"?',
            at=AT,
        )


def _meant(text: str, type_: AttributeType) -> str:
    name = _CALLED.get(text.strip().casefold(), text)
    if near := nearest(name, NAMES[type_]):
        return f"did you mean `{near}`?"
    near = _PARTS.sub(_part, text)
    if "%" in near and near != text and re.fullmatch(rf"(?:[{_BETWEEN}]|%[{DIRECTIVES[type_]}])+", near):
        return f'did you mean "{near}"?'
    return 'write it like "%d/%m/%Y"'


def _part(match: re.Match[str]) -> str:
    """Two letters `mm` are minutes behind hours, months elsewhere."""
    part = match[0].casefold()
    if part == "mm":
        return "%M" if re.search(r"h+\d*\W?$", match.string[: match.start()], re.IGNORECASE) else "%m"
    return _ELSEWHERE[part]
