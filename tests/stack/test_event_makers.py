"""Rules' targets and functions' permissions: their makers' whole round in an emulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.account import Account
from local_aws.makers import MAKERS
from local_aws.makers.maker import Resource
from referralctl.local_system import LocalSystem
from tests.stack.test_makers import QUEUE, RULE, TABLE, document, go_round, package, target


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An emulator with nothing in it."""
    local = LocalSystem(tmp_path_factory.mktemp("bare") / "local")
    try:
        yield Account(local.up_bare())
    finally:
        local.down()


def test_a_rule_s_target_changes_and_what_is_taken_away_goes(aws: Account) -> None:
    rule = MAKERS["aws:cloudwatch/eventRule:EventRule"].create(aws, "x", RULE | {"name": "of-target"})
    given = {"rule": rule.id, "targetId": "receive"}
    before = given | {
        "arn": target("one")["arn"],
        "deadLetterConfig": {"arn": "arn:aws:sqs:ap-southeast-2:000000000000:round"},
        "retryPolicy": {"maximumEventAgeInSeconds": 3600.0, "maximumRetryAttempts": 5.0},
        "inputTransformer": {"inputPaths": {"file": "$.detail.file-path"}, "inputTemplate": '{"path": <file>}'},
    }
    after = given | {"arn": target("two")["arn"], "input": '{"a": 1}'}
    go_round(aws, "cloudwatch/eventTarget:EventTarget", before, after)


def test_who_may_call_a_function_is_found_and_taken_away(aws: Account, tmp_path: Path) -> None:
    MAKERS["aws:iam/role:Role"].create(aws, "x", {"name": "of-called", "assumeRolePolicy": document("lambda")})
    function = {
        "name": "called",
        "role": "arn:aws:iam::000000000000:role/of-called",
        "runtime": "python3.13",
        "handler": "round.handler",
        "code": package(tmp_path, "called"),
    }
    MAKERS["aws:lambda/function:Function"].create(aws, "x", function)
    maker = MAKERS["aws:lambda/permission:Permission"]
    given = {"function": "called", "action": "lambda:InvokeFunction", "principal": "events.amazonaws.com"}
    rule = "arn:aws:events:ap-southeast-2:000000000000:rule/round"
    inputs = given | {"statementId": "one", "sourceArn": rule, "sourceAccount": "000000000000"}
    made, other = maker.create(aws, "x", inputs), maker.create(aws, "x", given | {"statementId": "two"})
    assert (maker.read(aws, made), maker.read(aws, other)) == (made, other)
    assert maker.id_of(aws, inputs) == made.id
    assert maker.compare(made, inputs | {"sourceArn": f"{rule}-other"}).replacing == {"sourceArn"}
    # A statement of the same name with another source, as after a change by hand.
    stale = maker.read(aws, Resource("two", inputs | {"statementId": "two"}))
    assert stale is not None
    assert (stale.inputs["sourceArn"], stale.inputs["sourceAccount"]) == (None, None)
    maker.delete(aws, made)
    assert (maker.read(aws, made), maker.read(aws, other)) == (None, other)
    maker.delete(aws, made)


def test_a_tables_stream_is_switched_on_found_and_switched_off(aws: Account) -> None:
    maker = MAKERS["aws:dynamodb/table:Table"]
    plain, streamed = TABLE | {"name": "streamed"}, {"streamEnabled": True, "streamViewType": "NEW_IMAGE"}
    made = maker.create(aws, "x", plain)
    assert set(made.outputs) == {"arn"}
    changed = maker.update(aws, made, plain | streamed)
    assert changed.outputs["streamArn"].startswith(f"{made.outputs['arn']}/stream/")
    assert maker.read(aws, changed) == changed
    assert maker.create(aws, "x", plain | streamed | {"name": "from-the-start"}).outputs["streamLabel"]
    off = maker.update(aws, changed, plain)
    assert off.outputs == made.outputs
    stale = maker.read(aws, changed)
    assert stale is not None
    assert (stale.inputs["streamEnabled"], stale.inputs["streamViewType"]) == (False, None)


def test_what_feeds_a_function_changes_and_what_is_taken_away_goes(aws: Account, tmp_path: Path) -> None:
    MAKERS["aws:iam/role:Role"].create(aws, "x", {"name": "of-fed", "assumeRolePolicy": document("lambda")})
    function = {
        "name": "fed",
        "role": "arn:aws:iam::000000000000:role/of-fed",
        "runtime": "python3.13",
        "handler": "round.handler",
        "code": package(tmp_path, "fed"),
    }
    MAKERS["aws:lambda/function:Function"].create(aws, "x", function)
    queue = MAKERS["aws:sqs/queue:Queue"].create(aws, "x", QUEUE | {"name": "feeding"})
    given = {"eventSourceArn": queue.outputs["arn"], "functionName": "fed", "batchSize": 5.0}
    before = given | {
        "bisectBatchOnFunctionError": True,
        "destinationConfig": {"onFailure": {"destinationArn": queue.outputs["arn"]}},
        "filterCriteria": {"filters": [{"pattern": '{"body": {"a": [1]}}'}]},
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "maximumBatchingWindowInSeconds": 3.0,
        "maximumRecordAgeInSeconds": 60.0,
        "scalingConfig": {"maximumConcurrency": 2.0},
        "tags": {"team": "crm"},
    }
    unseen = frozenset({"tags"})
    go_round(aws, "lambda/eventSourceMapping:EventSourceMapping", before, given, unseen=unseen)
