"""The ledger: what each client has received, its cursor, and who may deliver to it now.

One DynamoDB item per client under `record = "cursor"` (position, sequence, lease, fencing number, pending
delivery), one per delivery under `delivery#<end of its window>`, one per backfill under `backfill#<start>#<end>`.
Windows of a client's deliveries never share an end, so those that a new one must know of are one range of keys.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from referral_delivery import records
from referral_delivery.errors import Overtaken
from referral_delivery.event import Kind
from referral_delivery.records import Claim, Delivery, LeaseHeld, Pending, Position, Resend, Sealed
from referral_delivery.window import Window, to_text

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# The character after '#', for the end of a range of keys.
_AFTER_DELIVERIES, _AFTER_BACKFILLS = "delivery$", "backfill$"


class Ledger:
    """Reads and writes the ledger's table; what a run writes after its claim is conditional on its fencing number."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self.table = table

    def claim(self, client: str, *, owner: str, now: float, expires: float) -> Claim | LeaseHeld:
        """Take the client's lease until `expires` (epoch seconds), or say who holds it.

        The same owner takes its own lease over at once: Lambda's retry of an event keeps the request id.
        """
        try:
            answer = self._dynamodb.update_item(
                TableName=self.table,
                Key=_cursor_key(client),
                UpdateExpression=(
                    "SET lease_owner = :owner, lease_expires = :expires, fence = if_not_exists(fence, :zero) + :one"
                ),
                ConditionExpression=(
                    "attribute_not_exists(lease_owner) OR lease_owner = :owner OR lease_expires <= :now"
                ),
                ExpressionAttributeValues=records.item(
                    {":owner": owner, ":expires": int(expires), ":now": int(now), ":zero": 0, ":one": 1}
                ),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            held = records.plain(cast("dict[str, Any]", error.response).get("Item", {}))
            return LeaseHeld(str(held.get("lease_owner", "")), float(held.get("lease_expires", expires)))
        return records.to_claim(client, records.plain(answer["Attributes"]))

    def begin(self, claim: Claim, pending: Pending) -> None:
        """Write the pending delivery down, before a byte of it is exported."""
        self._update(claim, "SET pending = :pending", {":pending": records.from_pending(pending)})

    def seal(self, claim: Claim, pending: Pending, sealed: Sealed, objects: frozenset[bytes]) -> Pending:
        """Fix the pending delivery's bytes and the objects that it was the first to read."""
        done = replace(pending, sealed=sealed, objects=objects)
        self._update(claim, "SET pending = :pending", {":pending": records.from_pending(done)})
        return done

    def unseal(self, claim: Claim, pending: Pending) -> Pending:
        """Forget an upload that is gone; the objects stay, so that the same bytes are made again."""
        done = replace(pending, sealed=None)
        self._update(claim, "SET pending = :pending", {":pending": records.from_pending(done)})
        return done

    def commit(self, claim: Claim, delivery: Delivery) -> None:
        """Record the delivery, move the cursor, clear pending and lease: all of it or nothing."""
        sequence = claim.sequence if delivery.sequence is None else delivery.sequence
        position = to_text(delivery.window.start)
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": self.table,
                            "Item": records.item(records.from_delivery(delivery)),
                            "ConditionExpression": "attribute_not_exists(client)",
                        }
                    },
                    {
                        "Update": {
                            "TableName": self.table,
                            "Key": _cursor_key(delivery.client),
                            "UpdateExpression": (
                                "SET #position = :end, #sequence = :sequence REMOVE pending, lease_owner, lease_expires"
                            ),
                            "ConditionExpression": (
                                "fence = :fence AND (attribute_not_exists(#position) OR #position = :start)"
                            ),
                            "ExpressionAttributeNames": {"#position": "position", "#sequence": "sequence"},
                            "ExpressionAttributeValues": records.item(
                                {
                                    ":end": to_text(delivery.window.end),
                                    ":start": position,
                                    ":sequence": sequence,
                                    ":fence": claim.fence,
                                }
                            ),
                        }
                    },
                ]
            )
        except ClientError as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            if "ConditionalCheckFailed" in reasons:
                raise _overtaken(claim) from error
            raise

    def release(self, claim: Claim) -> None:
        """Give the lease back; nothing happens where another run holds it by now."""
        try:
            self._update(claim, "REMOVE lease_owner, lease_expires", {})
        except Overtaken:
            return

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still the last one that was made."""
        answer = self._dynamodb.get_item(TableName=self.table, Key=_cursor_key(claim.client), ConsistentRead=True)
        return records.plain(answer.get("Item", {})).get("fence") == claim.fence

    def already_read(self, client: str, *, since: datetime, until: datetime | None = None) -> set[bytes]:
        """Hashes of the lake objects that deliveries were the first to read.

        Of deliveries whose windows end from `since` to `until`, both included; without `until`, of all later ones.
        """
        items = self._range(
            client,
            records.DELIVERY + to_text(since),
            records.DELIVERY + to_text(until) if until else _AFTER_DELIVERIES,
            attributes=["objects"],
        )
        return {name_hash for item in items for name_hash in records.unpacked(item.get("objects"))}

    def deliveries(self, client: str, *, since: datetime | None = None) -> list[Delivery]:
        """Committed deliveries of a client whose windows end at `since` or later, oldest first."""
        first = records.DELIVERY + (to_text(since) if since else "")
        return [records.to_delivery(item) for item in self._range(client, first, _AFTER_DELIVERIES)]

    def position(self, client: str) -> Position:
        """Where the client stands, without claiming anything."""
        answer = self._dynamodb.get_item(TableName=self.table, Key=_cursor_key(client), ConsistentRead=True)
        return records.to_position(records.plain(answer.get("Item", {})))

    def mark_resend(self, delivery: Delivery, resend: Resend) -> None:
        """Note in a delivery's record that it was made again, or that it could not be."""
        self._dynamodb.update_item(
            TableName=self.table,
            Key=records.item({"client": delivery.client, "record": records.record_key(delivery.kind, delivery.window)}),
            UpdateExpression="SET resends = list_append(if_not_exists(resends, :none), :resend)",
            ExpressionAttributeValues=records.item({":none": [], ":resend": [records.from_resend(resend)]}),
            ConditionExpression="attribute_exists(client)",
        )

    def backfills(self, client: str) -> list[Delivery | Pending]:
        """Backfills of a client, by window; a Pending one is sealed and not yet published for sure."""
        items = self._range(client, records.BACKFILL, _AFTER_BACKFILLS)
        return [records.to_delivery(item) if "published_at" in item else records.to_pending(item) for item in items]

    def backfill(self, client: str, window: Window) -> Delivery | Pending | None:
        """The backfill of exactly this window."""
        key = records.item({"client": client, "record": records.record_key(Kind.BACKFILL, window)})
        item = records.plain(
            self._dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        )
        if not item:
            return None
        return records.to_delivery(item) if "published_at" in item else records.to_pending(item)

    def seal_backfill(self, pending: Pending, *, instead_of: Pending | None) -> bool:
        """Fix a backfill's bytes; False where another run has fixed them first.

        `instead_of` is a sealed one whose upload is gone.
        """
        values = records.from_pending(pending) | {
            "client": pending.contract.client,
            "record": records.record_key(Kind.BACKFILL, pending.window),
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(client)"}
        if instead_of and instead_of.sealed:
            condition = {
                "ConditionExpression": "sealed.upload_id = :lost",
                "ExpressionAttributeValues": records.item({":lost": instead_of.sealed.parts.upload_id}),
            }
        try:
            self._dynamodb.put_item(TableName=self.table, Item=records.item(values), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def finish_backfill(self, delivery: Delivery) -> None:
        """Record a backfill that is visible; the cursor is not touched."""
        self._dynamodb.put_item(TableName=self.table, Item=records.item(records.from_delivery(delivery)))

    def _range(
        self, client: str, first: str, last: str, *, attributes: list[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """The items of a client between two sort keys, both included."""
        names = {"#record": "record"}
        projection: dict[str, Any] = {}
        if attributes:
            names |= {f"#{name}": name for name in attributes}
            projection = {"ProjectionExpression": ", ".join(f"#{name}" for name in attributes)}
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="client = :client AND #record BETWEEN :first AND :last",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=records.item({":client": client, ":first": first, ":last": last}),
            ConsistentRead=True,
            **projection,
        )
        for page in pages:
            for item in page["Items"]:
                yield records.plain(item)

    def _update(self, claim: Claim, expression: str, values: Mapping[str, Any]) -> None:
        try:
            self._dynamodb.update_item(
                TableName=self.table,
                Key=_cursor_key(claim.client),
                UpdateExpression=expression,
                ConditionExpression="fence = :fence",
                ExpressionAttributeValues=records.item({**values, ":fence": claim.fence}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise _overtaken(claim) from error
            raise


def _cursor_key(client: str) -> dict[str, Any]:
    return records.item({"client": client, "record": records.CURSOR})


def _overtaken(claim: Claim) -> Overtaken:
    return Overtaken(f"client {claim.client}: another run has taken the lease over since fencing number {claim.fence}")
