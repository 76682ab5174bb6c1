"""Two changes of one item at once: DynamoDB refuses one of them, and that is no failure."""

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from referral_delivery.delivery.report import Status
from tests.stack.conftest import Lab
from tests.support import utc

DUE = utc("2026-11-20 10:00")
ANSWERS = {
    "UpdateItem": {"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException"},
    "TransactWriteItems": {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
    },
}


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


@pytest.mark.parametrize("operation", ANSWERS)
def test_a_change_that_meets_a_transaction_is_made_again(lab: Lab, operation: str) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    met: list[str] = []

    def conflict(request: Any, **_: Any) -> Any:
        if met:
            return None
        met.append(request.url)
        body = json.dumps(ANSWERS[operation]).encode()
        headers = HTTPHeaders.from_pairs([("Content-Type", "application/x-amz-json-1.0")])
        return AWSResponse(request.url, 400, headers, _Body(body))

    events = lab.stack.dynamodb.meta.events
    events.register_first(f"before-send.dynamodb.{operation}", conflict, unique_id="conflict")
    try:
        assert lab.deliver(due=DUE).status is Status.DELIVERED
    finally:
        events.unregister(f"before-send.dynamodb.{operation}", conflict, unique_id="conflict")
    assert (len(met), lab.delivered()) == (1, ["a"])
