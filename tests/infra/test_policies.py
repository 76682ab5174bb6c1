"""Buckets and roles: closed, encrypted, least-privilege."""

from pathlib import Path
from typing import Any

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
        (statement,) = policies[f"{bucket.name}-id"].policy("policy")["Statement"]
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


def test_a_configured_key_encrypts_the_delivery_bucket(graph_with_cmk: Graph) -> None:
    encrypted = for_bucket(graph_with_cmk, "BucketServerSideEncryptionConfiguration")["downloads-id"]
    (rule,) = encrypted.inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": KMS_KEY,
    }
    assert rule["bucketKeyEnabled"] is True


def test_one_rule_expires_all_clients_files_and_another_aborts_uploads(
    graph: Graph, program: Program, clients: Path
) -> None:
    (lifecycle,) = graph.of("BucketLifecycleConfiguration")
    expire, abort = lifecycle.inputs["rules"]
    assert (expire["filter"], expire["expiration"], expire["status"]) == (
        {"prefix": "downloads/"},
        {"days": 14},
        "Enabled",
    )
    assert (abort["abortIncompleteMultipartUpload"], "expiration" in abort) == (
        {"daysAfterInitiation": 7},
        False,
    )
    (shorter,) = program(clients, retention_days="7").of("BucketLifecycleConfiguration")
    assert shorter.inputs["rules"][0]["expiration"] == {"days": 7}


def test_no_bucket_is_versioned(any_graph: Graph) -> None:
    assert any_graph.of("BucketVersioning") == []
    assert all("versioning" not in bucket.inputs for bucket in any_graph.of("Bucket"))


def test_an_existing_lake_is_used_and_not_made(program: Program, clients: Path) -> None:
    graph = program(clients, lake_bucket="company-lake")
    assert [bucket.name for bucket in graph.of("Bucket")] == ["downloads"]
    assert graph.outputs["lake_bucket"] == "company-lake"
    read = next(each for each in statements(graph, "export-policy") if each["Sid"] == "ReadLake")
    assert read["Resource"] == ["arn:aws:s3:::company-lake/referrals/*"]


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


def test_a_clients_role_may_decrypt_only_with_a_configured_key(graph_with_cmk: Graph) -> None:
    *_, decrypting = statements(graph_with_cmk, "acme-read-own-folder")
    assert (decrypting["Action"], decrypting["Resource"]) == (["kms:Decrypt"], [KMS_KEY])


def test_the_functions_role_has_exactly_these_rights(graph: Graph, graph_with_cmk: Graph) -> None:
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
    (extra,) = [each for each in statements(graph_with_cmk, "export-policy") if each["Sid"] not in rights]
    assert (extra["Action"], extra["Resource"]) == (["kms:GenerateDataKey", "kms:Decrypt"], [KMS_KEY])


def test_a_clients_role_trusts_transfer_for_users_of_this_server_only(graph: Graph) -> None:
    trusted = trust_of(graph, "acme-role")
    assert trusted["Principal"] == {"Service": "transfer.amazonaws.com"}
    assert trusted["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"arn:aws:transfer:{REGION}:{ACCOUNT_ID}:user/sftp-server-id/*"},
    }


def test_the_schedules_role_trusts_its_group_only(graph: Graph) -> None:
    trusted = trust_of(graph, "schedules-role")
    (group,) = graph.of("ScheduleGroup")
    assert trusted["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trusted["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:{group.name}"},
    }


def test_every_role_trusts_one_service_of_this_account_only(any_graph: Graph) -> None:
    for role in any_graph.of("Role"):
        (statement,) = role.policy("assumeRolePolicy")["Statement"]
        assert list(statement["Principal"]) == ["Service"]
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT_ID}
