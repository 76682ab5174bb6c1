"""A file's referrals on this machine, checked and typed, hour by hour: what is refused is refused before any upload."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from referral_delivery.agreement.attributes import CATALOGUE, AttributeType
from referralctl.errors import FileRefused
from referralctl.loading import source as sources
from referralctl.loading.rules import check, rules_of
from referralctl.loading.source import SPELLED, Source
from referralctl.loading.spelling import Digits, digits_of, spelled
from referralctl.loading.steps import Steps
from referralctl.loading.values import Reading, typed

_NAMED = {
    AttributeType.TEXT: "text",
    AttributeType.INTEGER: "integers",
    AttributeType.DECIMAL: "numbers",
    AttributeType.DATE: "dates",
    AttributeType.TIMESTAMP: "times",
}


@dataclass(frozen=True)
class Staged:
    """Referrals in the order of their hours, and in an hour in the file's.

    Without received_at in the file, they have one hour, None: that of the stamp they are yet to get.
    """

    source: Source
    digest: str
    rows: int
    hours: dict[datetime | None, int]
    con: duckdb.DuckDBPyConnection

    @property
    def stamped(self) -> bool:
        """Whether the file says when its referrals arrived."""
        return "received_at" in self.source.types

    def older(self, than: datetime, hours: list[datetime]) -> tuple[int, str]:
        """How many referrals of these hours arrived before a moment, and where the first of them stands."""
        count, row = self.con.execute(
            "SELECT count(*), min(_row) FROM referrals WHERE list_contains($hours, _hour) AND received_at < $than",
            {"hours": [_naive(hour) for hour in hours], "than": _naive(than)},
        ).fetchall()[0]
        return count, self.source.place(row) if count else ""

    def write(self, hour: datetime | None, path: Path, *, stamp: datetime | None) -> None:
        """The referrals of an hour as Parquet, stamped where the file has no stamps."""
        columns, parameters = ", ".join(self.source.types), {"hour": hour and _naive(hour)}
        if stamp is not None:
            columns += f", TIMESTAMP '{_naive(stamp)}' AS received_at"
        with _reported(self.source):
            self.con.execute(
                f"COPY (SELECT {columns} FROM referrals WHERE _hour IS NOT DISTINCT FROM $hour) "
                f"TO '{_escaped(path)}' (FORMAT parquet)",
                parameters,
            )


@contextmanager
def staged(file: Path, folder: Path, *, now: datetime, steps: Steps) -> Iterator[Staged]:
    """The file's referrals in a database in `folder`; FileRefused, with line and column, for what does not fit."""
    con = duckdb.connect(
        str(folder / "staged.duckdb"),
        # One thread, for rows in the file's order; what does not fit into memory is put off to the folder.
        config={"threads": 1, "memory_limit": "256MB", "temp_directory": str(folder / "spilled")},
    )
    with con:
        con.execute("SET TimeZone = 'UTC'")
        with steps.bytes_of(file) as advance:
            source = sources.opened(file, con, folder, advance)
        before = file.stat()
        with steps.step(f"checking {file.name}"), _reported(source):
            readings = _readings(con, source)
            rows = check(con, source, rules_of(readings, now))
        with steps.step(f"sorting {rows:,} rows"), _reported(source):
            _stage(con, source, readings)
            _check_identities(con, source)
            digest = _digest(file)
        if (after := file.stat()) and (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            raise FileRefused(file, found="a file that changes", expected="one that is whole", do="load it when it is")
        hours = con.execute("SELECT _hour, count(*) FROM referrals GROUP BY _hour ORDER BY _hour").fetchall()
        counts = {hour and hour.replace(tzinfo=UTC): count for hour, count in hours}
        yield Staged(source, digest, rows, counts, con)


def _readings(con: duckdb.DuckDBPyConnection, source: Source) -> dict[str, Reading]:
    """How each column is read; FileRefused for a type that is not its attribute's."""
    readings = {}
    for name, type_ in source.types.items():
        of = CATALOGUE[name].type
        if type_ == SPELLED:
            readings[name] = spelled(of, name, _digits(con, source, name))
        elif found := typed(of, type_, name):
            readings[name] = found
        else:
            raise FileRefused(
                source.file,
                column=name,
                found=type_,
                expected=_NAMED[of],
                do="write the column with that type: it is not changed here, because digits or zeros may be lost",
            )
    return readings


def _digits(con: duckdb.DuckDBPyConnection, source: Source, name: str) -> Digits:
    """The digits that a spelled column of decimals needs; of another, none."""
    if CATALOGUE[name].type is not AttributeType.DECIMAL:
        return Digits()
    whole, scale = digits_of(name)
    sql = f"SELECT coalesce(max({whole}), 0), coalesce(max({scale}), 0) FROM ({source.sql})"
    return Digits(*con.execute(sql, source.parameters).fetchall()[0])


def _stage(con: duckdb.DuckDBPyConnection, source: Source, readings: dict[str, Reading]) -> None:
    values = ", ".join(f"{each.value} AS {name}" for name, each in readings.items())
    hour = "date_trunc('hour', received_at)" if "received_at" in readings else "NULL::TIMESTAMP"
    con.execute(
        f"CREATE TABLE referrals AS SELECT *, {hour} AS _hour FROM (SELECT _row, {values} FROM ({source.sql})) "
        "ORDER BY _hour, _row",
        source.parameters,
    )


def _check_identities(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """FileRefused where two rows are one referral."""
    repeated = con.execute(
        "SELECT min(_row), max(_row) AS last FROM referrals GROUP BY referral_id HAVING count(*) > 1 "
        "ORDER BY last LIMIT 1"
    ).fetchall()
    if repeated:
        first, second = repeated[0]
        raise FileRefused(
            source.file,
            place=source.place(second),
            column="referral_id",
            found=f"the identity of {source.place(first)} again",
            expected="one row for each referral",
            do="take one of the two out",
        )


@contextmanager
def _reported(source: Source) -> Iterator[None]:
    """DuckDB's errors without their values, and a Ctrl-C as what it is."""
    try:
        yield
    except duckdb.Error as error:
        if isinstance(error, duckdb.InvalidInputException) and "UTF8" in str(error):
            raise FileRefused(
                source.file, found="text that is no UTF-8", expected="text in UTF-8", do="write the file again in UTF-8"
            ) from error
        raise FileRefused(
            source.file,
            found=f"what DuckDB cannot read or hold ({type(error).__name__})",
            expected="a whole file of its format, and room for it among temporary files",
            do="write the file again, or set TMPDIR to a folder with room",
        ) from error
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:32]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
