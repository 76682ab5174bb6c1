"""The past of a client, as a stack holds it that has delivered for years."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from referral_delivery.agreement.contract import Contract
from referral_delivery.lake.objects import PREFIX, LakeObject
from referral_delivery.ledger.items import CURSOR, from_delivery, item
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Delivery
from referral_delivery.window import HOUR, Window, to_text
from referralctl.stacks import Stack

_AT_ONCE = 8


def object_key(client: str, hour: datetime) -> str:
    """Where the object of an hour lies in the lake."""
    return f"{PREFIX}/client={client}/dt={hour:%Y-%m-%d}/hr={hour:%H}/referrals.parquet"


def put_history(stack: Stack, contract: Contract, until: datetime, *, days: int) -> int:
    """Give a client a lake object, a copy of that of hour `until`, and a delivery of it for each day before.

    The answer is the number of its objects, that of `until` included.
    """
    client, lake = contract.client, stack["lake_bucket"]
    body = stack.s3.get_object(Bucket=lake, Key=object_key(client, until))["Body"].read()
    hours = [until - timedelta(days=day) for day in range(1, days + 1)]

    def put(hour: datetime) -> None:
        stack.s3.put_object(Bucket=lake, Key=object_key(client, hour), Body=body)
        put_delivery(stack, contract, hour)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(put, hours))
    return len(hours) + 1


def stand_at(stack: Stack, contract: Contract, moment: datetime) -> None:
    """Put the cursor of a client that has received its first file, of a window that ended at `moment`."""
    stack.ledger.keep(contract)
    cursor = {
        "client": contract.client,
        "record": CURSOR,
        "position": to_text(moment),
        "sequence": 1,
        "fence": 1,
        "contract": contract.hash,
    }
    stack.dynamodb.put_item(TableName=stack["ledger_table"], Item=item(cursor))


def put_delivery(stack: Stack, contract: Contract, hour: datetime) -> None:
    """Put the record of a file with one referral of an hour."""
    stack.dynamodb.put_item(TableName=stack["ledger_table"], Item=item(from_delivery(_delivery(contract, hour))))


def _delivery(contract: Contract, hour: datetime) -> Delivery:
    return Delivery(
        client=contract.client,
        sequence=1,
        occasion=Occasion.SCHEDULED,
        window=Window(hour, hour + HOUR),
        key="downloads/none.csv",
        rows=1,
        size_bytes=1,
        sha256="",
        plain_hash=None,
        late_rows=0,
        published_at=hour + HOUR,
        contract=contract.hash,
        objects=frozenset({LakeObject(object_key(contract.client, hour), hour, 1).name_hash}),
    )
