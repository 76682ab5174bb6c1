"""A live stack whose encryption and tags change, and go back: in place, and every delivery stays readable."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.emulator import REGION
from tests.engine.conftest import Stacks
from tests.engine.stacks import EngineStack
from tests.support import write_client

# What is under a key of the stack's own, and changes to it without being made anew.
KEYED = {"LogGroup", "Queue", "Function", "Topic", "Table", "BucketServerSideEncryptionConfiguration"}


@pytest.fixture(scope="module")
def stack(engine_stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> EngineStack:
    """A stack under AWS's own keys, with one client."""
    folder = tmp_path_factory.mktemp("clients")
    write_client(folder, "acme", attributes=["referral_id", "email"])
    made = engine_stacks(clients=folder)
    made.up()
    return made


def test_encryption_changes_to_a_key_of_the_stack_and_back_with_deliveries_between(
    stack: EngineStack, tmp_path: Path
) -> None:
    delivered = [deliver(stack, tmp_path, number=1)]
    for encryption, keyed in (("stack", True), ("aws", False)):
        stack.configure(encryption=encryption)
        assert kinds(stack.preview().by("update")) >= KEYED
        change = stack.up()
        assert kinds(change.by("update")) >= KEYED
        assert kinds(change.by("create", "delete", "replace")) == {"StackKey", "Key", "Alias"}
        keys = keys_in_use(stack)
        assert (all(keys.values()), any(keys.values())) == (keyed, keyed), keys
        assert stack.unchanged(stack.stack.refresh(expect_no_changes=True))
        assert stack.unchanged(stack.stack.up(expect_no_changes=True))
        delivered.append(deliver(stack, tmp_path, number=len(delivered) + 1))
    assert delivered == [1, 1, 1]
    assert stack.command("status").returncode == 0


def test_a_key_that_someone_set_by_hand_is_found_by_a_refresh_and_taken_away_again(stack: EngineStack) -> None:
    queue = client("sqs").list_queues(QueueNamePrefix=f"referrals-{stack.stack.name}-export")["QueueUrls"][0]
    client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"KmsMasterKeyId": "alias/other"})
    stack.stack.refresh()
    assert stack.up().steps == [("update", "Queue export-failures")]
    assert not keys_in_use(stack)["queue"]


def test_tags_of_a_live_stack_change_in_place_and_go_again(stack: EngineStack) -> None:
    change = stack.up(tags='{"team": "clinic"}')
    assert {operation for operation, _ in change.steps} == {"update"}
    assert kinds(change.by("update")) >= {"Server", "User", "Role", "Bucket", "Table", "Function", "Queue", "LogGroup"}
    bucket = stack.outputs()["delivery_bucket"]
    assert {"Key": "team", "Value": "clinic"} in client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert stack.unchanged(stack.stack.up(expect_no_changes=True))
    stack.up(tags="{}")
    assert "team" not in str(client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"])
    assert stack.unchanged(stack.stack.refresh(expect_no_changes=True))


def client(service: str) -> Any:
    """AWS as the environment's credentials and endpoint have it."""
    return boto3.client(service, region_name=REGION)


def kinds(resources: set[str]) -> set[str]:
    """The types of resources."""
    return {resource.split()[0] for resource in resources}


def deliver(stack: EngineStack, folder: Path, *, number: int) -> int:
    """Load one more referral, and deliver; the answer is how many rows the delivery had."""
    file = folder / f"{number}.csv"
    file.write_text(f"referral_id,email\nr-{number},ann@example.com\n")
    loaded = stack.command("lake", "load", str(file), "--client", "acme")
    assert loaded.returncode == 0, loaded.stderr
    done = stack.command("deliver", "acme", "--json")
    assert done.returncode == 0, done.stderr
    return sum(each["rows"] for each in json.loads(done.stdout)["deliveries"])


def keys_in_use(stack: EngineStack) -> dict[str, str | None]:
    """The KMS key of what can have one, as AWS says."""
    prefix = f"referrals-{stack.stack.name}"
    queue = client("sqs").list_queues(QueueNamePrefix=f"{prefix}-export")["QueueUrls"][0]
    attributes = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (attributes["SqsManagedSseEnabled"] == "true") is not bool(attributes.get("KmsMasterKeyId"))
    group = client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/transfer/{prefix}")["logGroups"][0]
    table = client("dynamodb").describe_table(TableName=stack.outputs()["ledger_table"])["Table"]
    return {
        "queue": attributes.get("KmsMasterKeyId"),
        "function": client("lambda").get_function_configuration(FunctionName=f"{prefix}-export")["KMSKeyArn"],
        "logs": group.get("kmsKeyId"),
        "table": table["SSEDescription"].get("KMSMasterKeyArn") if _enabled(table) else None,
    }


def _enabled(table: dict[str, Any]) -> bool:
    return bool(table.get("SSEDescription", {}).get("Status") == "ENABLED")
