"""The ledger's table as DynamoDB serves it: items of one client, consistent reads, conditional changes."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import ClientError

from referral_delivery.ledger import items

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# Two changes of one item at once, one of them in a transaction: DynamoDB refuses one, and botocore does not repeat it.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
_CONFLICTS = {"TransactionConflictException", "TransactionInProgressException", "TransactionConflict"}
_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
_KEYS_OF_A_BATCH = 100

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Refused:
    """A change whose condition did not hold; `values` are the item's as it stands, or empty."""

    values: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Reads and writes items, as plain values."""

    dynamodb: "DynamoDBClient"
    name: str

    def get(self, client: str, record: str) -> dict[str, Any]:
        """The item, or nothing."""
        answer = self.dynamodb.get_item(TableName=self.name, Key=key(client, record), ConsistentRead=True)
        return items.plain(answer.get("Item", {}))

    def get_all(
        self, keys: Iterable[tuple[str, str]], *, consistent: bool = True
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """The items that there are of these (client, record), by the same; a hundred in a request.

        Half as dear where they need not be `consistent`: some of them may be a second old.
        """
        found: dict[tuple[str, str], dict[str, Any]] = {}
        waiting = [key(client, record) for client, record in keys]
        pauses = iter(_PAUSES_SECONDS)
        while waiting:
            asked, waiting = waiting[:_KEYS_OF_A_BATCH], waiting[_KEYS_OF_A_BATCH:]
            answer = self.dynamodb.batch_get_item(
                RequestItems={self.name: {"Keys": asked, "ConsistentRead": consistent}},
            )
            for values in map(items.plain, answer["Responses"].get(self.name, [])):
                found[values["client"], values["record"]] = values
            # What DynamoDB had no room or no capacity for is asked for again.
            # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
            if rest := answer.get("UnprocessedKeys", {}).get(self.name):
                waiting += cast("list[dict[str, Any]]", rest["Keys"])
                time.sleep(next(pauses, _PAUSES_SECONDS[-1]))
        return found

    def range(
        self,
        client: str,
        first: str,
        last: str,
        *,
        attributes: list[str] | None = None,
        condition: str | None = None,
        names: Iterable[str] = (),
        values: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The items of a client between two sort keys, both included; all attributes, or some.

        Of a `condition`, what is not met does not come over the wire; `names` are those that it writes as `#name`.
        """
        named = {f"#{name}": name for name in ("record", *(attributes or ()), *names)}
        rest: dict[str, Any] = {"FilterExpression": condition} if condition else {}
        if attributes:
            rest["ProjectionExpression"] = ", ".join(f"#{name}" for name in attributes)
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="client = :client AND #record BETWEEN :first AND :last",
            ExpressionAttributeNames=named,
            ExpressionAttributeValues=items.item({":client": client, ":first": first, ":last": last, **(values or {})}),
            ConsistentRead=True,
            **rest,
        )
        for page in pages:
            for found in page["Items"]:
                yield items.plain(found)

    def put(
        self, values: Mapping[str, Any], *, condition: str | None = None, names: Mapping[str, Any] | None = None
    ) -> bool:
        """Write an item; False where the condition does not hold. `names` are the values that the condition names."""
        conditional: dict[str, Any] = {}
        if condition:
            conditional = {"ConditionExpression": condition}
            if names:
                conditional["ExpressionAttributeValues"] = items.item(names)
        try:
            patiently(lambda: self.dynamodb.put_item(TableName=self.name, Item=items.item(values), **conditional))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def change(
        self, client: str, record: str, expression: str, *, condition: str, values: Mapping[str, Any]
    ) -> dict[str, Any] | Refused:
        """Change an item: the item as it is then, or refused."""
        named = {"ExpressionAttributeValues": items.item(values)} if values else {}
        try:
            answer = patiently(
                lambda: self.dynamodb.update_item(
                    TableName=self.name,
                    Key=key(client, record),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **named,  # type: ignore[arg-type]  # the stub cannot tell which parameter this is
                )
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return Refused(items.plain(cast("dict[str, Any]", error.response).get("Item", {})))
        return items.plain(answer["Attributes"])

    def transact(self, *actions: Mapping[str, Any]) -> list[Refused | None] | None:
        """Do all of it or nothing: None when done, else what each action was refused for."""
        try:
            patiently(lambda: self.dynamodb.transact_write_items(TransactItems=cast("Any", actions)))
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            if "ConditionalCheckFailed" not in [reason.get("Code") for reason in reasons]:
                raise
            return [
                Refused(items.plain(reason.get("Item", {}))) if reason.get("Code") == "ConditionalCheckFailed" else None
                for reason in reasons
            ]
        return None


def key(client: str, record: str) -> dict[str, Any]:
    """An item's key."""
    return items.item({"client": client, "record": record})


def patiently(call: Callable[[], _Answer]) -> _Answer:
    """The call's answer; repeated, a few times, where it met another change of the same item."""
    for pause in _PAUSES_SECONDS:
        try:
            return call()
        except ClientError as error:
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if not _CONFLICTS & {error.response["Error"]["Code"], *reasons}:
                raise
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that the two do not meet again
    return call()
