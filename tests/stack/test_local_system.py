"""`referralctl local` and `deliver`, as an operator runs them."""

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

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from infra.schedules import schedule_name
from local_aws.emulator import Emulator
from local_aws.sftp import known_hosts_line
from referral_delivery.errors import ClientFileError
from referralctl.commands import local as local_command
from referralctl.errors import LocalSystemError
from referralctl.local_system import LocalSystem, session
from referralctl.stacks import Stack
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


def test_up_again_applies_changed_clients_and_keeps_the_data(second: tuple[LocalSystem, Path], tmp_path: Path) -> None:
    local, clients = second
    (name,) = (first := local.up(clients))["clients"]
    client = yaml.safe_load((clients / f"{name}.yaml").read_text())
    changed, stack = tmp_path / "changed", Stack(first["outputs"], local=first)
    stack.s3.put_object(Bucket=stack["lake_bucket"], Key="kept", Body=b"data")
    write_client(changed, name, keys=client["keys"], schedule={"at": ["07:15"], "timezone": "UTC"})
    write_client(changed, "hooli")
    second_up = local.up(changed)
    assert (second_up["pid"], set(second_up["clients"])) == (first["pid"], {name, "hooli"})
    assert stack.s3.get_object(Bucket=stack["lake_bucket"], Key="kept")["Body"].read() == b"data"
    schedule = stack.scheduler.get_schedule(GroupName=stack["schedule_group"], Name=schedule_name(name, 1))
    assert schedule["ScheduleExpression"] == "cron(15 7 * * ? *)"
    local.up(clients)
    transfer = session(first).client("transfer", endpoint_url=first["endpoint_url"])
    users = transfer.list_users(ServerId=stack["sftp_server_id"])["Users"]
    assert [user["UserName"] for user in users] == [name]
    assert [path.name for path in (local.folder / "keys").iterdir()] == [name]


def test_the_lines_of_local_env_point_a_shell_at_the_bare_emulator_and_nowhere_else(
    second: tuple[LocalSystem, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    local, _ = second
    monkeypatch.setattr(local_command, "LocalSystem", lambda: local)
    refused = CliRunner().invoke(local_command.app, ["env"])
    assert (refused.exit_code, "run `referralctl local up --bare` first" in refused.stderr) == (1, True)
    assert subprocess.run(["bash", "-c", 'eval "$1"', "bash", refused.stdout], check=False).returncode != 0
    assert CliRunner().invoke(local_command.app, ["status"]).stdout == "down\n"
    up = json.loads(CliRunner().invoke(local_command.app, ["up", "--bare", "--json"]).stdout)
    lines = CliRunner().invoke(local_command.app, ["env"]).stdout
    foreign = os.environ | {"AWS_PROFILE": "other", "AWS_SESSION_TOKEN": "other", "AWS_REGION": "other"}
    shell = subprocess.run(
        ["bash", "-c", 'eval "$1"; command -v pulumi-resource-aws; env', "bash", lines],
        env=foreign,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shell.splitlines()[0] == str(local.plugin_folder / "pulumi-resource-aws")
    assert f"AWS_ENDPOINT_URL={up['endpoint_url']}" in shell.splitlines()
    assert "=other" not in shell
    status = CliRunner().invoke(local_command.app, ["status"])
    assert (status.exit_code, f"a bare emulator, AWS API at {up['endpoint_url']}" in status.stdout) == (0, True)
    said = json.loads(CliRunner().invoke(local_command.app, ["status", "--json"]).stdout)
    assert said == {"running": True, "bare": True, "healthy": True, "pid": up["pid"], "stack_file": None}
    with pytest.raises(LocalSystemError, match="run `referralctl local down` first"):
        local.up(second[1])


def test_a_refused_change_leaves_the_running_system_as_it_is(second: tuple[LocalSystem, Path], tmp_path: Path) -> None:
    local, clients = second
    first = local.up(clients)
    write_client(tmp_path / "bad", "hooli", attributes=["emial"])
    with pytest.raises(ClientFileError, match="emial"):
        local.up(tmp_path / "bad")
    assert local.up(clients) == first


def test_an_up_that_fails_half_way_leaves_no_process(
    second: tuple[LocalSystem, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    local, clients = second
    monkeypatch.setattr("local_aws.makers.transfer.host_key_fingerprint", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        local.up(clients)
    assert (emulators_of(local.folder), local.stack_file.exists()) == ([], False)


def test_what_the_emulator_refuses_is_one_line(second: tuple[LocalSystem, Path]) -> None:
    local, clients = second
    stack = Stack((up := local.up(clients))["outputs"], local=up)
    journal = local.folder / "resources.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if "scheduleGroup:" not in line))
    with pytest.raises(LocalSystemError, match=r"the emulator refused: .*CreateScheduleGroup.*emulator.log says more"):
        local.up(clients)
    assert stack.ledger.position("nobody").cursor is None
    local.up(clients)  # what was refused was begun: it is made anew, with the schedules in it
    assert stack.scheduler.get_schedule(GroupName=stack["schedule_group"], Name=schedule_name("umbrella", 1))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_no_process(
    second: tuple[LocalSystem, Path], number: signal.Signals, eventually: Any
) -> None:
    local, clients = second
    program = (
        "import sys; from pathlib import Path\n"
        "from referralctl import local_system; from referralctl.commands import local as cli\n"
        f"cli.LocalSystem = lambda: local_system.LocalSystem(Path({str(local.folder)!r}))\n"
        f"from referralctl.main import app; app(['local', 'up', '--clients', {str(clients)!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually((local.folder / "emulator.json").exists, seconds=60, what="the emulator's start")
    os.kill(process.pid, number)
    assert process.wait(timeout=60) != 0
    assert (emulators_of(local.folder), local.stack_file.exists()) == ([], False)


def test_down_leaves_a_process_alone_that_has_only_the_same_id(second: tuple[LocalSystem, Path]) -> None:
    local, _ = second
    local.folder.mkdir(parents=True)
    other = Emulator(os.getpid(), time.time() - 10_000, port=1, sftp_port=2, folder=str(local.folder)).to_json()
    (local.folder / "emulator.json").write_text(json.dumps(other))
    assert local.running() is None
    assert not local.down()


def test_a_refused_client_folder_starts_nothing(second: tuple[LocalSystem, Path], tmp_path: Path) -> None:
    local, _ = second
    with pytest.raises(Exception, match="no folder of that name"):
        local.up(tmp_path / "nowhere")
    with pytest.raises(LocalSystemError, match=rf"umbrella.yaml is a file; give the folder .*: {tmp_path}/clients"):
        local.up(tmp_path / "clients" / "umbrella.yaml")
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


def test_no_stack_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path) -> None:
    done = referralctl("deliver", "acme", "--outputs", str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert "none.json: no JSON file of stack outputs" in done.stderr
