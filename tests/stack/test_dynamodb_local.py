"""With `--reference`, every delivery is recorded in DynamoDB Local, and the emulator's DynamoDB has no part in it."""

from typing import TYPE_CHECKING, Any

import pytest

from referral_delivery.delivery.event import ExportEvent
from referralctl.local_system import session
from tests.stack.conftest import Lab

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.reference


def tables_of_the_emulator(system: dict[str, Any]) -> list[str]:
    dynamodb: DynamoDBClient = session(system).client("dynamodb", endpoint_url=system["endpoint_url"])
    return dynamodb.list_tables()["TableNames"]


def test_the_ledgers_table_is_in_dynamodb_local_and_not_in_the_emulator(lab: Lab, system: dict[str, Any]) -> None:
    table = lab.stack.dynamodb.describe_table(TableName=lab.stack["ledger_table"])["Table"]
    assert table["TableArn"].split(":")[3] == "ddblocal"  # its region, whatever the client's is
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("client", "HASH"),
        ("record", "RANGE"),
    ]
    assert tables_of_the_emulator(system) == []


def test_a_delivery_is_recorded_in_dynamodb_local(lab: Lab, system: dict[str, Any]) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver()
    assert [each.rows for each in lab.ledger.deliveries(lab.client)] == [1]
    assert lab.stack.dynamodb.meta.endpoint_url != system["endpoint_url"]
    assert tables_of_the_emulator(system) == []


def test_the_deployed_function_records_its_delivery_in_dynamodb_local(lab: Lab, system: dict[str, Any]) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    answer = lab.invoke(ExportEvent(contract=lab.contract(), scheduled_time="2026-11-20T10:00:00Z"))
    assert answer["status"] == "delivered"
    assert [each.rows for each in lab.ledger.deliveries(lab.client)] == [1]
    assert tables_of_the_emulator(system) == []
