"""Files that are numbered by the day on which their windows end."""

from datetime import timedelta
from typing import Any

from tests.support import utc
from tests.unit.test_export import Day

FILE: dict[str, Any] = {"name": "referrals_{client}_{end:%Y%m%d}_{day_sequence:02d}", "when_empty": "skip"}


def test_a_days_files_are_counted_from_one_and_its_runs_without_a_file_are_not() -> None:
    day = Day({"a": utc("2026-11-20 09:20"), "b": utc("2026-11-20 11:20"), "c": utc("2026-11-20 12:20")})
    for _ in range(4):
        day.run(day.now, file=FILE)
        day.now += timedelta(hours=1)
    assert [key.rpartition("_acme_")[2] for key in sorted(day.uploads.visible)] == [
        "20261120_01.csv",
        "20261120_02.csv",
        "20261120_03.csv",
    ]


def test_a_window_that_ends_at_midnight_is_of_the_day_that_begins_there() -> None:
    ends = ["2026-11-20 23:59:59", "2026-11-21 00:00", "2026-11-21 01:00"]
    day = Day({str(number): utc(end) - timedelta(seconds=1) for number, end in enumerate(ends)})
    for end in ends:
        day.now = utc(end)
        day.run(day.now, file=FILE)
    assert [key.rpartition("_acme_")[2] for key in sorted(day.uploads.visible)] == [
        "20261120_01.csv",
        "20261121_01.csv",
        "20261121_02.csv",
    ]
