"""An item's attributes, each of the type that it has to have: what somebody has changed by hand is told by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from boto3.dynamodb.types import Binary

from referral_delivery.errors import UnreadableRecord
from referral_delivery.window import from_text

MOMENT = "a moment, such as 2026-11-20T10:00:00Z"
_NAMES = {Decimal: "a number", Binary: "bytes", bool: "a boolean", dict: "a map", list: "a list", type(None): "NULL"}


@dataclass(frozen=True)
class Fields:
    """Plain values of an item, or of a map in it; `place` names it for people."""

    place: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Those of a whole item."""
        return cls(f"client {values.get('client')}, record {values.get('record')!r}", values)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str:
        """A text that has to be there."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number; without a default, one that has to be there."""
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
            raise self.wrong(name, "a whole number")
        return int(value)

    def moment(self, name: str) -> datetime | None:
        """A moment, if it is there."""
        value = self.values.get(name)
        if value is None:
            return None
        try:
            moment = from_text(value)
        except (TypeError, ValueError) as error:
            raise self.wrong(name, MOMENT) from error
        if moment.tzinfo is None:
            raise self.wrong(name, MOMENT)
        return moment

    def octets(self, name: str) -> Binary | None:
        """Bytes, if they are there."""
        value = self.values.get(name)
        if not isinstance(value, Binary | None):
            raise self.wrong(name, "bytes")
        return value

    def map(self, name: str) -> "Fields":
        """A map that has to be there."""
        value = self.values.get(name)
        if not isinstance(value, Mapping):
            raise self.wrong(name, "a map")
        return Fields(f"{self.place}, {name}", value)

    def wrong(self, name: str, expected: str) -> UnreadableRecord:
        """The error that names an attribute, and never its value."""
        found = _NAMES.get(type(self.values[name]), "another type or text") if name in self.values else "nothing"
        return UnreadableRecord(
            f"{self.place}: attribute {name!r}: found {found}; expected {expected}; put it right in the ledger's "
            "table, or restore the table"
        )
