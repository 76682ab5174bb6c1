"""Rows for files of every format, among them values that break loaders: as the lake has them, and as files do."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.support import parquet

ARRIVAL = "2026-11-20 09:00:00"
TYPES = {"age": "INTEGER", "bid_price": "DECIMAL(18,6)", "birth_date": "DATE", "opted_in_at": "TIMESTAMP"}
COLUMNS: list[Any] = [
    "referral_id", "state", *TYPES, {"name": "feed", "value": "partner-7"}, {"name": "live", "value": True},
]  # fmt: skip
HEADER = ["referral_id", "state", *TYPES, "feed", "live"]

# By what they break: quoting, line counting, null words, number and date guessing, encodings, terminals, spreadsheets.
NASTY: tuple[str | None, ...] = (
    None, '', ' ', '  leading and trailing  ', '\t', '"', '""', '"""', "'", '`', '"quoted"',
    'half "open', '\\', '\\n', '\\N', '\\"', 'a,b', 'a;b', 'a|b', 'a\tb', 'a^b', 'line\nbreak',
    'carriage\rreturn', 'both\r\nof them', '\n', '\r', '\r\n', '\n\n', '"\n"', ',\n"',
    'ends with a quote"', 'NULL', 'null', 'None', 'nan', 'NaN', 'inf', '-inf', 'true', 'false',
    'TRUE', 'N/A', '-', '0', '007', '1e5', '1E-07', '0x1F', '1,234.56', '1_000',
    '12345678901234567890', '2026-02-30', '06:00', '1/2', '50%', '$9.99', '#comment', '//comment',
    '--', '; drop', "' OR 1=1 --", '=1+1', '+61 2', '-5', '@cmd', '=HYPERLINK("http://x","y")',
    '<script>alert(1)</script>', '&amp;', '{{template}}', '${HOME}', '%s%d', '../../etc', 'Zoë',
    'e\u0301', 'ﬁ', 'İstanbul', 'ΟΔΟΣ', 'straße', '日本語', 'العربية', 'עברית',
    '\u0939\u093f\u0928\u094d\u0926\u0940', '🎉',
    '\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466', '🇦🇺', '\u200b', '\ufeffmark',
    'a\xa0b', '\u2028', '\u2029', '\u202eright to left', '\x01', '\x1b[31mred', '\x7f', '\x85',
    "x" * 5_000, "🎉" * 500, 'q"' * 500,
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One row as it stands in the lake."""

    referral_id: str
    state: str | None
    age: int | None = None
    bid_price: Decimal | None = None
    birth_date: date | None = None
    opted_in_at: datetime | None = None

    def texts(self) -> list[str | None]:
        """What a text format holds of it, for COLUMNS."""
        price = None if self.bid_price is None else f"{self.bid_price.normalize():f}"
        moment = self.opted_in_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if self.opted_in_at else None
        day = str(self.birth_date) if self.birth_date else None
        age = None if self.age is None else str(self.age)
        return [self.referral_id, self.state, age, price, day, moment, "partner-7", "true"]


def _full(number: int, state: str | None) -> Row:
    return Row(
        f"r-{number:06d}",
        state,
        age=number % 120 - 10,
        bid_price=Decimal(number * 37 - 900) / 1000,
        birth_date=date(1950 + number % 60, 1 + number % 12, 1 + number % 28),
        opted_in_at=datetime(2026, 11, 20, number % 24, number % 60, number % 60, number * 7 % 1_000_000, tzinfo=UTC),
    )


ROWS: dict[str, list[Row]] = {
    "empty": [],
    "one": [_full(1, "NSW")],
    "many": [_full(number, f"state {number % 7}") for number in range(3_000)],
    "nasty": [Row(f"r-{number}", text) for number, text in enumerate(NASTY)],
}


def object_of(rows: Sequence[Row]) -> bytes:
    """The rows as a lake's object."""
    return parquet(
        [
            {
                "referral_id": row.referral_id,
                "state": row.state,
                "age": row.age,
                "bid_price": row.bid_price,
                "birth_date": row.birth_date,
                "opted_in_at": row.opted_in_at and row.opted_in_at.replace(tzinfo=None),
                "received_at": ARRIVAL,
            }
            for row in rows
        ],
        TYPES,
    )


def lines_of(text: str) -> list[Any]:
    """JSON Lines, as any reader of lines sees them."""
    return [json.loads(line, parse_float=Decimal) for line in text.split("\n")[:-1]]
