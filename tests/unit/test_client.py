"""A client's days, names and labels at their limits, and what is said beyond them."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from referral_delivery.agreement.client_files import load
from referral_delivery.errors import ClientFileError
from tests.support import TODAY, ed25519_key, write_client

WRITE_IT = "write year, month and day as in 2026-11-01"


def said(folder: Path, **fields: Any) -> tuple[str, str]:
    """What is said of the one slip in these fields: what is expected, and what to do."""
    with pytest.raises(ClientFileError) as refused:
        load(write_client(folder, **fields), today=TODAY)
    (finding,) = refused.value.findings
    return finding.expected, finding.do


@pytest.mark.parametrize(
    ("day", "do"),
    [
        ("2026/1/1", "did you mean `2026-01-01`?"),
        ("2026.12.31", "did you mean `2026-12-31`?"),
        ("2026/4/30", "did you mean `2026-04-30`?"),
        ("2026-4-31", "choose another day: the month ends on 2026-04-30"),
        ("2026-04-0", "choose another day: the month ends on 2026-04-30"),
        ("2026-13-01", WRITE_IT),
        ("2026-00-01", WRITE_IT),
        ("0000-01-01", WRITE_IT),
        ("2026-04-31-", WRITE_IT),
    ],
)
def test_a_day_that_is_none_is_met_with_the_one_that_was_meant(tmp_path: Path, day: str, do: str) -> None:
    assert said(tmp_path, deliver_from=day) == ("a day that exists, as year-month-day", do)


@pytest.mark.parametrize(
    ("days", "ended", "soon"), [(0, True, True), (1, False, True), (30, False, True), (31, False, False)]
)
def test_a_key_ends_on_its_day_and_soon_in_the_thirty_days_before(
    tmp_path: Path, days: int, ended: bool, soon: bool
) -> None:
    expires = str(TODAY + timedelta(days=days))
    keys = [{"label": "crm", "public_key": ed25519_key(), "expires": expires}]
    (key,) = load(write_client(tmp_path, keys=keys), today=TODAY).keys
    assert (key.has_ended(TODAY), key.ends_soon(TODAY)) == (ended, soon)


def test_a_key_without_an_end_never_ends(tmp_path: Path) -> None:
    (key,) = load(write_client(tmp_path), today=TODAY).keys
    assert not key.ends_soon(date.max - timedelta(days=30))


def test_a_first_day_may_be_a_year_ahead_and_no_day_more(tmp_path: Path) -> None:
    ahead = date(2027, 11, 25)
    assert load(write_client(tmp_path, deliver_from=str(ahead)), today=TODAY).deliver_from == ahead
    assert said(tmp_path, deliver_from="2027-11-26")[0] == "a day within a year from today, 2026-11-24"


def test_the_first_day_of_any_lake_is_accepted(tmp_path: Path) -> None:
    assert load(write_client(tmp_path, deliver_from="2015-01-01"), today=TODAY).deliver_from.year == 2015
