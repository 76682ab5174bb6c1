"""The deployer's policy: it has the rights for all that the program makes, and names no right that does not exist."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from infra import PROJECT_FOLDER, deployer
from tests.infra.conftest import Graph, Program
from tests.support import host_key_pem

COMMITTED = json.loads((PROJECT_FOLDER / "docs" / "deployer-policy.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def whole_graph(program: Program, clients: Path) -> Graph:
    """The graph of a stack that has one of everything."""
    keys = {"sftp_host_key": host_key_pem("ed25519"), "sftp_further_host_keys": json.dumps([host_key_pem("ecdsa")])}
    return program(clients, encryption="stack", alarm_email="oncall@example.com", production="true", **keys)


def allowed(policy: Any) -> dict[str, list[str]]:
    """Every action with the resources that it is allowed on."""
    return {action: each["Resource"] for each in policy["Statement"] for action in each["Action"]}


def test_the_committed_policy_is_the_one_that_the_table_makes() -> None:
    assert deployer.policy(account="ACCOUNT", project="referrals") == COMMITTED, (
        "run: python -m infra.deployer > docs/deployer-policy.json"
    )


def test_every_type_that_the_program_makes_is_in_the_table_and_no_other(whole_graph: Graph) -> None:
    made = {each.type for each in whole_graph.resources if each.custom and each.type.startswith("aws:")}
    assert made == set(deployer.ACTIONS)


def test_every_action_of_the_table_is_allowed() -> None:
    needed = {f"{service}:{action}" for service, actions in deployer.ACTIONS.values() for action in actions}
    assert needed <= set(allowed(COMMITTED))


def test_every_action_is_an_operation_of_its_service() -> None:
    session = botocore.session.get_session()
    # S3 names rights otherwise than operations, PassRole is a right alone, and so are those of log deliveries.
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
    unknown = [
        action
        for action in allowed(COMMITTED)
        for service, _, operation in [action.partition(":")]
        if service != "s3"
        and "LogDeliver" not in operation
        and operation not in {"PassRole", *session.get_service_model(service).operation_names}
    ]
    assert unknown == []


def test_whatever_is_named_begins_with_the_project_so_that_the_policy_holds_for_it(whole_graph: Graph) -> None:
    named = {
        each.inputs[field]
        for each in whole_graph.resources
        for field in ("name", "bucketPrefix", "groupName")
        if each.custom and field in each.inputs and each.type not in UNNAMED_BY_PROJECT
    }
    begins = ("referrals-test", "/aws/lambda/referrals-test", "/aws/transfer/referrals-test")
    assert named
    assert [name for name in named if not name.startswith(begins)] == []


# A role's own policy, a schedule in its group, and a key's alias are reached by what holds them.
UNNAMED_BY_PROJECT = {"aws:iam/rolePolicy:RolePolicy", "aws:scheduler/schedule:Schedule", "aws:kms/alias:Alias"}


def test_only_keys_and_what_has_no_name_are_allowed_everywhere() -> None:
    everywhere = [each["Sid"] for each in COMMITTED["Statement"] if "*" in each["Resource"]]
    assert everywhere == ["Kms", "Unnamed"]


def test_roles_may_be_passed_only_to_the_services_that_use_them(whole_graph: Graph) -> None:
    (passing,) = [each for each in COMMITTED["Statement"] if each["Action"] == ["iam:PassRole"]]
    trusted = {
        statement["Principal"]["Service"]
        for each in whole_graph.of("Role")
        for statement in each.policy("assumeRolePolicy")["Statement"]
    }
    assert set(passing["Condition"]["StringEquals"]["iam:PassedToService"]) == trusted


def test_the_policy_is_not_longer_than_iam_takes() -> None:
    # Without blanks: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert len("".join(json.dumps(COMMITTED).split())) <= 6_144
