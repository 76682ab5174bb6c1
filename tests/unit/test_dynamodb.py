"""The ledger's table through the real client: what is asked of DynamoDB, and what its answers become."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from referral_delivery.ledger.dynamodb import Refused, Table
from referral_delivery.ledger.watching import Watching

Answer = tuple[int, dict[str, Any]]
DONE: Answer = (200, {})
ITEM = {"client": {"S": "acme"}, "fence": {"N": "3"}}
PLAIN = {"client": "acme", "fence": 3}


def refused(code: str, **more: Any) -> Answer:
    """DynamoDB's answer to what it does not do."""
    return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no", **more}


def cancelled(*codes: str) -> Answer:
    """… and to a transaction, with a reason for each of its actions."""
    reasons = [
        {"Code": code} | ({"Item": ITEM} if code == "ConditionalCheckFailed" and number else {})
        for number, code in enumerate(codes)
    ]
    return refused("TransactionCanceledException", CancellationReasons=reasons)


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


class Line:
    """What went out, and what comes back."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[dict[str, Any]] = []
        self.pauses: list[float] = []

    def send(self, request: Any, **_: Any) -> AWSResponse:
        self.asked.append(json.loads(request.body))
        status, body = self.answers.pop(0)
        headers = HTTPHeaders.from_pairs([("Content-Type", "application/x-amz-json-1.0")])
        return AWSResponse(request.url, status, headers, _Body(json.dumps(body).encode()))


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """The line to DynamoDB, on which nobody has to wait."""
    line = Line()
    monkeypatch.setattr("time.sleep", line.pauses.append)
    return line


@pytest.fixture
def table(line: Line) -> Table:
    """A table behind the line."""
    client = boto3.client(
        "dynamodb", region_name="ap-southeast-2", aws_access_key_id="none", aws_secret_access_key="none"
    )
    client.meta.events.register("before-send.dynamodb", line.send)
    return Table(client, "ledger")


def put(table: Table) -> object:
    return table.put({"client": "acme"})


def change(table: Table) -> object:
    return table.change("acme", "cursor", "SET fence = :one", condition="fence = :one", values={":one": 1})


def transact(table: Table) -> object:
    return table.transact({"Put": {"TableName": "ledger", "Item": ITEM}})


CHANGES: list[Callable[[Table], object]] = [put, change, transact]


def test_what_is_read_is_what_was_written_last(line: Line, table: Table) -> None:
    line.answers = [(200, {"Item": ITEM}), DONE, (200, {"Items": []})]
    assert (table.get("acme", "cursor"), table.get("acme", "cursor")) == (PLAIN, {})
    assert list(table.range("acme", "a", "b")) == []
    assert [each["ConsistentRead"] for each in line.asked] == [True, True, True]


def found(*names: str, left: int = 0) -> Answer:
    """Items of a batch, and keys that there was no room for."""
    keys = [{"client": {"S": f"left-{number}"}, "record": {"S": "cursor"}} for number in range(left)]
    responses = {"ledger": [{"client": {"S": name}, "record": {"S": "cursor"}} for name in names]}
    return 200, {"Responses": responses, "UnprocessedKeys": {"ledger": {"Keys": keys}} if left else {}}


def test_many_items_are_read_a_hundred_in_a_request(line: Line, table: Table) -> None:
    line.answers = [found("a", "b"), found("c")]
    read = table.get_all([(f"client-{number:03d}", "cursor") for number in range(150)])
    assert read == {(name, "cursor"): {"client": name, "record": "cursor"} for name in "abc"}
    asked = [each["RequestItems"]["ledger"] for each in line.asked]
    assert [(len(each["Keys"]), each["ConsistentRead"]) for each in asked] == [(100, True), (50, True)]
    assert line.pauses == []


def test_items_that_may_be_a_second_old_are_asked_for_as_such(line: Line, table: Table) -> None:
    line.answers = [found("a")]
    table.get_all([("a", "cursor")], consistent=False)
    assert line.asked[0]["RequestItems"]["ledger"]["ConsistentRead"] is False


def test_what_a_batch_had_no_room_for_is_asked_for_again_after_a_pause_that_grows(line: Line, table: Table) -> None:
    line.answers = [*(found(left=1) for _ in range(8)), found("left-0")]
    assert list(table.get_all([("left-0", "cursor")])) == [("left-0", "cursor")]
    assert line.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1.6, 1.6]


def test_whoever_looks_at_all_clients_reads_at_half_the_price_unless_he_asks_for_the_latest(
    line: Line, table: Table
) -> None:
    line.answers = [found(), found()]
    watching = Watching(table.dynamodb, "ledger")
    watching.look(["acme"])
    watching.look(["acme"], consistent=True)
    assert [each["RequestItems"]["ledger"]["ConsistentRead"] for each in line.asked] == [False, True]


@pytest.mark.parametrize("attributes", [None, ["objects", "end"]])
def test_a_range_of_many_pages_is_read_to_its_end(line: Line, table: Table, attributes: list[str] | None) -> None:
    line.answers = [(200, {"Items": [ITEM, ITEM], "LastEvaluatedKey": ITEM}), (200, {"Items": [ITEM]})]
    assert list(table.range("acme", "a", "b", attributes=attributes)) == [PLAIN] * 3
    first, second = line.asked
    assert first["ExpressionAttributeValues"] == {":client": {"S": "acme"}, ":first": {"S": "a"}, ":last": {"S": "b"}}
    assert first.get("ProjectionExpression") == ("#objects, #end" if attributes else None)
    assert first["ExpressionAttributeNames"] == {"#record": "record"} | {f"#{each}": each for each in attributes or ()}
    assert second == first | {"ExclusiveStartKey": ITEM}


def test_a_change_of_an_item_answers_with_the_item_as_it_is_then(line: Line, table: Table) -> None:
    line.answers = [(200, {"Attributes": ITEM})]
    assert change(table) == PLAIN
    (asked,) = line.asked
    assert asked["ExpressionAttributeValues"] == {":one": {"N": "1"}}


def test_a_change_whose_condition_does_not_hold_answers_with_the_item_as_it_stands(line: Line, table: Table) -> None:
    line.answers = [
        refused("ConditionalCheckFailedException", Item=ITEM),
        refused("ConditionalCheckFailedException"),
        refused("ConditionalCheckFailedException"),
        cancelled("None", "ConditionalCheckFailed"),
        cancelled("ConditionalCheckFailed", "TransactionConflict"),
    ]
    assert (change(table), change(table)) == (Refused(PLAIN), Refused({}))
    assert put(table) is False
    assert transact(table) == [None, Refused(PLAIN)]
    line.answers = [cancelled("ConditionalCheckFailed", "None")]
    assert transact(table) == [Refused({}), None]
    assert line.pauses == []


def test_what_is_done_is_said_to_be_done(line: Line, table: Table) -> None:
    line.answers = [DONE, DONE]
    assert (put(table), transact(table)) == (True, None)


def test_an_item_is_put_whatever_stands_there_unless_a_condition_is_given(line: Line, table: Table) -> None:
    line.answers = [DONE, DONE, DONE]
    table.put({"client": "acme"})
    table.put({"client": "acme"}, condition="attribute_not_exists(client)")
    table.put({"client": "acme"}, condition="fence = :one", names={":one": 1})
    bare = {"TableName": "ledger", "Item": {"client": {"S": "acme"}}}
    conditional = bare | {"ConditionExpression": "attribute_not_exists(client)"}
    named = bare | {"ConditionExpression": "fence = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    assert line.asked == [bare, conditional, named]


def test_a_change_that_names_no_values_sends_none(line: Line, table: Table) -> None:
    line.answers = [(200, {"Attributes": ITEM})]
    table.change("acme", "cursor", "REMOVE pending", condition="attribute_exists(client)", values={})
    assert "ExpressionAttributeValues" not in line.asked[0]


@pytest.mark.parametrize("made", CHANGES)
@pytest.mark.parametrize("conflict", ["TransactionConflictException", "TransactionInProgressException"])
def test_a_change_that_meets_another_one_is_made_again(
    line: Line, table: Table, made: Callable[[Table], object], conflict: str
) -> None:
    line.answers = [refused(conflict), cancelled("None", "TransactionConflict"), (200, {"Attributes": ITEM})]
    made(table)
    assert (len(line.asked), len(line.pauses)) == (3, 2)


@pytest.mark.parametrize("made", CHANGES)
def test_one_that_meets_others_again_and_again_waits_twice_as_long_each_time_and_then_fails(
    line: Line, table: Table, made: Callable[[Table], object]
) -> None:
    line.answers = [refused("TransactionConflictException")] * 7
    with pytest.raises(ClientError, match="TransactionConflictException"):
        made(table)
    # No two runs wait equally long, or they would meet again.
    assert all(0.025 * 2**n <= pause <= 0.05 * 2**n for n, pause in enumerate(line.pauses))
    assert (len(line.asked), len(line.pauses)) == (7, 6)


@pytest.mark.parametrize("made", CHANGES)
def test_any_other_refusal_is_raised_at_once(line: Line, table: Table, made: Callable[[Table], object]) -> None:
    line.answers = [refused("ResourceNotFoundException"), cancelled("ValidationError")]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        made(table)
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        made(table)
    assert line.pauses == []
