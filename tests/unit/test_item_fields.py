"""Attributes of the ledger's items: one of another type than it has to be is told by its name, and not by its value."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary

from referral_delivery.errors import UnreadableRecord
from referral_delivery.ledger.fields import MOMENT, Fields
from tests.support import utc

PLACE = "client acme, record 'cursor'"


def fields(**values: Any) -> Fields:
    """An item's, with these attributes."""
    return Fields.of({"client": "acme", "record": "cursor", **values})


def test_each_attribute_is_read_as_what_it_is() -> None:
    found = fields(a="x", n=Decimal(7), at="2026-11-20T10:00:00Z", b=Binary(b"12"), m={"rows": Decimal(3)}, zero=0)
    assert (found.text("a"), found.number("n"), found.number("zero")) == ("x", 7, 0)
    assert found.moment("at") == utc("2026-11-20 10:00")
    assert found.octets("b") == Binary(b"12")
    assert found.map("m").number("rows") == 3
    assert "a" in found
    assert "z" not in found


def test_what_may_be_missing_is_nothing_or_its_default() -> None:
    found = fields()
    assert (found.moment("at"), found.octets("b"), found.number("n", 5)) == (None, None, 5)


@pytest.mark.parametrize(
    ("read", "value", "said"),
    [
        (Fields.text, Decimal(7), "found a number; expected a text"),
        (Fields.text, None, "found NULL; expected a text"),
        (Fields.number, "secret", "found another type or text; expected a whole number"),
        (Fields.number, True, "found a boolean; expected a whole number"),
        (Fields.number, Decimal("7.5"), "found a number; expected a whole number"),
        (Fields.moment, Decimal(7), f"found a number; expected {MOMENT}"),
        (Fields.moment, "secret", f"found another type or text; expected {MOMENT}"),
        (Fields.moment, "2026-11-20T10:00:00", f"found another type or text; expected {MOMENT}"),
        (Fields.octets, "secret", "found another type or text; expected bytes"),
        (Fields.map, [], "found a list; expected a map"),
        (Fields.map, Binary(b"x"), "found bytes; expected a map"),
        (Fields.text, {}, "found a map; expected a text"),
    ],
)
def test_an_attribute_of_another_type_is_told_by_its_name(
    read: Callable[[Fields, str], object], value: object, said: str
) -> None:
    with pytest.raises(UnreadableRecord) as refused:
        read(fields(x=value), "x")
    assert str(refused.value) == (
        f"{PLACE}: attribute 'x': {said}; put it right in the ledger's table, or restore the table"
    )


@pytest.mark.parametrize("read", [Fields.text, Fields.number, Fields.map])
def test_an_attribute_that_has_to_be_there_is_told_where_it_is_not(read: Callable[[Fields, str], object]) -> None:
    with pytest.raises(UnreadableRecord, match="attribute 'x': found nothing; expected a"):
        read(fields(), "x")


def test_an_attribute_of_a_map_is_told_with_its_map() -> None:
    with pytest.raises(UnreadableRecord, match=f"{PLACE}, sealed: attribute 'rows': found nothing; expected a whole"):
        fields(sealed={}).map("sealed").number("rows")
