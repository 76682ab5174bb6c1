"""How a client wants dates and timestamps written: a name for the common ways, or a small part of strftime's language.

What a format leaves out of a moment is cut off, never rounded.
"""

import re

from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.agreement.refusal import Refused

ISO, DATE, EPOCH, EPOCH_MS = "iso", "date", "epoch", "epoch_ms"
# Names of days and months are English.
_OF_A_DAY = "YymdjbBaA"
DIRECTIVES = {AttributeType.DATE: _OF_A_DAY, AttributeType.TIMESTAMP: f"{_OF_A_DAY}HIpMSfz"}
NAMES = {AttributeType.DATE: (ISO,), AttributeType.TIMESTAMP: (ISO, DATE, EPOCH, EPOCH_MS)}
NUMBERS = (EPOCH, EPOCH_MS)
MAX_FORMAT_CHARACTERS = 64
# Between the parts; a quote, a comma or a backslash would be a surprise in any file.
_BETWEEN = "A-Za-z0-9 ./:_-"
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
        return text
    raise Refused(
        expected=f"{', '.join(names)}, or parts of a {type_} ({', '.join(f'%{each}' for each in allowed)}), and "
        "between them letters, digits, blanks and `. / : _ -`",
        do=_meant(text, type_),
    )


def _meant(text: str, type_: AttributeType) -> str:
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
