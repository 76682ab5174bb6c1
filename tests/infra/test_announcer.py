"""What feeds the announce function, and what it may do."""

import json

import pytest

from infra.announcer import PATTERNS
from tests.infra.conftest import Graph
from tests.infra.test_policies import statements
from tests.recorder import ACCOUNT_ID, REGION

STREAM = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:ledger-table/stream/1"


def test_the_ledgers_stream_has_what_was_written(graph: Graph) -> None:
    (table,) = graph.of("Table")
    assert (table.inputs["streamEnabled"], table.inputs["streamViewType"]) == (True, "NEW_IMAGE")


def test_the_stream_feeds_the_announce_function_from_its_beginning_and_gives_again_what_failed(graph: Graph) -> None:
    mapping = graph.one("EventSourceMapping", "announce-stream").inputs
    assert (mapping["eventSourceArn"], mapping["startingPosition"]) == (STREAM, "TRIM_HORIZON")
    assert mapping["functionName"] == "referrals-test-announce"
    assert (mapping["functionResponseTypes"], mapping["bisectBatchOnFunctionError"]) == (
        ["ReportBatchItemFailures"],
        True,
    )
    failures = graph.one("Queue", "announce-failures")
    destination = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{failures.name}"
    assert mapping["destinationConfig"] == {"onFailure": {"destinationArn": destination}}
    assert [json.loads(each["pattern"]) for each in mapping["filterCriteria"]["filters"]] == list(PATTERNS)


def test_the_announce_functions_role_has_exactly_these_rights(graph: Graph) -> None:
    rights = {each["Sid"]: each for each in statements(graph, "announce-policy")}
    assert {sid: (each["Action"], each["Resource"]) for sid, each in rights.items()} == {
        "ReadStream": (["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], [STREAM]),
        "FindStream": (["dynamodb:ListStreams"], [f"{STREAM.removesuffix('1')}*"]),
        "PutEvents": (["events:PutEvents"], [f"arn:aws:events:{REGION}:{ACCOUNT_ID}:event-bus/default"]),
        "WriteLogs": (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:announce-logs:*"],
        ),
        "ReportFailures": (["sqs:SendMessage"], [f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:announce-failures"]),
    }
    assert rights["PutEvents"]["Condition"] == {"StringEqualsIfExists": {"events:source": "referral-delivery"}}


@pytest.mark.parametrize("with_key", ["graph_with_own_key", "graph_with_given_key"])
def test_with_a_key_the_announce_function_may_use_it_through_stream_and_queue_alone(
    with_key: str, request: pytest.FixtureRequest
) -> None:
    rights = {each["Sid"]: each for each in statements(request.getfixturevalue(with_key), "announce-policy")}
    services = rights["UseStacksKey"]["Condition"]["StringLike"]["kms:ViaService"]
    assert services == ["dynamodb.*.amazonaws.com*", "sqs.*.amazonaws.com*"]
