"""Sample referrals with the values that break naive exports."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "referral_id",
    "email",
    "first_name",
    "last_name",
    "source",
    "state",
    "opted_in_at",
    "audience_id",
    "postcode",
    "ad_text",
)
_FIRST_NAMES = ("Ann", "Zoë", "Łukasz", "José María", "李", "Siobhán", "O", "")
_LAST_NAMES = ("O'Hara", "Smith, Jr", 'The "Great"', "Nguyễn", "van der Berg", "Müller", " Lee ", "de\nSouza")
_STATES = ("NSW", "VIC", "QLD", None, "")
_AD_TEXTS = (
    "Plain text",
    "10% off, today only",
    'Say "hello" and save',
    "First line\nSecond line",
    "Carriage\r\nreturn",
    "Emoji 🎉🚀 and ünïcödé",
    "=SUM(A1:A9)",
    "<p>HTML, with a comma</p>",
    "",
    None,
)
_FIRST_OPT_IN = datetime(2026, 11, 1, tzinfo=UTC)


def write_referrals(path: Path, count: int, *, first: int = 0) -> Path:
    """Write `count` referrals as CSV, numbered from `first`; the same numbers give the same rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for row in referrals(count, first=first):
            file.write(",".join(_quoted(value) for value in row) + "\n")
    return path


def referrals(count: int, *, first: int = 0) -> Iterator[tuple[str | None, ...]]:
    """Rows in the order of COLUMNS."""
    for number in range(first, first + count):
        rng = random.Random(number)  # noqa: S311 - sample data
        yield (
            f"ref-{number:09d}",
            None if number % 97 == 0 else f"Customer{number}@Example.com",
            rng.choice(_FIRST_NAMES),
            rng.choice(_LAST_NAMES),
            f"partner-{rng.randrange(20):02d}.example",
            rng.choice(_STATES),
            (_FIRST_OPT_IN + timedelta(seconds=rng.randrange(1_000_000))).strftime("%Y-%m-%d %H:%M:%S"),
            f"{rng.randrange(10**18, 10**19):019d}",
            f"{rng.randrange(10_000):04d}",
            rng.choice(_AD_TEXTS),
        )


def _quoted(value: str | None) -> str:
    """Null is nothing at all, empty is "": the csv module of Python 3.11 cannot write the difference."""
    return "" if value is None else '"' + value.replace('"', '""') + '"'
