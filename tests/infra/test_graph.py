"""The resource graph as a whole: names, parents, tags, and what a change of the clients touches."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.infra.conftest import Graph, Program
from tests.support import ed25519_key, write_client

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and the services' quota pages
NAME_LIMITS = {
    "Role": 64,
    "Function": 64,
    "Schedule": 64,
    "ScheduleGroup": 64,
    "Queue": 80,
    "Table": 255,
    "Topic": 256,
    "MetricAlarm": 255,
    "LogGroup": 512,
}
# Pulumi adds "-" and seven hex digits to a logical name: a bucket's limit is 63.
BUCKET_LIMIT = 63 - 8
TAGGED = {*NAME_LIMITS, "Bucket", "Server", "User"} - {"Schedule"}  # schedules have no tags


def test_every_resource_stands_below_its_component(any_graph: Graph) -> None:
    components = {each.urn for each in any_graph.resources if not each.custom}
    for each in any_graph.resources:
        if each.custom:
            assert each.parent in components, each.urn


def test_every_resource_that_can_be_is_tagged(any_graph: Graph) -> None:
    for each in [found for type_ in TAGGED for found in any_graph.of(type_)]:
        tags = each.inputs["tags"]
        assert (tags["project"], tags["stack"]) == ("referrals", "test"), each.urn


def test_names_fit_their_limits_with_the_longest_client_and_stack(program: Program, clients: Path) -> None:
    graph = program(clients, stack="s" * (24 - len("referrals-")))
    for type_, limit in NAME_LIMITS.items():
        for each in graph.of(type_):
            assert len(each.inputs["name"]) <= limit, each.urn
    assert all(len(bucket.name) <= BUCKET_LIMIT for bucket in graph.of("Bucket"))


def test_a_stack_name_that_would_not_fit_is_refused(program: Program, clients: Path) -> None:
    with pytest.raises(Exception, match="choose a shorter stack name"):
        program(clients, stack="s" * 30)


def test_urns_are_unique(any_graph: Graph) -> None:
    urns = [each.urn for each in any_graph.resources]
    assert len(urns) == len(set(urns))


def test_explicit_names_are_unique_within_their_type(any_graph: Graph) -> None:
    assert all(any_graph.of(type_) for type_ in NAME_LIMITS)
    names = [
        (each.type, each.inputs["name"])
        for each in any_graph.resources
        if each.custom and "name" in each.inputs and not each.type.endswith("RolePolicy")
    ]
    assert len(names) == len(set(names))


def test_two_evaluations_of_the_same_input_are_the_same(program: Program, clients: Path, graph: Graph) -> None:
    assert program(clients).comparable() == graph.comparable()


def test_removing_a_key_touches_that_key_alone(program: Program, clients: Path, graph: Graph, tmp_path: Path) -> None:
    fewer = tmp_path / "clients"
    shutil.copytree(clients, fewer)
    content = yaml.safe_load((fewer / "acme.yaml").read_text())
    del content["keys"][0]
    (fewer / "acme.yaml").write_text(yaml.safe_dump(content))
    gone = set(graph.comparable()) - set(program(fewer).comparable())
    assert len(gone) == 1
    assert "transfer/sshKey:SshKey::acme-key-" in gone.pop()[0]


def test_removing_a_client_touches_its_own_resources_alone(
    program: Program, clients: Path, graph: Graph, tmp_path: Path
) -> None:
    fewer = tmp_path / "clients"
    shutil.copytree(clients, fewer)
    (fewer / "globex.yaml").unlink()
    less = program(fewer).comparable()
    gone = set(graph.comparable()) - set(less)
    assert set(less) - set(graph.comparable()) == set()
    assert {urn.rpartition("::")[2].split("-")[0] for urn, *_ in gone} == {"globex"}
    assert len(gone) == 7  # two components, role, policy, user, key, schedule


def test_an_expired_key_is_not_deployed(program: Program, tmp_path: Path) -> None:
    valid = ed25519_key()
    keys = [
        {"label": "expired", "public_key": ed25519_key(), "expires": "2026-01-01"},
        {"label": "valid", "public_key": valid, "expires": "2099-01-01"},
    ]
    write_client(tmp_path, "acme", keys=keys)
    assert [key.inputs["body"] for key in program(tmp_path).of("SshKey")] == [valid]
