"""Each maker's whole round in an emulator: make, read, change, see what someone else changed, delete."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws.account import Account
from local_aws.makers import MAKERS
from local_aws.makers.maker import Archive, Maker, Resource, observed
from local_aws.sftp import require_openssh
from referralctl.local_system import LocalSystem
from tests.support import ed25519_key

KEY = "arn:aws:kms:ap-southeast-2:000000000000:key/11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::000000000000:role/round"
TOPIC = "arn:aws:sns:ap-southeast-2:000000000000:round-policy"


def document(service: str) -> str:
    """A trust policy, as text."""
    allowed = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


def target(name: str, **more: Any) -> dict[str, Any]:
    """A schedule's target."""
    return {"arn": f"arn:aws:lambda:ap-southeast-2:000000000000:function:{name}", "roleArn": ROLE, **more}


TABLE = {
    "name": "round",
    "billingMode": "PAY_PER_REQUEST",
    "hashKey": "client",
    "rangeKey": "record",
    "attributes": [{"name": "client", "type": "S"}, {"name": "record", "type": "S"}],
    "pointInTimeRecovery": {"enabled": True},
}
QUEUE = {"name": "round", "messageRetentionSeconds": 1_209_600.0}
REDRIVE = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:ap-southeast-2:000000000000:dead", "maxReceiveCount": 3})
ALARM = {
    "name": "round",
    "namespace": "AWS/SQS",
    "metricName": "ApproximateNumberOfMessagesVisible",
    "dimensions": {"QueueName": "round"},
    "statistic": "Maximum",
    "comparisonOperator": "GreaterThanThreshold",
    "threshold": 0.0,
    "period": 300.0,
    "evaluationPeriods": 1.0,
}
TRUST = {"name": "round", "assumeRolePolicy": document("lambda")}
SCHEDULE = {
    "name": "round",
    "groupName": "default",
    "scheduleExpression": "cron(0 7 * * ? *)",
    "scheduleExpressionTimezone": "UTC",
    "flexibleTimeWindow": {"mode": "OFF"},
}
PATTERN = json.dumps({"source": ["aws.transfer"], "detail": {"server-id": ["s-1"]}})
RULE = {"name": "round", "eventPattern": PATTERN}
TAGS: dict[str, Any] = {"tags": {"team": "crm", "old": "1"}}
# Type, inputs, and other inputs of the same resource. What the second has not is taken away.
ROUNDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "cloudwatch/logGroup:LogGroup",
        {"name": "round", "retentionInDays": 30.0},
        {"name": "round", "retentionInDays": 7.0, "kmsKeyId": KEY, "tags": {"team": "crm"}},
    ),
    ("cloudwatch/logGroup:LogGroup", {"name": "round", "retentionInDays": 30.0, "kmsKeyId": KEY}, {"name": "round"}),
    ("cloudwatch/metricAlarm:MetricAlarm", ALARM | TAGS, ALARM | {"threshold": 2.0, "treatMissingData": "breaching"}),
    (
        "cloudwatch/eventRule:EventRule",
        RULE | {"description": "one", "state": "DISABLED", **TAGS},
        RULE | {"eventPattern": json.dumps({"source": ["referral-delivery"]})},
    ),
    (
        "cloudwatch/dashboard:Dashboard",
        {"dashboardName": "round", "dashboardBody": '{"widgets": []}'},
        {"dashboardName": "round", "dashboardBody": '{"start": "-P14D", "widgets": []}'},
    ),
    (
        "dynamodb/table:Table",
        TABLE | {"serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY}, "deletionProtectionEnabled": True},
        TABLE | {"pointInTimeRecovery": {"enabled": False}, "deletionProtectionEnabled": False},
    ),
    ("dynamodb/table:Table", TABLE, TABLE | {"serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY}}),
    (
        "iam/role:Role",
        TRUST | TAGS | {"permissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        {"name": "round", "assumeRolePolicy": document("scheduler"), "tags": {"team": "clinic"}},
    ),
    (
        "kms/key:Key",
        {"description": "one", "enableKeyRotation": True, "policy": document("logs"), "deletionWindowInDays": 7.0},
        {"description": "two", "enableKeyRotation": False, "policy": document("sns"), "deletionWindowInDays": 9.0},
    ),
    ("s3/bucket:Bucket", {"bucketPrefix": "round-", **TAGS}, {"bucketPrefix": "round-", "tags": {"team": "clinic"}}),
    ("s3/bucket:Bucket", {"bucket": "round-tagged", **TAGS}, {"bucket": "round-tagged"}),
    ("scheduler/scheduleGroup:ScheduleGroup", {"name": "round", **TAGS}, {"name": "round", "tags": {"team": "clinic"}}),
    (
        "scheduler/schedule:Schedule",
        SCHEDULE | {"target": target("one", input="{}", retryPolicy={"maximumRetryAttempts": 3.0})},
        SCHEDULE | {"target": target("two", input='{"a": 1}'), "scheduleExpression": "cron(0 8 * * ? *)"},
    ),
    ("sns/topic:Topic", {"name": "round", "kmsMasterKeyId": KEY, **TAGS}, {"name": "round"}),
    ("sns/topic:Topic", {"name": "round"}, {"name": "round", "kmsMasterKeyId": KEY}),
    ("sqs/queue:Queue", QUEUE | {"sqsManagedSseEnabled": True}, QUEUE | {"kmsMasterKeyId": KEY, **TAGS}),
    (
        "sqs/queue:Queue",
        QUEUE | {"kmsMasterKeyId": KEY, "kmsDataKeyReusePeriodSeconds": 60.0, **TAGS},
        QUEUE | {"sqsManagedSseEnabled": True, "messageRetentionSeconds": 60.0},
    ),
    ("sqs/queue:Queue", QUEUE | {"visibilityTimeoutSeconds": 360.0}, QUEUE | {"visibilityTimeoutSeconds": 60.0}),
    ("sqs/queue:Queue", QUEUE | {"visibilityTimeoutSeconds": 360.0, "redrivePolicy": REDRIVE}, QUEUE),
]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An emulator with nothing in it but a queue for what other queues give up."""
    require_openssh()
    local = LocalSystem(tmp_path_factory.mktemp("bare") / "local")
    try:
        made = Account(local.up_bare())
        made.call("sqs", "CreateQueue", {"queueName": "dead"})
        yield made
    finally:
        local.down()


def go_round(
    aws: Account,
    type_: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    unseen: frozenset[str] = frozenset(),
) -> None:
    """One round; `unseen` are inputs that AWS does not tell where it describes the resource."""
    maker = MAKERS[f"aws:{type_}"]
    made = maker.create(aws, "round", before)
    assert maker.read(aws, made) == made
    difference = maker.compare(made, after)
    assert difference.changed == {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert not difference.replacing
    changed = maker.update(aws, made, after)
    assert (changed.id, changed.inputs, changed.outputs) == (made.id, after, made.outputs)
    assert maker.read(aws, changed) == changed
    # The state that knows nothing of the change, as after a change by hand.
    stale = maker.read(aws, made)
    assert stale is not None
    for name in (difference.changed - unseen) & ({*before} | maker.watched):
        assert stale.inputs.get(name) != before.get(name), name
        if name in after and not isinstance(after[name], dict):
            assert observed(after, stale.inputs)[name] == after[name], name
    maker.delete(aws, changed)
    assert maker.read(aws, changed) is None
    maker.delete(aws, changed)


@pytest.mark.parametrize(("type_", "before", "after"), ROUNDS, ids=lambda each: each if isinstance(each, str) else "")
def test_a_resource_is_made_read_changed_found_changed_and_deleted(
    aws: Account, type_: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    seen = {"iam/role:Role", "s3/bucket:Bucket"}
    unseen = {"deletionWindowInDays"} if type_ in seen else {"tags", "deletionWindowInDays"}
    go_round(aws, type_, before, after, unseen=frozenset(unseen))


def package(folder: Path, text: str) -> Archive:
    """A function's zip."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("round.py", f"def handler(event, context):\n    return {text!r}\n")
    path = folder / f"{text}.zip"
    path.write_bytes(data.getvalue())
    return Archive(text, path)


def test_a_function_changes_and_what_is_taken_away_goes(aws: Account, tmp_path: Path) -> None:
    MAKERS["aws:iam/role:Role"].create(aws, "x", {"name": "of-function", "assumeRolePolicy": document("lambda")})
    function = {
        "name": "round",
        "role": "arn:aws:iam::000000000000:role/of-function",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "handler": "round.handler",
        "memorySize": 256.0,
    }
    before = function | {"code": package(tmp_path, "one"), "kmsKeyArn": KEY, "timeout": 60.0, **TAGS}
    before |= {"environment": {"variables": {"ONE": "1", "TWO": "2"}}, "reservedConcurrentExecutions": 5.0}
    after = function | {"code": package(tmp_path, "two"), "memorySize": 512.0}
    unseen = frozenset({"code", "reservedConcurrentExecutions", "tags"})
    go_round(aws, "lambda/function:Function", before, after, unseen=unseen)
    maker = MAKERS["aws:lambda/function:Function"]
    made = maker.create(aws, "round", before)
    hashes = [function_of(aws)["Configuration"]["CodeSha256"]]
    assert (concurrency(aws), tags_of(aws)) == (5, TAGS["tags"])
    maker.update(aws, made, after)
    hashes.append(function_of(aws)["Configuration"]["CodeSha256"])
    assert len(set(hashes)) == 2
    assert (concurrency(aws), tags_of(aws)) == (None, {})
    with pytest.raises(Exception, match=r"Function \(round\): handler cannot be taken away here"):
        maker.update(aws, made, {name: each for name, each in before.items() if name != "handler"})


def function_of(aws: Account) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("lambda").get_function(FunctionName="round")
    return answer


def concurrency(aws: Account) -> int | None:
    found = aws.client("lambda").get_function_concurrency(FunctionName="round")
    return None if (reserved := found.get("ReservedConcurrentExecutions")) is None else int(reserved)


def tags_of(aws: Account) -> dict[str, str]:
    found: dict[str, str] = aws.client("lambda").list_tags(Resource=function_of(aws)["Configuration"]["FunctionArn"])[
        "Tags"
    ]
    return found


def test_a_table_s_and_a_bucket_s_tags_are_those_of_the_inputs(aws: Account) -> None:
    maker = MAKERS["aws:dynamodb/table:Table"]
    made = maker.create(aws, "x", TABLE | {"name": "tagged", **TAGS})
    changed = maker.update(aws, made, TABLE | {"name": "tagged", "tags": {"team": "clinic"}})
    found = aws.client("dynamodb").list_tags_of_resource(ResourceArn=made.outputs["arn"])["Tags"]
    assert found == [{"Key": "team", "Value": "clinic"}]
    maker.delete(aws, changed)


def test_a_user_that_is_made_anew_keeps_its_keys_and_its_folder(aws: Account) -> None:
    aws.client("s3").create_bucket(Bucket="of-users", CreateBucketConfiguration={"LocationConstraint": aws.region})
    server, user, key = (MAKERS[f"aws:transfer/{type_}"] for type_ in ("server:Server", "user:User", "sshKey:SshKey"))
    listener = server.create(aws, "x", {"domain": "S3", "protocols": ["SFTP"], **TAGS})
    assert server.update(aws, listener, {"domain": "S3", "protocols": ["SFTP"]}).outputs == listener.outputs
    given = {
        "serverId": listener.id,
        "userName": "acme",
        "role": ROLE,
        "homeDirectoryType": "LOGICAL",
        "homeDirectoryMappings": [{"entry": "/downloads", "target": "/of-users/downloads/acme"}],
    }
    made, bodies = user.create(aws, "x", given), [ed25519_key(), ed25519_key()]
    owner = {"serverId": listener.id, "userName": "acme"}
    keys = [key.create(aws, "x", owner | {"body": body}) for body in bodies]
    assert (user.read(aws, made), [key.read(aws, each) for each in keys]) == (made, keys)
    other = given | {"role": f"{ROLE}-other"}
    changed = user.update(aws, made, other)
    stale = user.read(aws, made)
    assert stale is not None
    assert (stale.inputs, user.read(aws, changed)) == (other, changed)
    assert [each and each.inputs["body"] for each in (key.read(aws, one) for one in keys)] == bodies
    assert aws.find("s3", "HeadObject", {"bucket": "of-users", "key": "downloads/acme/"}) is not None
    key.delete(aws, keys[0])
    assert [key.read(aws, each) is None for each in keys] == [True, False]
    assert user.compare(made, given | {"userName": "other"}).replacing == {"userName"}
    assert key.compare(keys[0], owner | {"body": "other"}).replacing == {"body"}
    user.delete(aws, changed)
    assert (user.read(aws, changed), key.read(aws, keys[1])) == (None, None)
    server.delete(aws, listener)
    assert server.read(aws, listener) is None


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("cloudwatch/logGroup:LogGroup", {"name": "half-made"}),
        ("cloudwatch/eventRule:EventRule", RULE | {"name": "half-made"}),
        ("dynamodb/table:Table", TABLE | {"name": "half-made"}),
        ("iam/role:Role", TRUST | {"name": "half-made"}),
        ("kms/alias:Alias", {"name": "alias/half-made", "targetKeyId": KEY}),
        ("scheduler/scheduleGroup:ScheduleGroup", {"name": "half-made"}),
        ("scheduler/schedule:Schedule", SCHEDULE | {"name": "half-made", "target": target("x", input="{}")}),
        ("sns/topic:Topic", {"name": "half-made"}),
        ("sqs/queue:Queue", QUEUE | {"name": "half-made"}),
    ],
)
def test_what_was_made_and_not_written_down_is_found_by_its_inputs(
    aws: Account, type_: str, inputs: dict[str, Any]
) -> None:
    maker = MAKERS[f"aws:{type_}"]
    if "targetKeyId" in inputs:
        inputs = inputs | {"targetKeyId": MAKERS["aws:kms/key:Key"].create(aws, "x", {}).id}
    made = maker.create(aws, "x", inputs)
    assert maker.id_of(aws, inputs) == made.id
    forgotten = Resource(made.id, dict(inputs))
    maker.delete(aws, forgotten)
    assert maker.read(aws, made) is None


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_each_resource_that_has_a_name_is_another_one_under_another(maker: Maker) -> None:
    names = {"name", "bucket", "serverId", "userName", "groupName", "role", "functionName", "topic", "hashKey"}
    names |= {"rule", "targetId", "function", "statementId"}
    for name in names & maker.fixed:
        assert maker.compare(Resource("x", {name: "one"}), {name: "two"}).replacing == {name}
