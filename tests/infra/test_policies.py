"""Buckets and roles: closed, encrypted, least-privilege."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import KMS_KEY, Graph, Program
from tests.recorder import ACCOUNT_ID, REGION, Recorded


def for_bucket(graph: Graph, type_: str) -> dict[str, Recorded]:
    return {each.inputs["bucket"]: each for each in graph.of(type_)}


def statements(graph: Graph, name: str) -> list[dict[str, Any]]:
    (policy,) = [each for each in graph.of("RolePolicy") if each.name == name]
    found: list[dict[str, Any]] = policy.policy("policy")["Statement"]
    return found


def trust_of(graph: Graph, name: str) -> dict[str, Any]:
    (role,) = [each for each in graph.of("Role") if each.name == name]
    (statement,) = role.policy("assumeRolePolicy")["Statement"]
    return dict(statement)


def test_every_bucket_blocks_public_access(any_graph: Graph) -> None:
    blocks = for_bucket(any_graph, "BucketPublicAccessBlock")
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    for bucket in any_graph.of("Bucket"):
        assert [blocks[f"{bucket.name}-id"].inputs[name] for name in names] == [True] * 4


def test_every_bucket_refuses_whoever_does_not_use_tls(any_graph: Graph) -> None:
    policies = for_bucket(any_graph, "BucketPolicy")
    for bucket in any_graph.of("Bucket"):
        arn = f"arn:aws:s3:::{bucket.name}-id"
        statement, *_ = policies[f"{bucket.name}-id"].policy("policy")["Statement"]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Resource"] == [arn, f"{arn}/*"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_bucket_is_owner_enforced_and_encrypted(any_graph: Graph) -> None:
    owned, encrypted = (
        for_bucket(any_graph, "BucketOwnershipControls"),
        for_bucket(any_graph, "BucketServerSideEncryptionConfiguration"),
    )
    for bucket in any_graph.of("Bucket"):
        assert owned[f"{bucket.name}-id"].inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
        (rule,) = encrypted[f"{bucket.name}-id"].inputs["rules"]
        assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] in ("AES256", "aws:kms")


def test_no_bucket_takes_objects_under_a_key_that_the_writer_brings(any_graph: Graph) -> None:
    encrypted = for_bucket(any_graph, "BucketServerSideEncryptionConfiguration")
    for bucket in any_graph.of("Bucket"):
        (rule,) = encrypted[f"{bucket.name}-id"].inputs["rules"]
        assert rule["blockedEncryptionTypes"] == ["SSE-C"]


def test_what_lies_in_each_bucket_expires_by_its_own_setting(graph: Graph, program: Program, clients: Path) -> None:
    def expiry(found: Graph) -> dict[str, tuple[str, int]]:
        rules = {each: rule.inputs["rules"] for each, rule in for_bucket(found, "BucketLifecycleConfiguration").items()}
        assert {expire["status"] for expire, _ in rules.values()} == {"Enabled"}
        return {
            bucket: (expire["filter"]["prefix"], expire["expiration"]["days"]) for bucket, (expire, _) in rules.items()
        }

    assert expiry(graph) == {
        "downloads-id": ("downloads/", 14),
        "lake-id": ("referrals/", 400),
        "access-logs-id": ("", 90),
    }
    changed = program(
        clients, retention_days="7", lake_prefix="a/b", lake_retention_days="30", access_log_retention_days="365"
    )
    assert expiry(changed) == {
        "downloads-id": ("downloads/", 7),
        "lake-id": ("a/b/", 30),
        "access-logs-id": ("", 365),
    }


def test_uploads_that_nobody_completed_are_swept_after_two_days_in_every_bucket(any_graph: Graph) -> None:
    rules = for_bucket(any_graph, "BucketLifecycleConfiguration")
    assert set(rules) == {f"{bucket.name}-id" for bucket in any_graph.of("Bucket")}
    for rule in rules.values():
        _, abort = rule.inputs["rules"]
        assert (abort["status"], abort["filter"]["prefix"], "expiration" in abort) == ("Enabled", "", False)
        assert abort["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 2}


def test_requests_to_both_buckets_are_logged_by_day_into_a_third(graph: Graph) -> None:
    logged = for_bucket(graph, "BucketLogging")
    assert {bucket: logging.inputs["targetPrefix"] for bucket, logging in logged.items()} == {
        "downloads-id": "downloads/",
        "lake-id": "lake/",
    }
    policy = for_bucket(graph, "BucketPolicy")["access-logs-id"]
    for logging in logged.values():
        # S3 tries whether it may write when logging is set.
        assert policy.urn in logging.dependencies
        assert logging.inputs["targetBucket"] == "access-logs-id"
        assert logging.inputs["targetObjectKeyFormat"] == {"partitionedPrefix": {"partitionDateSource": "EventTime"}}


def test_s3_alone_may_put_access_logs_and_only_those_of_the_stacks_buckets(graph: Graph) -> None:
    _, arriving = for_bucket(graph, "BucketPolicy")["access-logs-id"].policy("policy")["Statement"]
    assert (arriving["Effect"], arriving["Principal"]) == ("Allow", {"Service": "logging.s3.amazonaws.com"})
    assert (arriving["Action"], arriving["Resource"]) == ("s3:PutObject", "arn:aws:s3:::access-logs-id/*")
    assert arriving["Condition"] == {
        "ArnLike": {"aws:SourceArn": ["arn:aws:s3:::downloads-id", "arn:aws:s3:::lake-id"]},
        "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
    }
    for bucket in ("downloads-id", "lake-id"):
        assert len(for_bucket(graph, "BucketPolicy")[bucket].policy("policy")["Statement"]) == 1


def test_a_trial_stack_is_destroyed_with_its_files_and_a_production_stack_is_not(
    graph: Graph, program: Program, clients: Path
) -> None:
    assert {bucket.inputs["forceDestroy"] for bucket in graph.of("Bucket")} == {True}
    production = program(clients, production="true", alarm_email="oncall@example.com")
    assert {bucket.inputs["forceDestroy"] for bucket in production.of("Bucket")} == {False}


def test_no_bucket_is_versioned(any_graph: Graph) -> None:
    assert any_graph.of("BucketVersioning") == []
    assert all("versioning" not in bucket.inputs for bucket in any_graph.of("Bucket"))


def test_an_existing_lake_is_used_and_not_made(program: Program, clients: Path) -> None:
    key = KMS_KEY.replace("11111111", "22222222")
    graph = program(clients, lake_bucket="company.lake", lake_prefix="events/referrals", lake_kms_key_arn=key)
    assert [bucket.name for bucket in graph.of("Bucket")] == ["access-logs", "downloads"]
    assert [logging.inputs["bucket"] for logging in graph.of("BucketLogging")] == ["downloads-id"]
    assert (graph.outputs["lake_bucket"], graph.outputs["lake_prefix"]) == ("company.lake", "events/referrals")
    function = graph.one("Function", "export-function")
    environment = function.inputs["environment"]["variables"]
    assert (environment["LAKE_BUCKET"], environment["LAKE_PREFIX"]) == ("company.lake", "events/referrals")
    rights = {each["Sid"]: each for each in statements(graph, "export-policy")}
    assert rights["ListLake"]["Condition"] == {"StringLike": {"s3:prefix": ["events/referrals/*"]}}
    assert rights["ReadLake"]["Resource"] == ["arn:aws:s3:::company.lake/events/referrals/*"]
    assert (rights["DecryptLake"]["Action"], rights["DecryptLake"]["Resource"]) == (["kms:Decrypt"], [key])
    assert rights["DecryptLake"]["Condition"] == {"StringLike": {"kms:ViaService": ["s3.*.amazonaws.com*"]}}


def test_no_policy_names_all_actions_or_all_resources(any_graph: Graph) -> None:
    for policy in any_graph.of("RolePolicy"):
        for statement in policy.policy("policy")["Statement"]:
            assert statement["Effect"] == "Allow"
            assert not [action for action in statement["Action"] if "*" in action]
            assert "*" not in statement["Resource"]


def test_a_clients_role_reads_its_own_folder_and_has_no_other_right(graph: Graph) -> None:
    listing, getting = statements(graph, "acme-read-own-folder")
    assert (listing["Action"], listing["Resource"]) == (["s3:ListBucket"], ["arn:aws:s3:::downloads-id"])
    assert listing["Condition"] == {
        "StringLike": {"s3:prefix": ["downloads/acme", "downloads/acme/", "downloads/acme/*"]}
    }
    assert (getting["Action"], getting["Resource"]) == (
        ["s3:GetObject"],
        ["arn:aws:s3:::downloads-id/downloads/acme/*"],
    )
    assert "Condition" not in getting


def test_the_functions_role_has_exactly_these_rights(graph: Graph) -> None:
    rights = {each["Sid"]: (each["Action"], each["Resource"]) for each in statements(graph, "export-policy")}
    lake, downloads = "arn:aws:s3:::lake-id", "arn:aws:s3:::downloads-id"
    sqs, dynamodb, logs = (f"arn:aws:{each}:{REGION}:{ACCOUNT_ID}:" for each in ("sqs", "dynamodb", "cloudwatch"))
    assert rights == {
        "ListLake": (["s3:ListBucket"], [lake]),
        "ReadLake": (["s3:GetObject"], [f"{lake}/referrals/*"]),
        "WriteDownloads": (
            ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"],
            [f"{downloads}/downloads/*"],
        ),
        "SeeDownloads": (["s3:ListBucket"], [downloads]),
        "KeepLedger": (
            ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            [f"{dynamodb}ledger-table"],
        ),
        "WriteLogs": (["logs:CreateLogStream", "logs:PutLogEvents"], [f"{logs}export-logs:*"]),
        "ReportFailures": (["sqs:SendMessage"], [f"{sqs}export-failures"]),
    }


def test_a_clients_role_trusts_transfer_for_users_of_this_server_only(graph: Graph) -> None:
    trusted = trust_of(graph, "acme-role")
    assert trusted["Principal"] == {"Service": "transfer.amazonaws.com"}
    assert trusted["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"arn:aws:transfer:{REGION}:{ACCOUNT_ID}:user/sftp-server-id/*"},
    }


def test_the_schedules_role_may_start_three_functions_and_say_where_that_failed_and_nothing_else(graph: Graph) -> None:
    rights = {each["Sid"]: (each["Action"], each["Resource"]) for each in statements(graph, "schedules-policy")}
    assert rights == {
        "InvokeFunctions": (
            ["lambda:InvokeFunction"],
            [f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:{name}-function" for name in ("export", "watch", "notify")],
        ),
        "ReportFailures": (["sqs:SendMessage"], [f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:schedules-dlq"]),
    }


def test_a_schedule_starts_its_function_with_that_role_and_reports_to_that_queue(graph: Graph) -> None:
    assert graph.of("Schedule")
    for schedule in graph.of("Schedule"):
        target = schedule.inputs["target"]
        purpose = {"schedules-watch": "watch", "schedules-digests": "notify"}.get(schedule.name, "export")
        assert target["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:{purpose}-function"
        assert target["roleArn"] == f"arn:aws:iam:{REGION}:{ACCOUNT_ID}:schedules-role"
        assert target["deadLetterConfig"] == {"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:schedules-dlq"}
        assert schedule.inputs["groupName"] == "referrals-test"


def test_the_schedules_role_trusts_its_group_only(graph: Graph) -> None:
    trusted = trust_of(graph, "schedules-role")
    (group,) = graph.of("ScheduleGroup")
    assert trusted["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trusted["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:{group.name}"},
    }


def test_every_role_trusts_one_service_for_one_source_of_this_account(any_graph: Graph) -> None:
    for role in any_graph.of("Role"):
        (statement,) = role.policy("assumeRolePolicy")["Statement"]
        assert list(statement["Principal"]) == ["Service"]
        if statement["Principal"] == {"Service": "lambda.amazonaws.com"}:  # nothing says that Lambda sends a source
            assert "Condition" not in statement
        else:
            assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT_ID}
            assert "aws:SourceArn" in statement["Condition"]["ArnLike"]


def test_roles_stand_under_the_stacks_path_and_boundary(program: Program, clients: Path, graph: Graph) -> None:
    for role in graph.of("Role"):
        assert (role.inputs["path"], "permissionsBoundary" in role.inputs) == ("/", False)
    boundary = f"arn:aws:iam::{ACCOUNT_ID}:policy/boundary"
    for role in program(clients, role_path="/delivery/", permissions_boundary=boundary).of("Role"):
        assert (role.inputs["path"], role.inputs["permissionsBoundary"]) == ("/delivery/", boundary)


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_every_arn_is_of_the_regions_partition_and_region(
    program: Program, clients: Path, region: str, partition: str
) -> None:
    graph = program(
        clients, region=region, lake_bucket="company-lake", production="true", alarm_email="oncall@example.com"
    )
    inputs = json.dumps([each.inputs for each in graph.resources], default=lambda archive: archive.path)
    assert f"arn:{partition}:transfer:{region}:{ACCOUNT_ID}:user/" in inputs
    assert f"arn:{partition}:s3:::company-lake" in inputs
    assert f"arn:{partition}:cloudwatch:{region}:{ACCOUNT_ID}:alarm:*" in inputs
    assert "arn:aws:" not in inputs
    assert REGION not in inputs
