"""Values of personal attributes, masked so that a file with them keeps its shape. Pure."""

from collections.abc import Sequence

from referral_delivery.agreement.attributes import CATALOGUE, AttributeType
from referral_delivery.agreement.column import BOOLEAN, Column

MASK = "*"
# JSON takes no number that begins with a zero.
_DIGIT = "9"
# The first letter of a shorter value would be most of it.
_LEAST_LETTERS = 3

Texts = tuple[str | None, ...]


def is_personal(column: Column) -> bool:
    """Whether a column is made from personal data, hashed, mapped or renamed; of what nobody knows, it is taken so."""
    return column.source is not None and (column.source not in CATALOGUE or CATALOGUE[column.source].personal)


def personal(columns: Sequence[Column]) -> list[str]:
    """Headers of the columns that are made from personal data."""
    return [column.name for column in columns if is_personal(column)]


def masked_row(columns: Sequence[Column], texts: Texts) -> Texts:
    """A row's texts, those of personal columns masked."""
    pairs = zip(columns, texts, strict=True)
    return tuple(masked(column, text) if text and is_personal(column) else text for column, text in pairs)


def masked(column: Column, text: str) -> str:
    """A personal column's text without what it says, of the same length and of the column's type.

    What loaders look at stays: delimiters, quotes, line ends, blanks, the `@` of an address. So does the first letter,
    but of a value that a map has made, which often tells it from the few others.
    """
    if column.kind == BOOLEAN:
        return "false"
    if column.kind in (AttributeType.INTEGER, AttributeType.DECIMAL):
        return "".join(_DIGIT if sign.isdigit() else sign for sign in text)
    hidden = [position for position, sign in enumerate(text) if _says_something(sign)]
    kept = hidden[0] if len(hidden) >= _LEAST_LETTERS and not column.map else None
    told = {*hidden} - {kept}
    return "".join(MASK if position in told else sign for position, sign in enumerate(text))


def _says_something(sign: str) -> bool:
    return sign.isalnum() or not (sign.isascii() or sign.isspace())
