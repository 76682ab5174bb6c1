"""The resource graph as a whole: names, parents, tags, and what a change of the clients touches."""

import shutil
from pathlib import Path

import pytest
import yaml

from referral_delivery.watch.roster import Roster
from tests.infra.conftest import Graph, Program
from tests.support import ed25519_key, write_client

ROSTER = "urn:pulumi:test::referrals::referrals:roster:RosterObject$aws:s3/bucketObjectv2:BucketObjectv2::roster-object"
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
# The provider adds 26 digits; a bucket's limit is 63.
BUCKET_PREFIX_LIMIT = 63 - 26
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


def test_no_client_name_completes_another_stacks_name(program: Program, tmp_path: Path) -> None:
    taken: set[tuple[str, str]] = set()
    for stack, client in (("prod", "eu-acme"), ("prod-eu", "acme")):
        write_client(tmp_path / stack, client)
        roles = program(tmp_path / stack, stack=stack).of("Role")
        names = {(role.type, role.inputs["name"]) for role in roles}
        assert taken.isdisjoint(names)
        taken |= names
    assert ("aws:iam/role:Role", "referrals-prod-eu.acme.sftp") in taken


def test_a_buckets_name_begins_with_project_and_stack_and_fits(program: Program, clients: Path) -> None:
    stack = "S" * (24 - len("referrals-"))
    for bucket in program(clients, stack=stack).of("Bucket"):
        begin = bucket.inputs["bucketPrefix"]
        assert begin == f"referrals-{stack}-{bucket.name}-".lower()
        assert len(begin) <= BUCKET_PREFIX_LIMIT


def test_tags_of_ones_own_stand_beside_ours(program: Program, clients: Path) -> None:
    graph = program(clients, tags='{"team": "crm", "cost centre": "12"}')
    for each in [found for type_ in TAGGED for found in graph.of(type_)]:
        tags = each.inputs["tags"]
        assert (tags["team"], tags["cost centre"], tags["project"]) == ("crm", "12", "referrals"), each.urn


def test_what_needs_a_roles_rights_waits_for_them(graph: Graph) -> None:
    policies = {each.name: each.urn for each in graph.of("RolePolicy")}
    for schedule in graph.of("Schedule"):
        assert policies["schedules-policy"] in schedule.dependencies
    for user in graph.of("User"):
        assert policies[f"{user.inputs['userName']}-read-own-folder"] in user.dependencies
    for retries in graph.of("FunctionEventInvokeConfig"):
        assert policies[retries.name.replace("-retries", "-policy")] in retries.dependencies
    for mapping in graph.of("EventSourceMapping"):
        assert policies[f"{mapping.name.partition('-')[0]}-policy"] in mapping.dependencies
    permissions = {each.inputs["function"]: each.urn for each in graph.of("Permission")}
    targets = graph.of("EventTarget")
    assert [each.name for each in targets] == ["notify-target", "receive-target"]
    # A queue's own policy lets a rule in.
    for target in (each for each in targets if ":lambda:" in each.inputs["arn"]):
        (function,) = [each for each in graph.of("Function") if target.inputs["arn"].endswith(f":{each.name}")]
        assert permissions[function.inputs["name"]] in target.dependencies


def test_a_buckets_policy_waits_for_its_public_access_block(graph: Graph) -> None:
    blocks = {each.inputs["bucket"]: each.urn for each in graph.of("BucketPublicAccessBlock")}
    policies = graph.of("BucketPolicy")
    assert len(policies) == len(blocks) == len(graph.of("Bucket"))
    for policy in policies:
        assert blocks[policy.inputs["bucket"]] in policy.dependencies


def test_only_what_aws_deletes_with_another_is_left_to_it(graph: Graph) -> None:
    users = {each.inputs["userName"]: each.urn for each in graph.of("User")}
    (group,) = graph.of("ScheduleGroup")
    for each in graph.resources:
        match each.type.rpartition(":")[2]:
            case "SshKey":
                assert each.deleted_with == users[each.inputs["userName"]]
            case "Schedule":
                assert each.deleted_with == group.urn
            case _:
                assert each.deleted_with == "", each.urn


def test_the_account_s_limit_of_roles_is_said_before_it_is_met(
    program: Program, clients: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program(clients)
    assert "IAM roles" not in caplog.text
    monkeypatch.setattr("infra.clients.WARN_FROM_CLIENTS", 3)
    program(clients)
    assert "3 clients need as many IAM roles, and an account has 1,000 unless asked for more" in caplog.text


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
    gone = {urn for urn, *_ in set(graph.comparable()) - set(program(fewer).comparable())} - {ROSTER}
    assert len(gone) == 1
    assert "transfer/sshKey:SshKey::acme-key-" in gone.pop()


def test_removing_a_client_touches_its_own_resources_alone(
    program: Program, clients: Path, graph: Graph, tmp_path: Path
) -> None:
    fewer = tmp_path / "clients"
    shutil.copytree(clients, fewer)
    (fewer / "globex.yaml").unlink()
    less = program(fewer).comparable()
    gone = {urn for urn, *_ in set(graph.comparable()) - set(less)} - {ROSTER}
    assert {urn for urn, *_ in set(less) - set(graph.comparable())} == {ROSTER}
    assert {urn.rpartition("::")[2].split("-")[0] for urn in gone} == {"globex"}
    assert len(gone) == 7  # two components, role, policy, user, key, schedule


def test_an_expired_key_is_not_deployed(program: Program, tmp_path: Path) -> None:
    valid = ed25519_key()
    keys = [
        {"label": "expired", "public_key": ed25519_key(), "expires": "2026-01-01"},
        {"label": "valid", "public_key": valid, "expires": "2099-01-01"},
    ]
    write_client(tmp_path, "acme", keys=keys)
    assert [key.inputs["body"] for key in program(tmp_path).of("SshKey")] == [valid]


def test_the_roster_has_every_client_and_no_public_key(graph: Graph, clients: Path) -> None:
    (found,) = graph.of("BucketObjectv2")
    roster = Roster.model_validate_json(found.inputs["content"])
    assert [entry.client for entry in roster.clients] == sorted(path.stem for path in clients.glob("*.yaml"))
    assert (found.inputs["key"], graph.outputs["roster"]) == (
        "roster/referrals-test.json",
        "roster/referrals-test.json",
    )
    assert "AAAA" not in found.inputs["content"]
    assert roster.clients[0].keys[0].fingerprint.startswith("SHA256:")
