"""A stack of another make, whole: its data under a key of its own, its lake an existing bucket of another shape."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_aws.sftp import SftpSession, write_known_hosts
from referral_delivery.window import floor_to_hour
from referralctl.local_system import LocalSystem, session
from referralctl.stacks import Stack
from tests.stack.conftest import Lab
from tests.support import write_client

CLIENT = "umbrella"
LAKE, PREFIX = "company.data.lake", "events/referrals"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """stack.json of a local system whose settings differ from the defaults."""
    folder = tmp_path_factory.mktemp("other")
    later = f"{(datetime.now(UTC) + timedelta(hours=12)):%H:%M}"
    write_client(folder / "clients", CLIENT, schedule={"at": [later]}, attributes=["referral_id"])
    local = LocalSystem(folder / "local", {"encryption": "stack", "lake_bucket": LAKE, "lake_prefix": PREFIX})
    try:
        system = local.up(folder / "clients")
        region = {"LocationConstraint": system["region"]}
        session(system).client("s3", endpoint_url=system["endpoint_url"]).create_bucket(
            Bucket=LAKE, CreateBucketConfiguration=region
        )
        yield system
    finally:
        local.down()


@pytest.fixture(scope="module")
def other_stack(other: dict[str, Any]) -> Stack:
    """That system's stack."""
    return Stack(other["outputs"], local=other)


def of(other: dict[str, Any], service: Any) -> Any:
    return session(other).client(service, endpoint_url=other["endpoint_url"])


def test_a_referral_of_a_lake_with_dots_in_its_name_is_delivered_by_the_function_and_read_over_sftp(
    other: dict[str, Any], other_stack: Stack, tmp_path: Path
) -> None:
    lab = Lab(other_stack, CLIENT, session(other))
    hour = floor_to_hour(datetime.now(UTC) - timedelta(hours=1))
    key = lab.put_referrals(f"{hour:%Y-%m-%d %H}", "a", "b")
    assert key.startswith(f"{PREFIX}/client={CLIENT}/dt=")
    report = lab.invoke({"contract": lab.contract().model_dump(mode="json"), "occasion": "manual"})
    (delivery,) = report["deliveries"]
    assert delivery["rows"] == 2
    host, port = other["sftp"]["host"], other["sftp"]["port"]
    known_hosts = write_known_hosts(host, port, tmp_path / "known_hosts")
    client = SftpSession(host, port, CLIENT, Path(other["clients"][CLIENT]["private_key"]), known_hosts)
    done = client.run(f"get /downloads/{delivery['file']}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / delivery["file"]).read_text() == "referral_id\na\nb\n"


def test_what_was_deployed_lies_under_the_stacks_key(other: dict[str, Any], other_stack: Stack) -> None:
    kms = of(other, "kms")
    (alias,) = [each for each in kms.list_aliases()["Aliases"] if each["AliasName"] == "alias/referrals-local"]
    key = kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    statements = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])["Statement"]
    assert len(statements) == 4

    s3 = other_stack.s3
    bucket, probe = other_stack["delivery_bucket"], f"downloads/{CLIENT}/probe"
    s3.put_object(Bucket=bucket, Key=probe, Body=b"")
    stored = s3.head_object(Bucket=bucket, Key=probe)
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key["Arn"])
    table = other_stack.dynamodb.describe_table(TableName=other_stack["ledger_table"])["Table"]
    assert table["SSEDescription"]["KMSMasterKeyArn"] == key["Arn"]
    for output in ("failure_queue_url", "schedule_dlq_url"):
        queue = of(other, "sqs").get_queue_attributes(QueueUrl=other_stack[output], AttributeNames=["KmsMasterKeyId"])
        assert queue["Attributes"]["KmsMasterKeyId"] == key["Arn"]
    topic = of(other, "sns").get_topic_attributes(TopicArn=other_stack["alarm_topic_arn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == key["Arn"]
    function = other_stack.functions.get_function_configuration(FunctionName=other_stack["function_name"])
    assert function["KMSKeyArn"] == key["Arn"]
    groups = of(other, "logs").describe_log_groups()["logGroups"]
    assert {group.get("kmsKeyId") for group in groups} == {key["Arn"]}
    schedules = other_stack.scheduler.list_schedules(GroupName=other_stack["schedule_group"])["Schedules"]
    for each in schedules:
        schedule = other_stack.scheduler.get_schedule(GroupName=other_stack["schedule_group"], Name=each["Name"])
        assert schedule["KmsKeyArn"] == key["Arn"]
    assert schedules


def test_access_logs_of_the_delivery_bucket_go_where_the_output_says(other_stack: Stack) -> None:
    enabled = other_stack.s3.get_bucket_logging(Bucket=other_stack["delivery_bucket"])["LoggingEnabled"]
    assert (enabled["TargetBucket"], enabled["TargetPrefix"]) == (other_stack["access_log_bucket"], "downloads/")
