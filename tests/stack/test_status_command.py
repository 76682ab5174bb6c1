"""`referralctl status` as it is typed: in a terminal, piped, with a page, and again and again."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from referral_delivery.ledger.watching import Memory
from referral_delivery.watch.roster import Roster
from referralctl.stacks import Stack
from tests.stack.conftest import Lab

REFERRALCTL = str(Path(sys.executable).with_name("referralctl"))
Arguments = Callable[..., list[str]]
SECONDS = 60


@pytest.fixture
def status(system: dict[str, Any], tmp_path: Path) -> Arguments:
    """The command with these options, on the running stack; `outputs` differ from the stack's."""

    def arguments(*options: str, **outputs: str) -> list[str]:
        file = tmp_path / "stack.json"
        file.write_text(json.dumps(system | {"outputs": system["outputs"] | outputs}))
        return [REFERRALCTL, "status", "--outputs", str(file), *options]

    return arguments


@pytest.fixture
def overdue(lab: Lab, stack: Stack) -> Iterator[str]:
    """A roster whose one client has waited for its file since yesterday; the answer is its key."""
    entry = stack.entry("acme").model_dump(mode="json")
    entry["contract"] |= {"client": lab.client}
    entry["schedule"] = {"every": "1h"}
    key = f"rosters-of-tests/{lab.client}.json"
    roster = Roster.model_validate({"clients": [entry]})
    lab.stack.s3.put_object(Bucket=stack["delivery_bucket"], Key=key, Body=roster.to_bytes())
    yesterday = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0)
    memory = Memory(first_seen=yesterday, since=yesterday, schedule=roster.clients[0].schedule.model_dump_json())
    stack.watching.remember(lab.client, memory)
    yield key
    lab.stack.s3.delete_object(Bucket=stack["delivery_bucket"], Key=key)


def test_piped_it_prints_a_whole_line_for_each_client_and_ends_with_0_where_nobody_is_overdue(
    status: Arguments, stack: Stack
) -> None:
    done = subprocess.run(status(), capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["client", "state"]
    assert {line.split()[0] for line in lines[1:]} == set(stack.client_names)
    assert "14 days: # collected" in done.stderr
    assert done.returncode == (1 if "overdue" in done.stdout else 0)


def test_it_ends_with_1_where_somebody_is_overdue_also_when_it_writes_a_page_or_json(
    status: Arguments, overdue: str, lab: Lab, tmp_path: Path
) -> None:
    page = tmp_path / "status.html"
    for options in ([], ["--json"], ["--html", str(page)]):
        done = subprocess.run(status(*options, roster=overdue), capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert "overdue" in done.stdout + done.stderr
    assert lab.client in page.read_text(encoding="utf-8")


def test_it_looks_again_and_again_until_ctrl_c_with_a_line_for_each_look_where_it_is_piped(
    status: Arguments, overdue: str
) -> None:
    with started(status("--watch", "--every", "1", roster=overdue), stdout=subprocess.PIPE) as process:
        assert process.stdout
        looks = [process.stdout.readline().decode() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 1, "it is overdue"
    assert all(look.rstrip().endswith("1 overdue") for look in looks)
    assert looks[0] != looks[1]


def test_in_a_terminal_it_shows_the_table_anew_and_leaves_the_screen_as_it_was(
    status: Arguments, overdue: str, lab: Lab
) -> None:
    ours, theirs = pty.openpty()
    with started(status("--watch", "--every", "1", roster=overdue), stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        screen = shown(ours, until=lab.client.encode())
        process.send_signal(signal.SIGINT)
        screen += shown(ours, until=b"\x1b[?1049l")
        assert process.wait(SECONDS) == 1
    assert b"\x1b[?1049h" in screen, "another screen than the shell's"
    assert b"Traceback" not in screen


@pytest.mark.parametrize("options", [["--json", "--watch"], ["--json", "--html", "page.html"], ["--every", "0"]])
def test_options_that_cannot_be_had_together_are_wrong_usage(status: Arguments, options: Sequence[str]) -> None:
    done = subprocess.run(status(*options), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_page_that_cannot_be_written_is_one_line(status: Arguments, tmp_path: Path) -> None:
    page = tmp_path / "no-folder" / "status.html"
    done = subprocess.run(status("--html", str(page)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert str(page) in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def started(command: Sequence[str], **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does not outlive the test."""
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
    with subprocess.Popen(command, env=environment, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def shown(terminal: int, *, until: bytes) -> bytes:
    """What a terminal shows, up to a text."""
    screen, deadline = b"", time.monotonic() + SECONDS
    while until not in screen:
        assert time.monotonic() < deadline, screen
        if select.select([terminal], [], [], 1)[0]:
            screen += os.read(terminal, 65_536)
    return screen
