"""`referralctl local`, `deliver` and `lake load`, as an operator runs them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from referralctl.local.system import LocalSystem, LocalSystemError, known_hosts_line
from tests.support import write_client

REFERRALCTL = [sys.executable, "-c", "from referralctl.main import app; app()"]


@pytest.fixture
def second(tmp_path: Path) -> Iterator[tuple[LocalSystem, Path]]:
    """A local system beside the worker's, not yet up, and its clients' folder."""
    write_client(tmp_path / "clients", "umbrella")
    local = LocalSystem(tmp_path / "local")
    yield local, tmp_path / "clients"
    local.down()


@pytest.fixture
def outputs(system: dict[str, Any], tmp_path: Path) -> list[str]:
    """`--outputs FILE` of the worker's system."""
    path = tmp_path / "stack.json"
    path.write_text(json.dumps(system))
    return ["--outputs", str(path)]


def referralctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*REFERRALCTL, *arguments], capture_output=True, text=True, timeout=120, check=False)


def emulators_of(folder: Path) -> list[int]:
    """Processes whose working directory is a local system's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def test_two_systems_run_at_once_and_down_ends_exactly_its_own(
    system: dict[str, Any], second: tuple[LocalSystem, Path]
) -> None:
    local, clients = second
    stack = local.up(clients)
    assert stack["endpoint_url"] != system["endpoint_url"]
    assert set(stack["clients"]) == {"umbrella"}
    assert set(stack) >= {"endpoint_url", "region", "sftp", "outputs", "clients", "pid"}
    assert json.loads(local.stack_file.read_text()) == stack
    assert local.down()
    assert emulators_of(local.folder) == []
    assert psutil.pid_exists(system["pid"])
    assert known_hosts_line(system["sftp"]["host"], system["sftp"]["port"])


def test_up_twice_is_the_same_system(second: tuple[LocalSystem, Path]) -> None:
    local, clients = second
    first = local.up(clients)
    assert local.up(clients) == first
    assert emulators_of(local.folder) == [first["pid"]]


def test_up_with_other_clients_is_refused_while_one_is_up(second: tuple[LocalSystem, Path], tmp_path: Path) -> None:
    local, clients = second
    local.up(clients)
    write_client(tmp_path / "others", "hooli")
    with pytest.raises(LocalSystemError, match=r"already up with .*; run `referralctl local down` first"):
        local.up(tmp_path / "others")


def test_an_up_that_fails_half_way_leaves_no_process(
    second: tuple[LocalSystem, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    local, clients = second
    monkeypatch.setattr("referralctl.local.system._host_key_fingerprint", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        local.up(clients)
    assert (emulators_of(local.folder), local.stack_file.exists()) == ([], False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_no_process(
    second: tuple[LocalSystem, Path], number: signal.Signals, eventually: Any
) -> None:
    local, clients = second
    program = (
        "import sys; from pathlib import Path; from referralctl.local import cli, system\n"
        f"cli.LocalSystem = lambda: system.LocalSystem(Path({str(local.folder)!r}))\n"
        f"from referralctl.main import app; app(['local', 'up', '--clients', {str(clients)!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually((local.folder / "emulator.json").exists, seconds=60, what="the emulator's start")
    os.kill(process.pid, number)
    assert process.wait(timeout=60) != 0
    assert (emulators_of(local.folder), local.stack_file.exists()) == ([], False)


def test_an_up_that_was_killed_is_cleared_by_down(second: tuple[LocalSystem, Path], eventually: Any) -> None:
    local, clients = second
    program = (
        "from pathlib import Path; from referralctl.local.system import LocalSystem\n"
        f"LocalSystem(Path({str(local.folder)!r})).up(Path({str(clients)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    eventually((local.folder / "emulator.json").exists, seconds=60, what="the emulator's start")
    process.kill()
    process.wait()
    with pytest.raises(LocalSystemError, match="killed half-way; run `referralctl local down` first"):
        local.up(clients)
    assert local.down()
    assert emulators_of(local.folder) == []


def test_down_leaves_a_process_alone_that_has_only_the_same_id(second: tuple[LocalSystem, Path]) -> None:
    local, _ = second
    local.folder.mkdir(parents=True)
    other = {"pid": os.getpid(), "started": time.time() - 10_000, "port": 1, "sftp_port": 2}
    (local.folder / "emulator.json").write_text(json.dumps(other))
    assert local.running() is None
    assert not local.down()


def test_a_refused_client_folder_starts_nothing(second: tuple[LocalSystem, Path], tmp_path: Path) -> None:
    local, _ = second
    with pytest.raises(Exception, match="no such folder of client files"):
        local.up(tmp_path / "nowhere")
    assert not (local.folder / "emulator.json").exists()


def test_deliver_prints_what_was_delivered(outputs: list[str], stack: Any, tmp_path: Path, eventually: Any) -> None:
    file, stamp = tmp_path / "referrals.csv", datetime.now(UTC) - timedelta(hours=2)
    rows = "".join(f"r-{n},,{stamp:%Y-%m-%d %H:%M:%S}\n" for n in (1, 2))
    file.write_text(f"referral_id,email,received_at\n{rows}")
    loaded = referralctl("lake", "load", str(file), "--client", "initech", *outputs, "--json")
    assert json.loads(loaded.stdout)["rows"] == 2, loaded.stderr
    printed: list[dict[str, Any]] = []

    def delivered() -> bool:
        """The schedule fires each minute, and may be first or at work: what counts is the client's folder."""
        done = referralctl("deliver", "initech", *outputs, "--json")
        assert done.returncode == 0, done.stderr
        printed.append(json.loads(done.stdout))
        found = stack.s3.list_objects_v2(Bucket=stack["delivery_bucket"], Prefix="downloads/initech/")["Contents"]
        keys = [each["Key"] for each in found]
        bodies = [stack.s3.get_object(Bucket=stack["delivery_bucket"], Key=key)["Body"].read() for key in keys]
        return bool(sum(body.count(b"\nr-") for body in bodies) == 2)

    assert eventually(delivered, seconds=60, what="two referrals in initech's folder")
    assert {report["client"] for report in printed} == {"initech"}
    assert {report["status"] for report in printed} <= {"delivered", "in_progress", "nothing_to_deliver"}


def test_deliver_to_an_unknown_client_names_those_that_exist(outputs: list[str]) -> None:
    done = referralctl("deliver", "nobody", *outputs)
    assert done.returncode == 1
    assert "error: the stack has no client 'nobody'; it has acme, globex, initech" in done.stderr


def test_a_load_keeps_awkward_values_and_files_rows_under_their_hours(
    outputs: list[str], stack: Any, tmp_path: Path
) -> None:
    file = tmp_path / "referrals.csv"
    file.write_text(
        "referral_id,received_at,postcode,audience_id,ad_text,age\n"
        'a,2026-10-01 05:59:59,0800,1234567890123456789,"two\nlines, ""quoted""",\n'
        'b,2026-10-01 06:00:00,,,"",42\n'
    )
    done = referralctl("lake", "load", str(file), "--client", "acme", *outputs, "--json")
    report = json.loads(done.stdout)
    assert [key.split("/")[2:4] for key in report["objects"]] == [
        ["dt=2026-10-01", "hr=05"],
        ["dt=2026-10-01", "hr=06"],
    ]
    rows = []
    for position, key in enumerate(report["objects"]):
        local = tmp_path / f"{position}.parquet"
        stack.s3.download_file(stack["lake_bucket"], key, str(local))
        rows += duckdb.sql(f"SELECT referral_id, postcode, audience_id, ad_text, age FROM '{local}'").fetchall()
    assert rows == [
        ("a", "0800", "1234567890123456789", 'two\nlines, "quoted"', None),
        ("b", None, None, "", 42),
    ]


def test_a_second_load_of_the_same_file_adds_nothing(outputs: list[str], tmp_path: Path) -> None:
    file = tmp_path / "referrals.csv"
    file.write_text("referral_id,received_at\na,2026-10-02 05:00:00\n")
    added = [
        json.loads(referralctl("lake", "load", str(file), "--client", "acme", *outputs, "--json").stdout)["added"]
        for _ in range(2)
    ]
    assert added == [1, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("referral_id,colour\na,red\n", "unknown column 'colour'; expected attribute names: referral_id, "),
        ("email\na@b.example\n", "no column 'referral_id'; every referral needs an identity of its own"),
        (
            "referral_id,received_at\na,\n",
            "a row has no received_at; give every row one, or leave the column out",
        ),
        ("referral_id,age\na,old\n", "could not"),
    ],
)
def test_a_file_that_does_not_fit_the_contract_is_refused_whole(
    outputs: list[str], tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "referrals.csv"
    file.write_text(content)
    done = referralctl("lake", "load", str(file), "--client", "acme", *outputs)
    assert done.returncode == 1
    assert said.lower() in done.stderr.lower()


def test_no_stack_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path) -> None:
    done = referralctl("deliver", "acme", "--outputs", str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert "none.json: no JSON file of stack outputs" in done.stderr
