"""What a contract makes of values: maps, formats of dates and numbers, constants, held against Python's own."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from referral_delivery.agreement.column import Column
from referral_delivery.agreement.value_map import folded
from referral_delivery.errors import InexactValue
from referral_delivery.lake.refusals import explained
from tests.model import FolderLake
from tests.rows import lines_of
from tests.support import contract, delivered, file_of, parquet, utc
from tests.unit.test_values import all_written, written

MOMENT = "2026-11-28 06:05:04.123456"
EPOCH = datetime.fromisoformat("1970-01-01")
MAP = {"equals": {"gold": "Premium", "silver": "Plus"}, "contains": {"old": "Legacy", "gol": "never"}}


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shaped(*values: Any, type_: str = "VARCHAR", source: str = "email", **column: Any) -> list[Any]:
    return all_written(values, type_, source, **column)


def test_a_value_is_mapped_by_the_whole_of_it_or_a_part() -> None:
    assert shaped("gold", "silver", "cold", "golf", "tin", map=MAP) == ["Premium", "Plus", "Legacy", "never", "tin"]


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ({"equals": {"gold": "whole"}, "contains": {"gol": "begins", "old": "ends"}}, "whole"),
        ({"contains": {"gol": "begins", "old": "ends"}}, "begins"),
        ({"contains": {"old": "ends", "gol": "begins"}}, "ends"),
        ({"contains": {"old": "ends"}, "equals": {"silver": "whole"}}, "ends"),
    ],
)
def test_the_first_entry_in_the_order_of_the_file_counts(entries: dict[str, dict[str, str]], wanted: str) -> None:
    assert shaped("gold", map=entries) == [wanted]


def test_capitals_count_unless_they_are_ignored() -> None:
    words = {"equals": {"Straße": "street", "ΟΔΟΣ": "way", "İ": "i"}, "contains": {"PaRt": "part"}}
    values = ["STRASSE", "straße", "οδος", "οδοσ", "İ", "a PART of it"]
    assert shaped(*values, map=words) == ["STRASSE", "straße", "οδος", "οδοσ", "i", "a PART of it"]
    assert shaped(*values, map=words | {"ignore_case": True}) == ["STRASSE", "street", "οδος", "way", "i", "part"]


def test_small_letters_are_the_same_in_a_map_and_in_the_lake() -> None:
    letters = [chr(number) for number in range(1, 0x1E900) if not 0xD800 <= number < 0xE000]
    with duckdb.connect() as con:
        [(lowered,)] = con.execute(
            "SELECT list_transform($letters, lambda x: lower(x))", {"letters": letters}
        ).fetchall()
    assert [each for each, small in zip(letters, lowered, strict=True) if folded(each) != small] == []


def test_a_value_that_is_not_there_or_blank_is_empty_and_meets_no_map() -> None:
    values = [None, "", " \t\r\n", "x"]
    assert shaped(*values, map={"contains": {" ": "blank"}}) == [None, "", " \t\r\n", "x"]
    assert shaped(*values, if_empty="none") == ["none", "none", "none", "x"]
    assert shaped(*values, map={"equals": {"y": "z"}}, if_no_match="other") == [None, "", " \t\r\n", "other"]
    assert shaped(*values, map={"equals": {"x": ""}}, if_empty="none") == ["none", "none", "none", ""]


def test_a_map_is_data_and_never_sql() -> None:
    nasty = ["'; DROP TABLE x; --", '"', "$said0", "\\", "a|b", "(", ".*", "[", "%", "_", "ünï", "🎉", "a\nb", "{}"]
    for kind in ("equals", "contains"):
        outputs = {text: f"out of {text}" for text in nasty}
        assert shaped(*nasty, "abc", map={kind: outputs}) == [*outputs.values(), "abc"]


def test_a_part_is_a_text_and_no_pattern() -> None:
    assert shaped("abc", map={"contains": {"a.c": "pattern", "^a": "start"}}) == ["abc"]


@pytest.mark.parametrize("kind", ["equals", "contains"])
def test_a_thousand_entries_are_all_found(kind: str) -> None:
    entries = {f"<{number}>": f"n{number}" for number in range(1_000)}
    assert shaped(*entries, map={kind: entries}) == [*entries.values()]


def test_numbers_and_dates_are_mapped_by_their_text_as_it_would_be_written() -> None:
    assert shaped(41, type_="INTEGER", source="age", map={"equals": {"41": "x"}}) == ["x"]
    assert shaped("0.5", type_="DECIMAL(9,3)", source="bid_price", map={"equals": {"0.5": "x"}}) == ["x"]
    assert shaped("0.5", type_="DECIMAL(9,3)", source="bid_price", places=2, map={"equals": {"0.50": "x"}}) == ["x"]
    day = {"type_": "DATE", "source": "birth_date", "format": "%d/%m/%Y"}
    assert shaped("1990-02-01", **day, map={"contains": {"01/02": "x"}}) == ["x"]


def test_a_hash_is_made_of_what_the_map_says() -> None:
    assert shaped("gold", map=MAP, transform="md5") == shaped("Premium", transform="md5")
    assert shaped("1990-02-01", type_="DATE", source="birth_date", format="%Y%m%d", transform="sha256") == shaped(
        "19900201", transform="sha256"
    )


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    """A lake of one referral."""
    held = FolderLake(tmp_path)
    row = {"referral_id": "r-1", "state": "gold", "age": 41, "received_at": "2026-11-20 09:00"}
    held.put("acme", utc("2026-11-20 09:00"), parquet([row], {"age": "INTEGER"}))
    return held


def test_a_constant_needs_no_column_of_the_lake(con: duckdb.DuckDBPyConnection, lake: FolderLake) -> None:
    columns = [{"name": "feed", "value": 'part"ner,7'}, "referral_id", {"name": "none", "value": ""}]
    assert delivered(con, lake, attributes=columns) == 'feed,referral_id,none\n"part""ner,7",r-1,""\n'


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ({"from": "age"}, "int64", 41),
        ({"from": "age", "if_empty": "0"}, "int64", 41),
        ({"from": "age", "map": {"equals": {"41": "-1"}}}, "int64", -1),
        ({"from": "age", "if_empty": "unknown"}, "string", "41"),
        ({"from": "age", "if_empty": "007"}, "string", "41"),
        ({"from": "state", "map": {"equals": {"gold": True}}, "if_no_match": False}, "bool", True),
        ({"from": "state", "map": {"equals": {"gold": True}}}, "string", "true"),
        ({"from": "state", "map": {"equals": {"gold": True}}, "if_no_match": "?"}, "string", "true"),
        ({"value": False}, "bool", False),
        ({"value": "1"}, "string", "1"),
    ],
)
def test_a_column_keeps_its_type_where_all_that_is_written_is_of_it(
    con: duckdb.DuckDBPyConnection, lake: FolderLake, column: dict[str, Any], kind: str, value: Any
) -> None:
    columns = ["referral_id", {"name": "x", **column}]
    table = pq.read_table(io.BytesIO(file_of(con, lake, contract(attributes=columns, file={"format": "parquet"}))))
    assert (str(table.schema.field("x").type), table["x"].to_pylist()) == (kind, [value])
    [line] = lines_of(delivered(con, lake, attributes=columns, file={"format": "jsonl"}))
    assert line["x"] == value


@pytest.mark.parametrize("places", [0, 2, 9])
@settings(max_examples=150, deadline=None)
@example("0.005")
@example("-0.005")
@example("2.675")
@example("-0.001")
@example("999999999999.999999999999")
@given(number=st.decimals(min_value=-(10**15), max_value=10**15, places=12).map(str))
def test_halves_are_rounded_away_from_zero_digit_by_digit(places: int, number: str) -> None:
    rounded = Decimal(number).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    wanted = f"{abs(rounded) if rounded == 0 else rounded:f}"
    assert written(number, "DECIMAL(38,12)", "bid_price", places=places) == wanted


def test_a_double_is_rounded_by_the_digits_that_it_is_written_with() -> None:
    assert written(2.675, "DOUBLE", "bid_price", places=2) == "2.68"  # the double is a little less


def test_a_number_too_large_for_its_places_is_refused_with_the_object() -> None:
    said = r"s3://lake/o\.parquet holds in column 'bid_price' a number of more digits than DECIMAL\(38, 9\) has"
    with pytest.raises(InexactValue, match=said):
        refused(1e30, "DOUBLE", "bid_price", places=9)


def refused(*arguments: Any, **column: Any) -> None:
    try:
        written(*arguments, **column)
    except duckdb.Error as error:
        raise explained(error) from error


@pytest.mark.parametrize(
    ("format_", "wanted"),
    [
        ("iso", "2026-11-28T06:05:04.123456Z"),
        ("date", "2026-11-28"),
        ("epoch", "1795845904"),
        ("epoch_ms", "1795845904123"),
        ("%Y-%m-%d %H:%M:%S", "2026-11-28 06:05:04"),
        ("%d/%m/%y %I:%M %p", "28/11/26 06:05 AM"),
        ("%a %A %b %B %j", "Sat Saturday Nov November 332"),
        ("%H%M%S.%f", "060504.123456"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-11-28T06:05:04+0000"),
    ],
)
def test_a_timestamp_is_written_as_the_format_says(format_: str, wanted: str) -> None:
    assert written(MOMENT, "TIMESTAMP", "opted_in_at", format=format_) == wanted
    assert written(None, "TIMESTAMP", "opted_in_at", format=format_) is None


ZONES = ["Australia/Sydney", "Asia/Kathmandu", "America/St_Johns", "America/New_York", "Pacific/Kiritimati", "UTC"]


@settings(max_examples=150, deadline=None)
@given(
    moment=st.datetimes(min_value=naive("1905-01-01"), max_value=naive("2035-12-31")),
    zone=st.sampled_from(ZONES),
    format_=st.sampled_from([None, "%Y-%m-%d %H:%M:%S", "%d %b %Y %I:%M %p %z", "%j/%y", "date"]),
)
@example(naive("2026-04-04 16:30"), "Australia/Sydney", "%H:%M %z")
@example(naive("1900-01-01"), "America/New_York", None)
def test_a_timezone_is_the_clock_that_a_timestamp_is_written_by(
    moment: datetime, zone: str, format_: str | None
) -> None:
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    said = {"format": format_} if format_ else {}
    wanted = local.isoformat(timespec="microseconds")
    if format_:
        wanted = local.strftime("%Y-%m-%d" if format_ == "date" else format_)
    assert written(moment, "TIMESTAMP", "opted_in_at", timezone=zone, **said) == wanted


@settings(max_examples=200, deadline=None)
@given(moment=st.datetimes(min_value=naive("0001-01-01"), max_value=naive("9999-12-31")))
@example(naive("1969-12-31 23:59:59.999999"))
@example(EPOCH)
@example(naive("1969-12-31 23:59:59"))
def test_an_epoch_is_cut_to_whole_units_downwards(moment: datetime) -> None:
    since = moment - EPOCH
    for format_, unit in (("epoch", timedelta(seconds=1)), ("epoch_ms", timedelta(milliseconds=1))):
        assert written(moment, "TIMESTAMP", "opted_in_at", format=format_) == str(since // unit)


def test_nanoseconds_stay_in_iso_and_are_cut_elsewhere() -> None:
    value = "2026-11-28 06:05:04.123456789"
    assert written(value, "TIMESTAMP_NS", "opted_in_at", format="iso") == "2026-11-28T06:05:04.123456789Z"
    assert (
        written(value, "TIMESTAMP_NS", "opted_in_at", timezone="Asia/Kathmandu")
        == "2026-11-28T11:50:04.123456789+05:45"
    )
    assert written(value, "TIMESTAMP_NS", "opted_in_at", format="%f") == "123456"


@pytest.mark.parametrize(("format_", "wanted"), [("iso", "1990-02-01"), ("%d.%m.%y", "01.02.90"), ("%Y%j", "1990032")])
def test_a_date_is_written_as_the_format_says(format_: str, wanted: str) -> None:
    assert written("1990-02-01", "DATE", "birth_date", format=format_) == wanted


def test_a_column_survives_the_ledger_with_its_shape() -> None:
    for said in (
        {"map": {"contains": {"b": "x", "a": True}, "equals": {"c": ""}, "ignore_case": True}, "if_no_match": False},
        {"value": "partner-7"},
        {"value": False},
        {"from": "bid_price", "places": 0},
        {"from": "opted_in_at", "format": "%H", "timezone": "Asia/Kathmandu"},
    ):
        column = Column.model_validate(
            {"name": "x", **({} if {"from", "value"} & said.keys() else {"from": "email"}), **said}
        )
        for again in (Column.recalled(column.to_plain()), Column.model_validate_json(column.model_dump_json())):
            assert again.to_plain() == column.to_plain()
            assert again.kind == column.kind
            assert [*again.map.entries] == [*column.map.entries] if again.map and column.map else not column.map


@pytest.mark.parametrize("state", ["", " \n", None])
def test_nothing_is_neither_true_nor_false(con: duckdb.DuckDBPyConnection, tmp_path: Path, state: str | None) -> None:
    lake = FolderLake(tmp_path)
    row = {"referral_id": "r-1", "state": state, "received_at": "2026-11-20 09:00"}
    lake.put("acme", utc("2026-11-20 09:00"), parquet([row]))
    columns = ["referral_id", {"name": "x", "from": "state", "map": {"equals": {"NSW": True}}, "if_no_match": False}]
    assert lines_of(delivered(con, lake, attributes=columns, file={"format": "jsonl"})) == [
        {"referral_id": "r-1", "x": None}
    ]
    assert delivered(con, lake, attributes=columns) == "referral_id,x\nr-1,\n"
    content = file_of(con, lake, contract(attributes=columns, file={"format": "parquet"}))
    assert pq.read_table(io.BytesIO(content))["x"].to_pylist() == [None]


def test_a_number_is_not_guarded_as_a_formula_whatever_else_is_written_in_its_column() -> None:
    price = {"type_": "DECIMAL(9,3)", "source": "bid_price", "if_empty": "=none"}
    assert shaped("-0.5", None, guard=True, **price) == ["-0.5", "=none"]
    assert shaped("-0.5", "=1", guard=True, if_empty="none") == ["'-0.5", "'=1"]


@pytest.mark.parametrize(
    ("moment", "zone"), [("9999-12-31 23:59:59.999999", "Australia/Sydney"), ("0001-01-01", "America/New_York")]
)
def test_a_moment_of_a_year_that_no_reader_knows_is_refused(moment: str, zone: str) -> None:
    with pytest.raises(InexactValue, match=rf"o\.parquet holds in column 'opted_in_at' .* from 1 to 9999 in {zone}"):
        refused(moment, "TIMESTAMP", "opted_in_at", timezone=zone)
    assert written(None, "TIMESTAMP", "opted_in_at", timezone=zone) is None
