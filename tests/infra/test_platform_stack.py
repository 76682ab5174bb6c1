"""Clients in stacks of their own, on the platform of another stack."""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.platform_stack import OUTPUTS
from tests.infra.conftest import KMS_KEY, OWN_KEY, Graph, Program
from tests.recorder import REGION

PLATFORM = "acme-inc/referrals/platform"


@pytest.fixture(scope="module")
def platform(program: Program) -> Graph:
    """A platform without clients of its own."""
    return program("none")


@pytest.fixture(scope="module")
def apart(program: Program, clients: Path, platform: Graph) -> Graph:
    """A stack of clients that refers to it."""
    return referring(program, clients, platform.outputs)


def referring(program: Program, clients: Path, outputs: dict[str, Any], **config: str) -> Graph:
    return program(clients, stack="eu", referred={PLATFORM: outputs}, platform_stack=PLATFORM, **config)


def test_a_platform_has_all_but_clients(platform: Graph, graph: Graph) -> None:
    own = {"Role", "RolePolicy", "User", "SshKey", "Schedule"}
    for type_ in {each.type.rpartition(":")[2] for each in graph.resources if each.custom} - own:
        assert [each.name for each in platform.of(type_)] == [each.name for each in graph.of(type_)], type_
    assert [role.name for role in platform.of("Role")] == [
        "announce-role",
        "export-role",
        "notify-role",
        "receive-role",
        "schedules-role",
        "watch-role",
    ]
    assert platform.of("User") == []
    assert [schedule.name for schedule in platform.of("Schedule")] == ["schedules-digests", "schedules-watch"]
    assert (platform.outputs["clients"], platform.outputs["client_folders"]) == ({}, {})


def test_a_stack_of_clients_makes_only_what_is_theirs(apart: Graph) -> None:
    made = {each.type for each in apart.resources if each.custom}
    assert made == {
        *("aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy", "aws:transfer/user:User", "aws:transfer/sshKey:SshKey"),
        *("aws:scheduler/schedule:Schedule", "aws:s3/bucketObjectv2:BucketObjectv2"),
    }


def test_the_clients_resources_are_as_in_one_stack_but_for_the_roles_names(apart: Graph, graph: Graph) -> None:
    for type_ in ("User", "SshKey", "Schedule", "RolePolicy"):
        here = {each.name: each.inputs | {"tags": "", "role": ""} for each in apart.of(type_)}
        there = {each.name: each.inputs | {"tags": "", "role": ""} for each in graph.of(type_)}
        assert here == {name: there[name] for name in here}, type_
    assert [role.inputs["name"] for role in apart.of("Role")] == [
        f"referrals-eu.{client}.sftp" for client in sorted(apart.outputs["clients"])
    ]


def test_operators_find_the_platform_in_the_outputs_of_a_stack_of_clients(apart: Graph, platform: Graph) -> None:
    assert set(OUTPUTS) == set(platform.outputs) - {"clients", "client_folders", "roster"}
    assert {name: apart.outputs[name] for name in OUTPUTS} == {name: platform.outputs[name] for name in OUTPUTS}
    assert apart.outputs["client_folders"]["acme"] == "downloads/acme"


@pytest.mark.parametrize(("encryption", "key"), [("stack", OWN_KEY), (KMS_KEY, KMS_KEY)])
def test_clients_of_another_stack_are_under_the_platforms_key(
    program: Program, clients: Path, encryption: str, key: str
) -> None:
    outputs = program("none", encryption=encryption).outputs
    assert outputs["key_arn"] == key
    there = referring(program, clients, outputs)
    for policy in there.of("RolePolicy"):
        assert policy.policy("policy")["Statement"][-1]["Resource"] == [key]
    assert {schedule.inputs["kmsKeyArn"] for schedule in there.of("Schedule")} == {key}


def test_schedules_are_not_left_to_a_group_that_another_stack_deletes(apart: Graph) -> None:
    assert {schedule.deleted_with for schedule in apart.of("Schedule")} == {""}


def test_a_platform_of_another_region_is_refused(program: Program, clients: Path, platform: Graph) -> None:
    with pytest.raises(
        pulumi.RunError, match=f"aws:region: found '{REGION}'; expected 'us-east-1', where the platform"
    ):
        referring(program, clients, platform.outputs | {"region": "us-east-1"})


def test_a_stack_that_is_no_platform_is_refused(program: Program, clients: Path, platform: Graph) -> None:
    with pytest.raises(pulumi.RunError, match=r"has no output region, schedule_role_arn; it must be a platform"):
        referring(
            program,
            clients,
            {name: v for name, v in platform.outputs.items() if name not in ("region", "schedule_role_arn")},
        )


def test_a_platforms_setting_in_a_stack_of_clients_is_refused(program: Program, clients: Path, platform: Graph) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        referring(program, clients, platform.outputs, retention_days="7", production="true", spread_minutes="5")
    assert "2 findings" in str(refused.value)
    assert f"retention_days: found in a stack that refers to {PLATFORM}, and has no effect here" in str(refused.value)


def test_no_clients_on_the_platform_of_another_stack_is_refused(program: Program, platform: Graph) -> None:
    with pytest.raises(pulumi.RunError, match="clients: found 'none' in a stack that refers to a platform"):
        program("none", referred={PLATFORM: platform.outputs}, platform_stack=PLATFORM)
