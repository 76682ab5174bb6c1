"""What a file of referrals becomes on its way into the lake, without a lake."""

import tempfile
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from referralctl.errors import FileRefused
from referralctl.loading.staging import staged
from referralctl.loading.steps import Steps
from tests.support import utc

NOW = utc("2026-11-24 12:00")


def loaded(file: Path, *columns: str, stamp: datetime | None = None) -> list[tuple[object, ...]]:
    """Columns of the Parquet that the file becomes, one hour after the other; an expression will do for a column."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "hour.parquet"
        with staged(file, Path(folder), now=NOW, steps=Steps()) as found:
            for hour in found.hours:
                found.write(hour, into, stamp=stamp)
                rows += duckdb.sql(f"SELECT {', '.join(columns)} FROM read_parquet('{into}')").fetchall()
    return rows


def refusal(file: Path) -> str:
    """The line with which a file is refused, without its folder."""
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.raises(FileRefused) as refused,
        staged(file, Path(folder), now=NOW, steps=Steps()),
    ):
        pass
    said = str(refused.value)
    assert said.startswith(str(file))
    assert "\n" not in said
    return said.removeprefix(f"{file.parent}/")
