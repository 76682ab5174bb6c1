"""What lies under which key, and who may use the stack's own."""

from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import KMS_KEY, OWN_KEY, Graph, Program
from tests.infra.test_policies import for_bucket, statements
from tests.recorder import ACCOUNT_ID, REGION


@pytest.fixture(params=["own", "given"])
def key_and_graph(request: pytest.FixtureRequest) -> tuple[str, Graph]:
    """A key, and the graph of a stack whose data lies under it."""
    return {"own": OWN_KEY, "given": KMS_KEY}[request.param], request.getfixturevalue(f"graph_with_{request.param}_key")


def keys(graph: Graph) -> dict[str, Any]:
    """The key of everything that can have one, by resource."""
    found: dict[str, Any] = {}
    for each in graph.of("BucketServerSideEncryptionConfiguration"):
        (rule,) = each.inputs["rules"]
        found[each.inputs["bucket"]] = rule["applyServerSideEncryptionByDefault"].get("kmsMasterKeyId")
    for table in graph.of("Table"):
        found[table.name] = table.inputs.get("serverSideEncryption", {}).get("kmsKeyArn")
    fields = {"Topic": "kmsMasterKeyId", "Queue": "kmsMasterKeyId", "LogGroup": "kmsKeyId"}
    for type_, field in (fields | {"Function": "kmsKeyArn", "Schedule": "kmsKeyArn"}).items():
        found |= {each.name: each.inputs.get(field) for each in graph.of(type_)}
    return found


def test_everything_that_can_be_is_under_the_key_but_the_access_logs(key_and_graph: tuple[str, Graph]) -> None:
    key, graph = key_and_graph
    under = keys(graph)
    assert under.pop("access-logs-id") is None  # S3 delivers no logs to a bucket with a KMS key
    assert set(under.values()) == {key}
    assert {"downloads-id", "lake-id", "ledger-table", "monitoring-topic", "export-failures", "schedules-dlq"} < set(
        under
    )
    assert {"export-logs", "sftp-logs", "export-function", "acme-schedule-1"} < set(under)


def test_by_default_nothing_is_under_a_kms_key_and_queues_are_encrypted_all_the_same(graph: Graph) -> None:
    assert set(keys(graph).values()) == {None}
    assert graph.of("Key") == []
    assert {queue.inputs["sqsManagedSseEnabled"] for queue in graph.of("Queue")} == {True}


def test_a_queue_under_a_key_does_not_ask_for_sqs_own_which_it_would_refuse(key_and_graph: tuple[str, Graph]) -> None:
    assert not [queue for queue in key_and_graph[1].of("Queue") if "sqsManagedSseEnabled" in queue.inputs]


def test_buckets_under_a_key_use_bucket_keys_so_that_not_every_object_is_a_request(
    key_and_graph: tuple[str, Graph],
) -> None:
    for each in for_bucket(key_and_graph[1], "BucketServerSideEncryptionConfiguration").values():
        (rule,) = each.inputs["rules"]
        default = rule["applyServerSideEncryptionByDefault"]
        assert rule["bucketKeyEnabled"] is (default["sseAlgorithm"] == "aws:kms") is ("kmsMasterKeyId" in default)


def test_the_stacks_key_is_rotated_and_has_a_name(graph_with_own_key: Graph) -> None:
    (key,), (alias,) = graph_with_own_key.of("Key"), graph_with_own_key.of("Alias")
    assert (key.inputs["enableKeyRotation"], key.inputs["deletionWindowInDays"]) == (True, 7)
    assert alias.inputs["name"] == "alias/referrals-test"


def test_a_production_stacks_key_is_protected_and_its_deletion_takes_the_longest(
    program: Program, clients: Path
) -> None:
    (key,) = program(clients, encryption="stack", production="true", alarm_email="oncall@example.com").of("Key")
    assert (key.protect, key.inputs["deletionWindowInDays"]) == (True, 30)


def test_the_stacks_key_lets_in_the_accounts_roles_its_log_groups_alarms_and_rules(graph_with_own_key: Graph) -> None:
    (key,) = graph_with_own_key.of("Key")
    iam, logs, alarms, rules = key.policy("policy")["Statement"]
    assert (iam["Principal"], iam["Action"]) == ({"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}, "kms:*")
    assert logs["Principal"] == {"Service": f"logs.{REGION}.amazonaws.com"}
    allowed = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    prefix = f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:"
    assert allowed == [f"{prefix}/aws/lambda/referrals-test-*", f"{prefix}/aws/transfer/referrals-test"]
    for group in graph_with_own_key.of("LogGroup"):
        assert group.inputs["name"].startswith(tuple(each.removeprefix(prefix).rstrip("*") for each in allowed))
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert rules == alarms | {"Sid": "RulesReportFailures", "Principal": {"Service": "events.amazonaws.com"}}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}}


def test_each_role_gets_just_the_use_of_the_key_that_its_work_needs(
    key_and_graph: tuple[str, Graph], graph: Graph
) -> None:
    key, under = key_and_graph
    both = ["kms:GenerateDataKey", "kms:Decrypt"]
    expected = {
        "acme-read-own-folder": (["kms:Decrypt"], ["s3"]),
        "export-policy": (both, ["s3", "dynamodb", "sqs"]),
        "receive-policy": (both, ["dynamodb", "sqs"]),
        "schedules-policy": (both, None),
    }
    for name, (actions, services) in expected.items():
        known = {each["Sid"] for each in statements(graph, name)}
        (extra,) = [each for each in statements(under, name) if each["Sid"] not in known]
        assert (extra["Action"], extra["Resource"]) == (actions, [key])
        via = [f"{service}.*.amazonaws.com*" for service in services or ()]
        assert extra.get("Condition") == ({"StringLike": {"kms:ViaService": via}} if services else None)


def test_in_china_the_key_lets_in_the_partitions_own_names(program: Program, clients: Path) -> None:
    (key,) = program(clients, region="cn-north-1", encryption="stack").of("Key")
    iam, logs, *_ = key.policy("policy")["Statement"]
    assert iam["Principal"] == {"AWS": f"arn:aws-cn:iam::{ACCOUNT_ID}:root"}
    assert logs["Principal"] == {"Service": "logs.cn-north-1.amazonaws.com.cn"}
    assert "arn:aws:" not in key.inputs["policy"]
