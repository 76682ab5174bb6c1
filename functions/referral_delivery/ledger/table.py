"""The ledger: what each client has received, its cursor, and who may deliver to it now.

One DynamoDB item per client under `record = "cursor"` (position, sequence, lease, fencing number, `requested_until`,
the sealed delivery under `pending`), one per delivery under `delivery#<end of its window>`, one per backfill under
`backfill#<start>#<end>`, one per contract under `contract#<hash>`. Windows of a client's deliveries never share an end,
so those that a new one must know of are one range of keys.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from referral_delivery.agreement.contract import Contract
from referral_delivery.errors import CursorMovedBack, Overtaken
from referral_delivery.ledger import items
from referral_delivery.ledger.dynamodb import Refused, Table, key
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Claim, Delivery, LeaseHeld, Position, Resend, Sealed
from referral_delivery.window import Window, to_text

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# Two runs' clocks may differ by this much. A due time further ahead was asked for by a clock that nobody can follow.
CLOCKS_DIFFER = timedelta(minutes=10)
_LEASE_IS_FREE = "attribute_not_exists(lease_owner) OR lease_owner = :owner OR lease_expires <= :now"
_NOTHING_MORE_IS_ASKED = "(attribute_not_exists(requested_until) OR requested_until <= :done OR requested_until > :far)"


class Ledger:
    """Reads and writes the ledger's table; what a run writes after its claim is conditional on its fencing number."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._table = Table(dynamodb, table)
        self._contracts: dict[tuple[str, str], Contract] = {}

    def claim(
        self,
        client: str,
        *,
        owner: str,
        now: float,
        expires: float,
        due: datetime,
        dead: LeaseHeld | None = None,
    ) -> Claim | LeaseHeld:
        """Take the client's lease until `expires` (epoch seconds), and ask for `due`; or say who holds it.

        The same owner takes its own lease over at once: Lambda's retry of an event keeps the request id. `dead` is a
        lease that was watched for long enough: if it still stands unrenewed, it is taken over, whatever the clocks say.
        """
        free, values = _LEASE_IS_FREE, {":owner": owner, ":now": int(now)}
        if dead:
            free = f"{free} OR (fence = :dead_fence AND lease_expires = :dead_expires)"
            values |= {":dead_fence": dead.fence, ":dead_expires": dead.expires}
        values |= {":expires": int(expires), ":zero": 0, ":one": 1}
        lease = (
            "SET lease_owner = :owner, lease_expires = :expires, fence = if_not_exists(fence, :zero) + :one, "
            "attempts = if_not_exists(attempts, :zero) + :one"
        )
        found = self._change(
            client,
            f"{lease}, requested_until = :due",
            f"({free}) AND (attribute_not_exists(requested_until) OR requested_until <= :due)",
            values | {":due": to_text(due)},
        )
        if isinstance(found, Refused) and (items.asked(found.values) or due) > due:
            found = self._change(client, lease, free, values)
        if isinstance(found, Refused):
            return items.to_lease(found.values)
        return items.to_claim(client, found)

    def request(self, client: str, until: datetime) -> None:
        """Ask whoever holds the lease to deliver up to a moment; a later one that was asked for stays."""
        self._change(
            client,
            "SET requested_until = :until",
            "attribute_not_exists(requested_until) OR requested_until < :until",
            {":until": to_text(until)},
        )

    def renew(self, claim: Claim, *, expires: float) -> None:
        """Move the end of the lease; Overtaken where it is in other hands."""
        self._update(claim, "SET lease_expires = :expires", {":expires": int(expires)})

    def keep(self, contract: Contract, *, last: str | None = None) -> None:
        """Keep a contract under its hash, before a record names it; `last` is one that is kept already."""
        name = contract.hash
        if name != last:
            values = {"version": items.VERSION, "contract": json.dumps(contract.to_plain())}
            self._table.put({"client": contract.client, "record": items.CONTRACT + name, **values})
        self._contracts[contract.client, name] = contract

    def contract(self, client: str, name: str) -> Contract:
        """The contract that a record of the client names."""
        if (client, name) not in self._contracts:
            found = self._table.get(client, items.CONTRACT + name)
            self._contracts[client, name] = Contract.recalled(json.loads(found["contract"]))
        return self._contracts[client, name]

    def seal(self, claim: Claim, sealed: Sealed) -> Claim:
        """Fix a delivery's bytes: from here on it is promised."""
        self._update(
            claim,
            "SET pending = :pending, contract = :contract",
            {":pending": items.from_sealed(sealed), ":contract": sealed.contract},
        )
        return replace(claim, sealed=sealed, contract=sealed.contract)

    def take_back(self, claim: Claim) -> Claim:
        """Forget a sealed delivery that can no longer be published."""
        self._update(claim, "REMOVE pending", {})
        return replace(claim, sealed=None)

    def commit(self, claim: Claim, delivery: Delivery, *, keep: bool, now: datetime) -> Claim | None:
        """Record the delivery, move the cursor, clear the sealed delivery: all of it or nothing.

        The lease is given back, and the answer is None, unless it is to be kept or more has been asked for meanwhile.
        """
        end, sequence = delivery.window.end, claim.sequence if delivery.sequence is None else delivery.sequence
        values = {
            ":end": to_text(end),
            ":start": to_text(delivery.window.start),
            ":sequence": sequence,
            ":fence": claim.fence,
            ":contract": delivery.contract,
        }
        condition = "fence = :fence AND (attribute_not_exists(#position) OR #position = :start)"
        # Its window's end stands in the values anyway.
        rows = ", last_rows = :end" if delivery.rows else ""
        forget = "REMOVE pending, attempts, in_vain"
        if not keep:
            forget += ", lease_owner, lease_expires"
            condition += f" AND {_NOTHING_MORE_IS_ASKED}"
            values |= {":done": to_text(end), ":far": to_text(now + CLOCKS_DIFFER)}
        record = {
            "TableName": self._table.name,
            "Item": items.item(items.from_delivery(delivery)),
            "ConditionExpression": "attribute_not_exists(client)",
        }
        cursor = {
            "TableName": self._table.name,
            "Key": key(claim.client, items.CURSOR),
            "UpdateExpression": f"SET #position = :end, #sequence = :sequence, contract = :contract{rows} {forget}",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#position": "position", "#sequence": "sequence"},
            "ExpressionAttributeValues": items.item(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if refused := self._table.transact({"Put": record}, {"Update": cursor}):
            _, moved = refused
            if moved is None:
                raise CursorMovedBack(
                    f"client {claim.client}: a delivery up to {to_text(end)} is in the ledger, and the cursor stands "
                    "before it: somebody has moved it back; put its `position` to the end of the last delivery"
                )
            if keep:
                raise _overtaken(claim)
            # More is asked for, or another run has taken over: kept, the lease tells which.
            asked = replace(claim, requested_until=items.asked(moved.values))
            return self.commit(asked, delivery, keep=True, now=now)
        if not keep:
            return None
        return replace(claim, position=end, sequence=sequence, sealed=None, attempt=1, contract=delivery.contract)

    def release(self, claim: Claim, *, done: datetime, now: datetime) -> datetime | None:
        """Give the lease back, unless more than `done` has been asked for: then the answer is until when."""
        found = self._change(
            claim.client,
            "REMOVE lease_owner, lease_expires, attempts, in_vain",
            f"fence = :fence AND {_NOTHING_MORE_IS_ASKED}",
            {":fence": claim.fence, ":done": to_text(done), ":far": to_text(now + CLOCKS_DIFFER)},
        )
        if isinstance(found, Refused) and found.values.get("fence") == claim.fence:
            return items.asked(found.values)
        return None

    def abandon(self, claim: Claim, *, in_vain: bool = False) -> None:
        """Give the lease back though there is more to do; nothing happens where another run holds it by now.

        `in_vain`: what failed would have failed in a smaller delivery too, and the next one need not be smaller.
        """
        counted, values = "SET in_vain = if_not_exists(in_vain, :zero) + :one ", {":zero": 0, ":one": 1}
        try:
            self._update(
                claim, f"{counted if in_vain else ''}REMOVE lease_owner, lease_expires", values if in_vain else {}
            )
        except Overtaken:
            return

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still the last one that was made."""
        return self._table.get(claim.client, items.CURSOR).get("fence") == claim.fence

    def already_read(self, client: str, *, since: datetime, until: datetime | None = None) -> set[bytes]:
        """Hashes of the lake objects that deliveries were the first to read.

        Of deliveries whose windows end from `since` to `until`, both included; without `until`, of all later ones.
        """
        found = self._table.range(
            client,
            items.DELIVERY + to_text(since),
            items.DELIVERY + to_text(until) if until else items.AFTER_DELIVERIES,
            attributes=["objects"],
        )
        return {name_hash for values in found for name_hash in items.unpacked(values.get("objects"))}

    def deliveries(self, client: str, *, since: datetime | None = None) -> list[Delivery]:
        """Committed deliveries of a client whose windows end at `since` or later, oldest first."""
        first = items.DELIVERY + (to_text(since) if since else "")
        return [self._delivery(values) for values in self._table.range(client, first, items.AFTER_DELIVERIES)]

    def position(self, client: str) -> Position:
        """Where the client stands, without claiming anything."""
        return items.to_position(self._table.get(client, items.CURSOR))

    def positions(self, clients: Iterable[str]) -> dict[str, Position]:
        """Where each of the clients stands; one that has received nothing yet stands nowhere."""
        names = list(clients)
        found = self._table.get_all((client, items.CURSOR) for client in names)
        return {client: items.to_position(found.get((client, items.CURSOR), {})) for client in names}

    def mark_resend(self, delivery: Delivery, resend: Resend) -> None:
        """Note in a delivery's record that it was made again, or that it could not be."""
        self._table.change(
            delivery.client,
            items.record_key(delivery.occasion, delivery.window),
            "SET resends = list_append(if_not_exists(resends, :none), :resend)",
            condition="attribute_exists(client)",
            values={":none": [], ":resend": [items.from_resend(resend)]},
        )

    def backfills(self, client: str) -> list[Delivery | Sealed]:
        """Backfills of a client, by window; a Sealed one is not published for sure."""
        found = self._table.range(client, items.BACKFILL, items.AFTER_BACKFILLS)
        return [made for values in found if (made := self._backfill(values))]

    def backfill(self, client: str, window: Window) -> Delivery | Sealed | None:
        """The backfill of exactly this window."""
        return self._backfill(self._table.get(client, items.record_key(Occasion.BACKFILL, window)))

    def seal_backfill(self, client: str, sealed: Sealed, *, instead_of: Delivery | Sealed | None) -> bool:
        """Fix a backfill's bytes; False where another run has fixed them first.

        `instead_of` is one whose upload is gone, or whose file has expired.
        """
        values = items.from_sealed(sealed) | {
            "client": client,
            "record": items.record_key(Occasion.BACKFILL, sealed.window),
        }
        if isinstance(instead_of, Sealed):
            condition = "sealed.upload_id = :lost AND attribute_not_exists(published_at)"
            return self._table.put(values, condition=condition, names={":lost": instead_of.parts.upload_id})
        if instead_of:
            names = {":expired": to_text(instead_of.published_at)}
            return self._table.put(values, condition="published_at = :expired", names=names)
        return self._table.put(values, condition="attribute_not_exists(client)")

    def finish_backfill(self, delivery: Delivery) -> None:
        """Record a backfill that is visible; the cursor is not touched."""
        self._table.put(items.from_delivery(delivery))

    def _backfill(self, values: Mapping[str, Any]) -> Delivery | Sealed | None:
        if "published_at" in values:
            return self._delivery(values)
        self._remember(values)
        return items.to_sealed(values)

    def _delivery(self, values: Mapping[str, Any]) -> Delivery:
        self._remember(values)
        return items.to_delivery(values)

    def _remember(self, values: Mapping[str, Any]) -> None:
        """A record of version 1 has its contract with it."""
        if contract := items.contract_of(values):
            self._contracts[contract.client, contract.hash] = contract

    def _update(self, claim: Claim, expression: str, values: Mapping[str, Any]) -> None:
        if isinstance(
            self._change(claim.client, expression, "fence = :fence", {**values, ":fence": claim.fence}), Refused
        ):
            raise _overtaken(claim)

    def _change(
        self, client: str, expression: str, condition: str, values: Mapping[str, Any]
    ) -> dict[str, Any] | Refused:
        return self._table.change(client, items.CURSOR, expression, condition=condition, values=values)


def _overtaken(claim: Claim) -> Overtaken:
    return Overtaken(f"client {claim.client}: another run has taken the lease over since fencing number {claim.fence}")
