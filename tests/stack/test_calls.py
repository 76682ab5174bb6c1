"""How many AWS calls a delivery makes, and from where it lists: what it costs, and what does not grow."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.aws_calls import AwsCalls
from benchmarks.history import object_key, put_history, stand_at
from referralctl.local_system import session
from referralctl.stacks import Stack
from tests.stack.conftest import Lab
from tests.support import parquet, utc

HOUR = utc("2026-11-20 11:00")
# DuckDB's reads of the Parquet itself are not among them.
CALLS = {
    "UpdateItem": 2,
    "ListObjectsV2": 1,
    "Query": 1,
    "CreateMultipartUpload": 1,
    "UploadPart": 1,
    "CompleteMultipartUpload": 1,
    "TransactWriteItems": 1,
}


@pytest.fixture
def counted(system: dict[str, Any]) -> tuple[Lab, AwsCalls]:
    """A laboratory whose AWS calls are counted, with a client that has an hour of referrals waiting."""
    return _counted(system)


def _counted(system: dict[str, Any]) -> tuple[Lab, AwsCalls]:
    stack, calls = Stack(system["outputs"], local=system), AwsCalls()
    lab = Lab(stack, f"lab-{uuid.uuid4().hex[:12]}", session(system), now=HOUR + timedelta(hours=1))
    body = parquet([{"referral_id": "a", "received_at": f"{HOUR:%Y-%m-%d %H:%M:%S}"}])
    stack.s3.put_object(Bucket=stack["lake_bucket"], Key=object_key(lab.client, HOUR), Body=body)
    stand_at(stack, lab.contract(), HOUR)
    for client in (stack.s3, stack.dynamodb):
        calls.watch(client.meta.events)
    return lab, calls


def test_an_hourly_delivery_of_one_part_makes_eight_aws_calls(counted: tuple[Lab, AwsCalls]) -> None:
    lab, calls = counted
    lab.deliver()
    assert calls.operations == CALLS
    assert lab.delivered() == ["a"]


def test_a_manifest_is_the_eleventh_call(counted: tuple[Lab, AwsCalls]) -> None:
    lab, calls = counted
    contract = lab.contract(file={"manifest": True})
    stand_at(lab.stack, contract, HOUR)
    calls.clear()
    lab.deliver(contract)
    assert calls.operations == CALLS | {"PutObject": 1}


def test_a_contract_that_has_changed_is_kept_with_one_call_more_and_only_once(counted: tuple[Lab, AwsCalls]) -> None:
    lab, calls = counted
    contract = lab.contract(attributes=[{"name": "id", "from": "referral_id"}])
    lab.deliver(contract, due=HOUR + timedelta(minutes=30))
    assert calls.operations == CALLS | {"PutItem": 1}
    calls.clear()
    lab.deliver(contract)
    assert calls.operations == CALLS


def test_a_run_with_nothing_due_claims_and_releases_and_lists_nothing(counted: tuple[Lab, AwsCalls]) -> None:
    lab, calls = counted
    lab.deliver(due=HOUR)
    assert calls.operations == {"UpdateItem": 2}


def test_the_listing_begins_with_the_first_day_that_window_and_reach_touch(counted: tuple[Lab, AwsCalls]) -> None:
    lab, calls = counted
    lab.deliver()
    assert calls.listed_from == [f"referrals/client={lab.client}/dt=2026-11-18/"]


def test_a_client_with_three_years_of_history_costs_what_a_new_one_does(
    counted: tuple[Lab, AwsCalls], system: dict[str, Any]
) -> None:
    new, calls_of_new = counted
    old, calls_of_old = _counted(system)
    objects = put_history(old.stack, old.contract(), HOUR, days=3 * 365)
    assert objects == 3 * 365 + 1
    calls_of_old.clear()
    new.deliver()
    old.deliver()
    assert calls_of_old.operations == calls_of_new.operations
    assert old.delivered() == new.delivered() == ["a"]
