"""Deliveries of a stack that the real engine deployed, by its outputs alone; and the end of such a stack."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_aws.emulator import Emulator
from local_aws.plugin import EMULATOR
from local_aws.sftp import SftpSession, require_openssh, write_known_hosts
from referralctl.local_system import generate_key
from tests.engine.conftest import Stacks
from tests.engine.stacks import EngineStack
from tests.support import write_client

REFERRALS = "referral_id,email\nr-1,ann@example.com\nr-2,bob@example.com\n"


@dataclass(frozen=True)
class Deployed:
    """A stack with one client, and that client's way in."""

    stack: EngineStack
    sftp: SftpSession

    def json(self, *words: str) -> object:
        """What `referralctl … --json` prints."""
        done = self.stack.command(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["aws", "stack"])
def deployed(
    request: pytest.FixtureRequest,
    engine_stacks: Stacks,
    emulator: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployed:
    """A stack under AWS's own keys of encryption, and one under a key of its own."""
    require_openssh()
    folder = tmp_path_factory.mktemp(request.param)
    client = f"acme-{request.param}"
    public_key = generate_key(folder / "key")
    attributes = ["referral_id", "email"]
    write_client(folder / "clients", client, keys=[{"label": "x", "public_key": public_key}], attributes=attributes)
    stack = engine_stacks(clients=folder / "clients", encryption=request.param)
    stack.up()
    listener = Emulator.from_json(json.loads(emulator[EMULATOR]))
    known_hosts = write_known_hosts("127.0.0.1", listener.sftp_port, folder / "known_hosts")
    return Deployed(stack, SftpSession("127.0.0.1", listener.sftp_port, client, folder / "key", known_hosts))


def test_operators_and_the_client_work_on_the_stacks_outputs_until_it_is_destroyed_whole(
    deployed: Deployed, tmp_path: Path
) -> None:
    stack, client = deployed.stack, deployed.sftp.user
    (tmp_path / "referrals.csv").write_text(REFERRALS)
    assert stack.command("status").returncode == 0
    assert stack.command("lake", "load", str(tmp_path / "referrals.csv"), "--client", client).returncode == 0
    report = deployed.json("deliver", client)
    assert isinstance(report, dict)
    assert [each["rows"] for each in report["deliveries"]] == [2]
    assert deployed.json("resend", client, "1")
    listed = deployed.json("deliveries", client)
    assert isinstance(listed, list)
    name = listed[0]["file"]
    assert (listed[0]["sha256"], len(listed[0]["resends"])) == (report["deliveries"][0]["sha256"], 1)

    fetched = deployed.sftp.run("get /downloads/*", folder=tmp_path)
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / name).read_text() == REFERRALS

    assert stack.unchanged(stack.stack.up(expect_no_changes=True))
    stack.stack.destroy()
    assert stack.resources() == []
    assert deployed.sftp.run("ls /downloads").returncode != 0
