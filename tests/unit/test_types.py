"""Parquet's numeric, temporal and string types: each alone, and every two of a kind in one delivery."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.errors import WrongType
from referral_delivery.lake.columns import ARRIVAL
from referral_delivery.lake.values import accepted
from tests.model import FolderLake
from tests.support import copied, delivered, utc

SOURCES = {
    AttributeType.TEXT: "state",
    AttributeType.INTEGER: "age",
    AttributeType.DECIMAL: "bid_price",
    AttributeType.DATE: "birth_date",
    AttributeType.TIMESTAMP: "opted_in_at",
}
HOUR = utc("2026-11-20 09:00")


@dataclass(frozen=True)
class Case:
    """A column as a writer stores it, and the lines that it gives."""

    type: AttributeType
    stored: str  # as the accepted types are called
    lines: Sequence[str]
    array: Any = None
    sql: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def parquet(self, source: str) -> bytes:
        """An object with the column as `source`, each row stamped on the hour."""
        if self.sql:
            select = f"SELECT x AS {source}, TIMESTAMP '2026-11-20 09:00:00' AS {ARRIVAL} FROM ({self.sql}) AS t(x)"
            with duckdb.connect() as con:
                return copied(con, select)
        stamps = pa.array([HOUR.replace(tzinfo=None)] * len(self.array), pa.timestamp("us"))
        out = io.BytesIO()
        pq.write_table(pa.table({source: self.array, ARRIVAL: stamps}), out, **self.options)
        return out.getvalue()


def text(array: Any, lines: Sequence[str] = ("NSW", '""', "Zoë"), *, stored: str = "VARCHAR", **options: Any) -> Case:
    return Case(AttributeType.TEXT, stored, lines, array, options=options)


def integer(type_: Any, stored: str, *values: int, **options: Any) -> Case:
    return Case(AttributeType.INTEGER, stored, [*map(str, values)], pa.array(values, type_), options=options)


def decimal(type_: Any, stored: str, numbers: Mapping[Any, str], **options: Any) -> Case:
    return Case(AttributeType.DECIMAL, stored, [*numbers.values()], pa.array([*numbers], type_), options=options)


def fixed(precision: int, scale: int, *numbers: str, in_integer: bool = False) -> Case:
    """Decimals, written as they are to be read; `in_integer` stores them as INT32 or INT64."""
    return decimal(
        pa.decimal128(precision, scale),
        "DECIMAL",
        {Decimal(number): number for number in numbers},
        store_decimal_as_integer=in_integer,
    )


def moment(
    unit: str, zone: str | None, count: int, text_: str, *, stored: str = "TIMESTAMP WITH TIME ZONE", **options: Any
) -> Case:
    array = pa.array([count], pa.timestamp(unit, zone))
    return Case(AttributeType.TIMESTAMP, stored, [text_], array, options=options)


STATES = ["NSW", "", "Zoë"]
ID = "30313233-3435-3637-3839-616263646566"
SECONDS = 1_793_509_200  # 2026-11-01 05:00:00 UTC
WHOLE = "2026-11-01T05:00:00.000000Z"
CASES: dict[str, Case] = {
    "string": text(pa.array(STATES)),
    "large_string": text(pa.array(STATES, pa.large_string())),
    "string_view": text(pa.array(STATES, pa.string_view())),
    "dictionary": text(pa.array(STATES).dictionary_encode()),
    "delta strings": text(
        pa.array(STATES), use_dictionary=False, column_encoding={"state": "DELTA_BYTE_ARRAY", ARRIVAL: "PLAIN"}
    ),
    "enum of DuckDB": Case(AttributeType.TEXT, "VARCHAR", ["b"], sql="SELECT 'b'::ENUM('a', 'b')"),
    "json": Case(AttributeType.TEXT, "JSON", ['"{""a"": 1.0}"'], sql="""SELECT '{"a": 1.0}'::JSON"""),
    "uuid": Case(AttributeType.TEXT, "UUID", [ID], sql=f"SELECT '{ID}'::UUID"),
    "uuid of Arrow": text(pa.array([b"0123456789abcdef"], pa.uuid()), [ID], stored="UUID"),
    "null text": text(pa.array([None], pa.null()), ['""'], stored='"NULL"'),
    "int8": integer(pa.int8(), "TINYINT", -128, 127),
    "int16": integer(pa.int16(), "SMALLINT", -32_768, 7),
    "int32": integer(pa.int32(), "INTEGER", -(2**31), 2**31 - 1),
    "int64": integer(pa.int64(), "BIGINT", -(2**63), 2**53 + 1),
    "uint8": integer(pa.uint8(), "UTINYINT", 255),
    "uint16": integer(pa.uint16(), "USMALLINT", 65_535),
    "uint32": integer(pa.uint32(), "UINTEGER", 2**32 - 1),
    "uint32 of Parquet 1": integer(pa.uint32(), "BIGINT", 2**32 - 1, version="1.0"),
    "uint64": integer(pa.uint64(), "UBIGINT", 2**64 - 1),
    "null integer": Case(AttributeType.INTEGER, '"NULL"', ['""'], pa.array([None], pa.null())),
    "decimal of int8": decimal(pa.int8(), "TINYINT", {-5: "-5"}),
    "decimal of int16": decimal(pa.int16(), "SMALLINT", {300: "300"}),
    "decimal of int32": decimal(pa.int32(), "INTEGER", {100_000: "100000"}),
    "decimal of int64": decimal(pa.int64(), "BIGINT", {2**53 + 1: str(2**53 + 1)}),
    "decimal of uint8": decimal(pa.uint8(), "UTINYINT", {255: "255"}),
    "decimal of uint16": decimal(pa.uint16(), "USMALLINT", {65_535: "65535"}),
    "decimal of uint32": decimal(pa.uint32(), "UINTEGER", {2**32 - 1: str(2**32 - 1)}),
    "decimal of uint64": decimal(pa.uint64(), "UBIGINT", {2**64 - 1: str(2**64 - 1)}),
    "float16": decimal(pa.float16(), "FLOAT", {1.5: "1.5", -0.0: "0"}),
    "float": decimal(
        pa.float32(), "FLOAT", {0.1: "0.1", 1e-5: "0.00001", 16_777_216.0: "16777216", -1e20: "-1" + "0" * 20}
    ),
    "double": decimal(pa.float64(), "DOUBLE", {0.1: "0.1", 1e-5: "0.00001", 1e16: "1" + "0" * 16, -2.50: "-2.5"}),
    "decimal(5,2)": fixed(5, 2, "-123.45", "1.5", "0"),
    "decimal(5,2) in int32": fixed(5, 2, "-123.45", "1.5", "0", in_integer=True),
    "decimal(2,2)": fixed(2, 2, "0.5", "-0.05", "0"),
    "decimal(9,0)": fixed(9, 0, "100", "-7"),
    "decimal(18,6)": fixed(18, 6, "123456789012.123456", "10"),
    "decimal(18,6) in int64": fixed(18, 6, "123456789012.123456", "10", in_integer=True),
    "decimal(38,10)": fixed(38, 10, "1234567890123456789012345678.0123456789"),
    "decimal(38,38)": fixed(38, 38, "-0." + "1" * 38),
    "decimal of DuckDB": Case(AttributeType.DECIMAL, "DECIMAL", ["41.5"], sql="SELECT 41.5::DECIMAL(10,3)"),
    "null decimal": Case(AttributeType.DECIMAL, '"NULL"', ['""'], pa.array([None], pa.null())),
    "date32": Case(AttributeType.DATE, "DATE", ["1970-01-01", "0001-01-01"], pa.array([date(1970, 1, 1), date.min])),
    "date64": Case(AttributeType.DATE, "DATE", ["9999-12-31"], pa.array([date.max], pa.date64())),
    "null date": Case(AttributeType.DATE, '"NULL"', ['""'], pa.array([None], pa.null())),
    "seconds": moment("s", None, SECONDS, WHOLE, stored="TIMESTAMP"),
    "seconds, UTC": moment("s", "UTC", SECONDS, WHOLE),
    "milliseconds": moment("ms", None, SECONDS * 1000 + 120, WHOLE.replace("000000", "120000"), stored="TIMESTAMP"),
    "milliseconds, UTC": moment("ms", "UTC", SECONDS * 1000 + 120, WHOLE.replace("000000", "120000")),
    "milliseconds, Sydney": moment("ms", "Australia/Sydney", SECONDS * 1000, WHOLE),
    "microseconds": moment("us", None, SECONDS * 10**6 + 1, WHOLE.replace("000000", "000001"), stored="TIMESTAMP"),
    "microseconds, UTC": moment("us", "UTC", SECONDS * 10**6 + 1, WHOLE.replace("000000", "000001")),
    "microseconds, Sydney": moment("us", "Australia/Sydney", SECONDS * 10**6 + 1, WHOLE.replace("000000", "000001")),
    "microseconds of Parquet 1": moment("us", None, SECONDS * 10**6, WHOLE, stored="TIMESTAMP", version="1.0"),
    "nanoseconds": moment(
        "ns", None, SECONDS * 10**9 + 1_789, WHOLE.replace("000000", "000001789"), stored="TIMESTAMP_NS"
    ),
    "nanoseconds of whole microseconds": moment(
        "ns", None, SECONDS * 10**9 + 1_000, WHOLE.replace("000000", "000001"), stored="TIMESTAMP_NS"
    ),
    "nanoseconds, UTC": moment(
        "ns", "UTC", SECONDS * 10**9 + 1_000, WHOLE.replace("000000", "000001"), stored="TIMESTAMP_NS WITH TIME ZONE"
    ),
    "int96": moment(
        "ns",
        None,
        SECONDS * 10**9 + 1_000,
        WHOLE.replace("000000", "000001"),
        stored="INT96",
        use_deprecated_int96_timestamps=True,
    ),
    "timestamp of DuckDB": Case(
        AttributeType.TIMESTAMP, "TIMESTAMP", ["0001-01-01T00:00:00.000000Z"], sql="SELECT TIMESTAMP '0001-01-01'"
    ),
    "zoned timestamp of DuckDB": Case(
        AttributeType.TIMESTAMP,
        "TIMESTAMP WITH TIME ZONE",
        [WHOLE],
        sql="SELECT TIMESTAMPTZ '2026-11-01 16:00:00+11:00'",
    ),
    "null timestamp": Case(AttributeType.TIMESTAMP, '"NULL"', ['""'], pa.array([None], pa.null())),
}
NOT_TEXT = {
    "bytes": pa.array([b"x"]),
    "fixed bytes": pa.array([b"xx"], pa.binary(2)),
    "bool": pa.array([True]),
    "list": pa.array([["x"]]),
    "struct": pa.array([{"state": "x"}]),
    "map": pa.array([[("a", "x")]], pa.map_(pa.string(), pa.string())),
    "int64": pa.array([7]),
    "double": pa.array([7.0]),
    "date": pa.array([date(2026, 1, 1)]),
    "timestamp": pa.array([datetime(2026, 1, 1)]),  # noqa: DTZ001 - local, as Parquet has it
    "time": pa.array([3], pa.time64("us")),
}


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Delivers cases, each in an object of its own; the answer is the file without its header."""
    number = iter(range(10_000))
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")

        def deliver(source: str, *cases: Case) -> str:
            folder = FolderLake(tmp_path / str(next(number)))
            for case in cases:
                folder.put("acme", HOUR, case.parquet(source))
            return delivered(con, folder, attributes=[source]).partition("\n")[2]

        yield deliver


def lines(*cases: Case) -> str:
    return "".join(f"{line}\n" for case in cases for line in case.lines)


@pytest.mark.parametrize("name", CASES)
def test_a_type_alone(lake: Callable[..., str], name: str) -> None:
    case = CASES[name]
    assert lake(SOURCES[case.type], case) == lines(case)


@pytest.mark.parametrize("name", CASES)
def test_a_type_beside_every_other_of_its_kind_gives_the_same_lines_as_alone(
    lake: Callable[..., str], name: str
) -> None:
    case, *others = list(CASES.values())[list(CASES).index(name) :]
    for other in (each for each in others if each.type is case.type):
        assert lake(SOURCES[case.type], case, other) == lines(case, other)


@pytest.mark.parametrize("type_", AttributeType)
def test_the_cases_have_every_accepted_type(type_: AttributeType) -> None:
    stored = {case.stored for case in CASES.values() if case.type is type_}
    # A writer's ENUM is told from a VARCHAR by DuckDB alone, which does not write it.
    assert stored == {*accepted(type_), '"NULL"'} - {"ENUM"}


@pytest.mark.parametrize("type_", AttributeType)
def test_every_type_of_another_kind_is_refused(lake: Callable[..., str], type_: AttributeType) -> None:
    others = [case for case in CASES.values() if case.stored not in {*accepted(type_), '"NULL"'}]
    assert others
    for case in others:
        with pytest.raises(WrongType, match=f"expected {type_} "):
            lake(SOURCES[type_], case)


@pytest.mark.parametrize("name", NOT_TEXT)
def test_what_is_no_text_is_refused_as_text(lake: Callable[..., str], name: str) -> None:
    with pytest.raises(WrongType, match=r"column 'state' of .* is .*, expected text "):
        lake("state", Case(AttributeType.TEXT, "", [], NOT_TEXT[name]))


def test_a_decimal_of_more_digits_than_duckdb_holds_is_refused(lake: Callable[..., str]) -> None:
    wide = Case(AttributeType.DECIMAL, "", [], pa.array([Decimal("1.5")], pa.decimal256(50, 10)))
    with pytest.raises(WrongType, match=r"column 'bid_price' of .* is DECIMAL of 50 digits, expected decimal "):
        lake("bid_price", wide)


def test_digits_below_the_microsecond_are_cut_where_duckdb_hands_none_over(lake: Callable[..., str]) -> None:
    zoned = moment("ns", "UTC", SECONDS * 10**9 + 1_789, "")
    spark = moment("ns", None, SECONDS * 10**9 + 1_789, "", use_deprecated_int96_timestamps=True)
    assert lake("opted_in_at", zoned, spark) == f"{WHOLE.replace('000000', '000001')}\n" * 2
