"""A stack's life under the real engine: first up, no-ops, each change that people make, and its end."""

from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from pulumi import automation

from local_aws.emulator import REGION
from tests.engine.conftest import Stacks
from tests.engine.stacks import EngineStack
from tests.support import ed25519_key, host_key_pem, write_client

# It says what each client file says.
ROSTER = ("update", "BucketObjectv2 roster-object")


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """acme and globex, whose files the tests of this module change."""
    folder = tmp_path_factory.mktemp("clients")
    write_client(folder, "acme")
    write_client(folder, "globex", schedule={"every": "1h"})
    return folder


@pytest.fixture(scope="module")
def stack(engine_stacks: Stacks, clients: Path) -> EngineStack:
    """One deployed stack."""
    made = engine_stacks(clients=clients)
    made.up()
    return made


def edit(path: Path, **changed: Any) -> None:
    """Change fields of a client file."""
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changed, sort_keys=False))


def test_a_preview_of_a_fresh_stack_makes_nothing(engine_stacks: Stacks, clients: Path) -> None:
    stack = engine_stacks(clients=clients)
    assert "Server sftp-server" in stack.preview().by("create")
    assert stack.resources() == []


def test_a_second_up_changes_nothing(stack: EngineStack) -> None:
    assert stack.unchanged(stack.stack.up(expect_no_changes=True))


def test_a_refresh_finds_no_drift(stack: EngineStack) -> None:
    assert stack.unchanged(stack.stack.refresh(expect_no_changes=True))


def test_a_changed_time_updates_one_schedule_and_the_roster(stack: EngineStack, clients: Path) -> None:
    edit(clients / "acme.yaml", schedule={"timezone": "Australia/Sydney", "at": ["06:00", "19:45"]})
    assert sorted(stack.up().steps) == [ROSTER, ("update", "Schedule acme-schedule-2")]


def test_a_rotated_key_adds_one_and_removes_one(stack: EngineStack, clients: Path) -> None:
    edit(clients / "acme.yaml", keys=[{"label": "next", "public_key": ed25519_key()}])
    change = stack.up()
    assert [(operation, resource.split()[0]) for operation, resource in sorted(change.steps)] == [
        ("create", "SshKey"),
        ("delete", "SshKey"),
        ("update", "BucketObjectv2"),
    ]


def test_a_changed_attribute_list_changes_only_the_schedules_and_the_roster(stack: EngineStack, clients: Path) -> None:
    edit(clients / "globex.yaml", attributes=["email", "first_name", "state"])
    assert sorted(stack.up().steps) == [ROSTER, ("update", "Schedule globex-schedule-1")]


def test_a_client_is_added_renamed_and_removed_and_no_other_is_touched(stack: EngineStack, clients: Path) -> None:
    write_client(clients, "hooli")
    added = stack.up()
    assert {operation for operation, _ in added.steps} == {"create", "update"}
    assert added.by("update") == {ROSTER[1]}
    assert all(resource.split()[1].startswith("hooli") for resource in added.by("create"))
    (clients / "hooli.yaml").rename(clients / "hooli-eu.yaml")
    edit(clients / "hooli-eu.yaml", client="hooli-eu")
    renamed = stack.up()
    assert {resource.split()[1].startswith("hooli-eu") for resource in renamed.by("create")} == {True}
    assert {resource.replace("hooli-eu", "hooli") for resource in renamed.by("create")} == renamed.by("delete")
    (clients / "hooli-eu.yaml").unlink()
    assert stack.up().by("delete") == renamed.by("create")


def test_what_someone_deleted_by_hand_is_found_by_a_refresh_and_made_again(stack: EngineStack) -> None:
    group = stack.outputs()["schedule_group"]
    boto3.client("scheduler", region_name=REGION).delete_schedule(GroupName=group, Name="globex.1")
    stack.stack.refresh()
    assert stack.up().steps == [("create", "Schedule globex-schedule-1")]


def test_a_production_stack_refuses_to_be_destroyed_before_anything_is_deleted(
    engine_stacks: Stacks, clients: Path
) -> None:
    stack = engine_stacks(clients=clients)
    stack.up(production="true", alarm_email="oncall@example.com")
    before = stack.resources()
    refused = stack.pulumi("destroy", "--yes")
    after = stack.resources()
    assert refused.returncode != 0
    assert "protected" in refused.stdout + refused.stderr
    assert [each["urn"] for each in after] == [each["urn"] for each in before]
    assert {each["type"].rpartition(":")[2] for each in after if each.get("protect")} >= {"Bucket", "Server", "Table"}


def test_a_host_key_is_encrypted_in_the_state(engine_stacks: Stacks, clients: Path) -> None:
    pem = host_key_pem("ed25519")
    stack = engine_stacks(clients=clients)
    stack.stack.set_config("sftp_host_key", automation.ConfigValue(pem, secret=True))
    stack.up()
    exported, body = stack.pulumi("stack", "export"), pem.splitlines()[2]
    assert (exported.returncode, "hostKey" in exported.stdout, body in exported.stdout) == (0, True, False)
    settings = (Path(stack.stack.workspace.work_dir) / f"Pulumi.{stack.stack.name}.yaml").read_text()
    assert ("secure:" in settings, body in settings) == (True, False)
