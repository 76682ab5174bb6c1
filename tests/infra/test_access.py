"""What the program says of clients' keys while it deploys."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.infra.conftest import Program
from tests.support import ed25519_key, write_client

TODAY = datetime.now(UTC).date()


def warnings(program: Program, folder: Path, caplog: pytest.LogCaptureFixture, *days: int | None) -> list[str]:
    """What is warned of a client whose keys expire so many days from today; None is never."""
    keys = [
        {"label": f"key {number}", "public_key": ed25519_key()}
        | ({} if each is None else {"expires": f"{TODAY + timedelta(days=each)}"})
        for number, each in enumerate(days)
    ]
    write_client(folder, "acme", keys=keys)
    with caplog.at_level(logging.WARNING):
        program(folder)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_key_that_ends_within_thirty_days_is_warned_of(
    program: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (said,) = warnings(program, tmp_path, caplog, 30, None)
    assert said == f"acme: key 'key 0' expires on {TODAY + timedelta(days=30)}; ask for the next"


def test_a_key_that_ends_later_is_not_warned_of(
    program: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Not 31: the day may change between this line and the program's own look at the clock.
    assert warnings(program, tmp_path, caplog, 32, None) == []


def test_a_key_that_has_ended_is_warned_of_as_not_deployed(
    program: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (said,) = warnings(program, tmp_path, caplog, 0, None)
    assert said == f"acme: key 'key 0' expired on {TODAY}; not deployed"


def test_a_client_whose_keys_have_all_ended_is_said_to_be_locked_out(
    program: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    *_, said = warnings(program, tmp_path, caplog, -1)
    assert said == "acme: no valid key; the client cannot log in"
