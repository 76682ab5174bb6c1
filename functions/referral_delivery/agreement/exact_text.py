"""Exact texts: which texts are values of a type, as the lake's are written."""

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from referral_delivery.agreement.attributes import AttributeType

CALLED = {
    AttributeType.TEXT: "text",
    AttributeType.INTEGER: "a whole number",
    AttributeType.DECIMAL: "a decimal number",
    AttributeType.DATE: "a date",
    AttributeType.TIMESTAMP: "a timestamp",
}
_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_WHOLE = "0|-?[1-9][0-9]*"
_PLAIN = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?"
# What every reader of a type takes, and a decimal also with zeros at its end.
_READABLE = {
    AttributeType.INTEGER: re.compile(r"0|-?[1-9][0-9]{0,17}"),
    AttributeType.DECIMAL: re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?"),
    AttributeType.DATE: re.compile(_DAY),
}


class Form(NamedTuple):
    """How values of a type are written, for somebody who has written one in another way."""

    described: str
    example: str
    meant: str | None


def is_of(type_: str | None, text: str) -> bool:
    """Whether a text may stand among a type's values without changing the column's type."""
    pattern = _READABLE.get(AttributeType(type_)) if type_ in list(AttributeType) else None
    return bool(pattern and pattern.fullmatch(text))


def unlike(type_: str | None, text: str, *, places: int | None) -> Form | None:
    """The form that values of the type have and the text has not; None where it may be one of them."""
    match type_:
        case AttributeType.INTEGER if not re.fullmatch(_WHOLE, text):
            return Form("digits, without zeros before them", "42", _number(text, places=0))
        case AttributeType.DECIMAL if places is None and not re.fullmatch(_PLAIN, text):
            return Form("digits and a point, without zeros at the end", "2.5", _number(text, places=None))
        case AttributeType.DECIMAL if places is not None and not _has_places(text, places):
            described = f"with {places} digits behind the point" if places else "without a point"
            return Form(described, f"{2:.{places}f}", _number(text, places=places))
        case AttributeType.DATE if not re.fullmatch(_DAY, text):
            return Form("year-month-day", "2026-11-01", None)
    return None


def _has_places(text: str, places: int) -> bool:
    behind = rf"\.[0-9]{{{places}}}" if places else ""
    return re.fullmatch(rf"-?(?:0|[1-9][0-9]*){behind}", text) is not None


def _number(text: str, *, places: int | None) -> str | None:
    """The number that a text says, as it is written; None where it says none, or one of more digits."""
    if not re.fullmatch(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)\s*", text):
        return None
    try:
        number = Decimal(text.strip())
        plain = f"{number.normalize():f}" if places is None else f"{number:.{places}f}"
    except InvalidOperation:
        return None
    return plain if Decimal(plain) == number else None
