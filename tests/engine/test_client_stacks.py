"""Clients in a stack of their own, on a platform that another stack has made."""

import json
from pathlib import Path

from local_aws.emulator import HOST, Emulator
from local_aws.plugin import EMULATOR
from local_aws.sftp import SftpSession, require_openssh, write_known_hosts
from referralctl.local_system import generate_key
from tests.engine.conftest import Stacks
from tests.support import write_client

REFERRALS = "referral_id,email\nr-1,ann@example.com\n"
# The engine counts its providers among the resources.
_PROVIDERS = {"aws", "pulumi"}


def test_a_stack_of_clients_lives_on_a_platform_without_clients(
    engine_stacks: Stacks, emulator: dict[str, str], tmp_path: Path
) -> None:
    require_openssh()
    keys = [{"label": "x", "public_key": generate_key(tmp_path / "key")}]
    write_client(tmp_path / "clients", "tenant", keys=keys, attributes=["referral_id", "email"])
    (tmp_path / "referrals.csv").write_text(REFERRALS)
    platform = engine_stacks(clients=Path("none"), encryption="stack")
    made = platform.up()
    of_clients = {each for each in made.by("create") if each.split()[0] in {"User", "Schedule", "SshKey"}}
    assert of_clients == {"Schedule schedules-digests", "Schedule schedules-watch"}

    tenants = engine_stacks(
        clients=tmp_path / "clients", platform_stack=f"organization/referrals/{platform.stack.name}"
    )
    assert {each.split()[0] for each in tenants.up().by("create")} - _PROVIDERS == {
        *("Stack", "ClientAccess", "ClientSchedule", "Role", "RolePolicy", "User", "SshKey", "Schedule"),
        *("RosterObject", "BucketObjectv2"),
    }
    for stack in (platform, tenants):
        assert stack.unchanged(stack.stack.up(expect_no_changes=True))

    assert tenants.command("lake", "load", str(tmp_path / "referrals.csv"), "--client", "tenant").returncode == 0
    delivered = tenants.command("deliver", "tenant", "--json")
    assert json.loads(delivered.stdout)["deliveries"][0]["rows"] == 1, delivered.stderr
    (listed,) = json.loads(tenants.command("deliveries", "tenant", "--json").stdout)
    listener = Emulator.from_json(json.loads(emulator[EMULATOR]))
    known_hosts = write_known_hosts(HOST, listener.sftp_port, tmp_path / "known_hosts")
    sftp = SftpSession(HOST, listener.sftp_port, "tenant", tmp_path / "key", known_hosts)
    assert sftp.run("get /downloads/*", folder=tmp_path).returncode == 0
    assert (tmp_path / listed["file"]).read_text() == REFERRALS
    assert tenants.command("status").returncode == 0
    assert platform.command("status").returncode == 0

    tenants.stack.destroy()
    platform.stack.destroy()
    assert (tenants.resources(), platform.resources()) == ([], [])
