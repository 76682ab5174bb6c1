"""The text of one value: hashes against published vectors, numbers against Python's own, what is refused."""

import struct
from collections.abc import Sequence
from decimal import Context, Decimal
from math import isfinite
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from referral_delivery.agreement.column import Column
from referral_delivery.errors import InexactValue
from referral_delivery.lake.refusals import OBJECT_COLUMN, explained
from referral_delivery.lake.shaping import Parameters, steps
from referral_delivery.lake.values import Stored, value_of

# FIPS 180-2 appendix B and RFC 1321 appendix A.5.
SHA256_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
SHA256_LONG = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
MD5 = {
    "a": "0cc175b9c0f1b6a831c399e269772661",
    "abc": "900150983cd24fb0d6963f7d28e17f72",
    "message digest": "f96b697d7cb7938d525a2f31aaf161d0",
    "abcdefghijklmnopqrstuvwxyz": "c3fcd3d76192e4007dfb496cca67e13b",
}


def written(value: object, type_: str = "VARCHAR", source: str = "email", **column: Any) -> Any:
    """What the column's SQL makes of one value, stored as `type_`."""
    [found] = all_written([value], type_, source, **column)
    return found


def all_written(values: Sequence[object], type_: str, source: str, *, guard: bool = False, **column: Any) -> list[Any]:
    agreed = Column.model_validate({"name": "x", "from": source, **column})
    sql = value_of(agreed, Stored("Odd \"name'", type_))
    rows = f'SELECT unnest($values::{type_}[]) AS "Odd ""name\'", \'s3://lake/o.parquet\' AS "{OBJECT_COLUMN}"'
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        parameters = Parameters({"values": list(values)})
        sql = f'SELECT {sql} AS x, "{OBJECT_COLUMN}" FROM ({rows})'
        for step in steps(agreed, parameters, guard=guard):
            sql = f'SELECT {step("x")} AS x, "{OBJECT_COLUMN}" FROM ({sql})'
        return [found for found, _ in con.execute(sql, parameters.values).fetchall()]


@pytest.mark.parametrize("value", ["abc", "  ABC ", "\tAbc\r\n"])
def test_sha256_is_of_the_trimmed_lower_cased_value(value: str) -> None:
    assert written(value, transform="sha256") == SHA256_ABC


def test_sha256_of_two_blocks_is_the_published_one() -> None:
    value = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    assert written(value, transform="sha256") == SHA256_LONG


@pytest.mark.parametrize(("value", "digest"), MD5.items())
def test_md5_is_the_published_one(value: str, digest: str) -> None:
    assert written(f" {value.upper()} ", transform="md5") == digest


@pytest.mark.parametrize("value", [None, "", "  \n"])
@pytest.mark.parametrize("transform", ["sha256", "md5"])
def test_nothing_has_no_hash(value: str | None, transform: str) -> None:
    assert written(value, transform=transform) is None


def test_a_value_without_a_transform_is_not_touched() -> None:
    assert written("  Ann@Example.com ") == "  Ann@Example.com "


@pytest.mark.parametrize("type_", ["VARCHAR", "JSON", "UUID", "BIGINT", "DECIMAL(9,2)", "DOUBLE", "DATE", "TIMESTAMP"])
def test_nothing_stays_nothing(type_: str) -> None:
    sources = {"BIGINT": "age", "DECIMAL(9,2)": "bid_price", "DOUBLE": "bid_price"}
    sources |= {"DATE": "birth_date", "TIMESTAMP": "opted_in_at"}
    assert written(None, type_, sources.get(type_, "email")) is None


DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
# Each example makes a DuckDB of its own, so it has many values.
of_many = settings(max_examples=20, deadline=None)


@of_many
@given(st.lists(DOUBLES, min_size=50))
@example([1e-5, 0.0001, 1e15, 1e16, 123456789012345678.0, -5e-324, 1.7976931348623157e308, -0.0])
def test_a_double_is_the_shortest_text_that_is_the_same_double_in_plain_notation(values: list[float]) -> None:
    for value, text in zip(values, all_written(values, "DOUBLE", "bid_price"), strict=True):
        assert Decimal(text) == Decimal(repr(value))
        assert is_plain(text)


@of_many
@given(st.lists(FLOATS, min_size=50))
@example([1e-45, 3.4028234663852886e38, 16777216.0, 1e-5, -0.0])
def test_a_float_is_a_text_that_is_the_same_float_in_plain_notation(values: list[float]) -> None:
    values = [struct.unpack("<f", struct.pack("<f", value))[0] for value in values]
    for value, text in zip(values, all_written(values, "FLOAT", "bid_price"), strict=True):
        assert struct.unpack("<f", struct.pack("<f", float(text)))[0] == value
        assert is_plain(text)


def test_a_tenth_stored_as_a_float_is_a_tenth() -> None:
    assert written(0.1, "FLOAT", "bid_price") == "0.1"


@of_many
@given(st.data(), st.integers(1, 38))
def test_a_decimal_is_exactly_its_value_without_zeros_at_the_end(data: st.DataObject, precision: int) -> None:
    scale, most = data.draw(st.integers(0, precision)), 10**precision - 1
    units = [0, most, -most, *data.draw(st.lists(st.integers(-most, most), min_size=20))]
    values = [Decimal(unit).scaleb(-scale, Context(prec=38)) for unit in units]
    type_ = f"DECIMAL({precision},{scale})"
    for value, text in zip(values, all_written([f"{each:f}" for each in values], type_, "bid_price"), strict=True):
        assert Decimal(text) == value
        assert is_plain(text)


def is_plain(text: str) -> bool:
    """Digits and a point alone, with one before the point, no zeros at the end behind it, and no minus before zero."""
    digits = text.removeprefix("-")
    whole, point, fraction = digits.partition(".")
    return (
        text != "-0"
        and whole.isdecimal()
        and (whole == "0" or not whole.startswith("0"))
        and bool(point) == bool(fraction)
        and (not fraction or (fraction.isdecimal() and not fraction.endswith("0")))
    )


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-11-01 05:00:00.12", "2026-11-01T05:00:00.120000Z"),
        ("2026-11-01 05:00:00.000000001", "2026-11-01T05:00:00.000000001Z"),
        ("2026-11-01 05:00:00.999999999", "2026-11-01T05:00:00.999999999Z"),
        ("1969-12-31 23:59:59.999999999", "1969-12-31T23:59:59.999999999Z"),
        ("1960-02-29 00:00:00.000001", "1960-02-29T00:00:00.000001Z"),
    ],
)
def test_nanoseconds_are_written_where_there_are_any(moment: str, text: str) -> None:
    assert written(moment, "TIMESTAMP_NS", "opted_in_at") == text


@pytest.mark.parametrize(
    ("value", "type_", "source", "what"),
    [
        ("nan", "DOUBLE", "bid_price", "a DOUBLE that is no finite number"),
        ("inf", "FLOAT", "bid_price", "a FLOAT that is no finite number"),
        ("-inf", "DOUBLE", "bid_price", "a DOUBLE that is no finite number"),
        ("infinity", "DATE", "birth_date", "a DATE that is no day of the years 1 to 9999"),
        ("0044-03-15 (BC)", "DATE", "birth_date", "a DATE that is no day of the years 1 to 9999"),
        ("10000-01-01", "DATE", "birth_date", "a DATE that is no day of the years 1 to 9999"),
        ("-infinity", "TIMESTAMP", "opted_in_at", "a TIMESTAMP that is no moment of the years 1 to 9999"),
        ("infinity", "TIMESTAMP_NS", "opted_in_at", "a TIMESTAMP_NS that is no moment"),
        (
            "10000-01-01 00:00:00+00",
            "TIMESTAMP WITH TIME ZONE",
            "opted_in_at",
            "a TIMESTAMP WITH TIME ZONE that is no moment of the years 1 to 9999",
        ),
    ],
)
def test_what_has_no_exact_text_is_refused_with_its_place_and_type_and_not_its_value(
    value: str, type_: str, source: str, what: str
) -> None:
    with pytest.raises(duckdb.Error) as failed:
        written(value, type_, source)
    error = explained(failed.value)
    assert isinstance(error, InexactValue)
    assert str(error) == (
        f"s3://lake/o.parquet holds in column 'Odd \"name\\'' {what}; have the lake's writer replace the object"
    )
    assert not isfinite(float(value)) if type_ in ("DOUBLE", "FLOAT") else value not in str(error)
