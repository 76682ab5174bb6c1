"""What every row of a file must keep, as SQL over the file's columns, and the first row that does not."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from referralctl.errors import FileRefused
from referralctl.loading.source import Source
from referralctl.loading.values import Reading

# How far clocks may be apart.
_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is said of a row for which `broken` is true."""

    column: str
    broken: str
    found: str
    expected: str
    do: str


def check(con: duckdb.DuckDBPyConnection, source: Source, rules: list[Rule]) -> int:
    """The number of rows; FileRefused for the first row that breaks a rule."""
    firsts = (f"min(_row) FILTER (WHERE {rule.broken})" for rule in rules)
    sql = f"SELECT {', '.join(['count(*)', *firsts])} FROM ({source.sql})"
    rows, *found = con.execute(sql, source.parameters).fetchall()[0]
    broken = [(row, rule) for row, rule in zip(found, rules, strict=True) if row is not None]
    if broken:
        row, rule = min(broken, key=lambda each: each[0])
        raise FileRefused(
            source.file,
            place=source.place(row),
            column=rule.column,
            found=rule.found,
            expected=rule.expected,
            do=rule.do,
        )
    if source.rows not in (None, rows):
        raise FileRefused(
            source.file,
            found=f"{source.rows:,} rows, of which {rows:,} were read",
            expected="all of them",
            do="report this file: two readers of its format disagree",
        )
    return int(rows)


def rules_of(readings: dict[str, Reading], now: datetime) -> list[Rule]:
    """Values that can be kept, an identity for every row, and times of arrival that are not yet to come."""
    rules = [
        Rule(
            column=name,
            broken=f"{name} IS NOT NULL AND NOT ({reading.good})",
            found="a value that cannot be kept exactly",
            expected=reading.expected,
            do="put it right",
        )
        for name, reading in readings.items()
    ]
    rules.append(
        Rule(
            column="referral_id",
            # Blank to people: blanks of any width, what has no width, and control characters.
            broken=r"referral_id IS NULL OR regexp_full_match(referral_id, '[\s\p{Z}\p{C}]*')",
            found="no value",
            expected="an identity for every referral",
            do="give it one",
        )
    )
    return rules + (_arrival(readings["received_at"].value, now) if "received_at" in readings else [])


def _arrival(value: str, now: datetime) -> list[Rule]:
    latest = (now + _AHEAD).astimezone(UTC).replace(tzinfo=None)
    return [
        Rule(
            column="received_at",
            broken=f"({value}) IS NULL",
            found="no value",
            expected="a time of arrival in every row",
            do="give it one, or leave the column out: then all are stamped as arriving now",
        ),
        Rule(
            column="received_at",
            broken=f"({value}) > TIMESTAMP '{latest}'",
            found="a time that is yet to come",
            expected="a time of arrival, in UTC or with its offset",
            do="put it right, or this machine's clock",
        ),
    ]
