"""`referralctl local up`, killed at the worst moments: AWS has done something, and nobody has written it down."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from infra.schedules import schedule_name
from local_aws.sftp import SftpSession, write_known_hosts
from referralctl.commands import local as local_command
from referralctl.errors import LocalSystemError
from referralctl.local_system import LocalSystem, session
from referralctl.stacks import Stack
from tests.support import write_client


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[tuple[LocalSystem, Path]]:
    """A local system that is not yet up, and its clients' folder."""
    write_client(tmp_path / "clients", "umbrella")
    local = LocalSystem(tmp_path / "local")
    yield local, tmp_path / "clients"
    local.down()


# Ends its process the moment that AWS has answered a certain request, or before anything is written down of it.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from botocore.client import BaseClient
from referralctl.local_system import LocalSystem
folder, clients, settings, deadly = sys.argv[1:]
send = BaseClient._make_api_call
def answered(client, operation, request):
    answer = send(client, operation, request)
    if operation == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
BaseClient._make_api_call = answered
LocalSystem(Path(folder), json.loads(settings)).up(Path(clients))
"""


def killed_after(operation: str, local: LocalSystem, clients: Path) -> bool:
    """Run `up` in a process that is killed as soon as AWS has done this; False where it never comes to that."""
    words = [sys.executable, "-c", KILLED, str(local.folder), str(clients), json.dumps(local.settings), operation]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("operation", ["CreateServer", "CreateFunction", "CreateSchedule", "ImportSshPublicKey"])
def test_a_first_up_that_was_killed_goes_on_where_it_was(
    unstarted: tuple[LocalSystem, Path], operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, clients = unstarted
    monkeypatch.setattr(local_command, "LocalSystem", lambda: local)
    assert killed_after(operation, local, clients)
    halfway = CliRunner().invoke(local_command.app, ["status"])
    assert (halfway.exit_code, halfway.stdout.startswith("half up")) == (1, True)
    with pytest.raises(LocalSystemError, match="half of one whose `up` was killed"):
        local.up_bare()
    up = local.up(clients)
    assert reads_its_folder(up, "umbrella")
    assert local.up(clients) == up


@pytest.mark.timeout(600)  # a dozen runs of `up`
def test_a_second_up_that_is_killed_again_and_again_ends_as_one_that_was_not_and_keeps_the_data(
    unstarted: tuple[LocalSystem, Path],
) -> None:
    local, clients = unstarted
    first = local.up(clients)
    stack = Stack(first["outputs"], local=first)
    stack.s3.put_object(Bucket=stack["lake_bucket"], Key="kept", Body=b"data")
    # Users are made anew for their tags; then all that changes under a key of the stack's own.
    tagged = LocalSystem(local.folder, {"tags": '{"team": "crm"}'})
    keyed = LocalSystem(local.folder, {"encryption": "stack", "tags": '{"team": "clinic"}'})
    deaths = [(tagged, "DeleteUser"), (keyed, "CreateKey"), (keyed, "DeleteLogGroup"), (keyed, "CreateLogGroup")]
    assert [killed_after(each, system, clients) for system, each in deaths] == [True] * len(deaths)
    write_client(clients, "hooli")
    assert [killed_after(each, keyed, clients) for each in ("CreateRole", "CreateUser")] == [True, True]
    write_client(clients, "initech")
    assert killed_after("CreateSchedule", keyed, clients)
    client = yaml.safe_load((clients / "umbrella.yaml").read_text())
    write_client(clients, "umbrella", keys=client["keys"], schedule={"at": ["07:15"], "timezone": "UTC"})
    up = keyed.up(clients)
    assert (up["pid"], set(up["clients"])) == (first["pid"], {"umbrella", "hooli", "initech"})
    assert stack.s3.get_object(Bucket=stack["lake_bucket"], Key="kept")["Body"].read() == b"data"
    assert all(reads_its_folder(up, name) for name in up["clients"])
    transfer = session(up).client("transfer", endpoint_url=up["endpoint_url"])
    user = transfer.describe_user(ServerId=stack["sftp_server_id"], UserName="umbrella")["User"]
    assert {"Key": "team", "Value": "clinic"} in user["Tags"]
    assert len(user["SshPublicKeys"]) == len(client["keys"]) + 1, "its own, and that of the local system"
    schedules = stack.scheduler.list_schedules(GroupName=stack["schedule_group"])["Schedules"]
    assert {each["Name"] for each in schedules} >= {schedule_name(name, 1) for name in up["clients"]}
    schedule = stack.scheduler.get_schedule(GroupName=stack["schedule_group"], Name=schedule_name("umbrella", 1))
    assert schedule["ScheduleExpression"] == "cron(15 7 * * ? *)"
    assert keyed.up(clients) == up


def test_an_up_that_was_killed_as_it_deleted_goes_on_deleting(unstarted: tuple[LocalSystem, Path]) -> None:
    local, clients = unstarted
    write_client(clients, "hooli")
    first = local.up(clients)
    (clients / "hooli.yaml").unlink()
    assert [killed_after(each, local, clients) for each in ("DeleteSchedule", "DeleteUser")] == [True, True]
    up = local.up(clients)
    assert set(up["clients"]) == {"umbrella"}
    stack = Stack(first["outputs"], local=up)
    transfer = session(up).client("transfer", endpoint_url=up["endpoint_url"])
    users = transfer.list_users(ServerId=stack["sftp_server_id"])["Users"]
    assert [user["UserName"] for user in users] == ["umbrella"]
    roles = session(up).client("iam", endpoint_url=up["endpoint_url"]).list_roles()["Roles"]
    assert not [role["RoleName"] for role in roles if "hooli" in role["RoleName"]]


def reads_its_folder(up: dict[str, Any], name: str) -> bool:
    """Whether a client of a local system gets in, and finds its folder."""
    sftp = up["sftp"]
    known_hosts = Path(up["clients"][name]["private_key"]).parent.parent / "known_hosts"
    write_known_hosts(sftp["host"], sftp["port"], known_hosts)
    way_in = SftpSession(sftp["host"], sftp["port"], name, Path(up["clients"][name]["private_key"]), known_hosts)
    return way_in.run("ls /downloads").returncode == 0
