"""Rows as JSON Lines: an object a line, its names in the columns' order."""

import json

from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.agreement.column import BOOLEAN, Column
from referral_delivery.file.rows import Copy
from referral_delivery.lake.connection import literal
from referral_delivery.lake.query import Query, text_of

# So many digits come back from every double, which is what most readers make of a number.
# https://en.cppreference.com/w/cpp/types/numeric_limits/digits10
SAFE_DIGITS = 15
# The lines are whole by themselves: no quotes, and no empty line to stand for nothing.
_OPTIONS = "FORMAT csv, QUOTE '', ESCAPE '', NULLSTR '', HEADER false"
_NUMBERS = (AttributeType.INTEGER, AttributeType.DECIMAL)


def copies(query: Query) -> list[Copy]:
    """What writes the rows, one batch after another."""
    members = [
        f"{literal(json.dumps(column.name) + ':')} || {_value(column, text_of(position))}"
        for position, column in enumerate(query.columns)
    ]
    line = " || ',' || ".join(members)
    return [
        Copy(
            f"SELECT '{{' || {line} || '}}' FROM ({batch.sql})",
            _OPTIONS,
            batch.parameters,
            [batch.ahead] if batch.ahead else [],
        )
        for batch in query.batches
    ]


def _value(column: Column, text: str) -> str:
    """A number where every reader gets its digits back, a string where one may not."""
    as_text = f"to_json({text})::VARCHAR"
    if column.kind in _NUMBERS:
        safe = f"length(translate({text}, '-.', '')) <= {SAFE_DIGITS}"
        return f"coalesce(CASE WHEN {safe} THEN {text} ELSE {as_text} END, 'null')"
    return f"coalesce({text if column.kind == BOOLEAN else as_text}, 'null')"
