"""The rows of a delivery: which columns of which objects, and in which order."""

import io
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from referral_delivery.errors import MissingAttribute, UnreadableObject, WrongType
from referral_delivery.lake import query
from referral_delivery.window import Window
from tests.model import FolderLake
from tests.support import contract, copied, delivered, selected, utc

HOUR = utc("2026-11-20 09:00")
DAY = Window(utc("2026-11-20 00:00"), utc("2026-11-21 00:00"))


class Folder(FolderLake):
    """A lake whose objects are made by SQL; each select list gets a received_at, unless it has one."""

    def land(self, *selects: str, hour: int = 9) -> None:
        for select_ in selects:
            with duckdb.connect() as con:
                stamp = f"TIMESTAMP '2026-11-20 {hour:02d}:00:00' AS received_at"
                body = copied(
                    con,
                    select_
                    if " AS received_at" in select_ or " AS Received_At" in select_
                    else f"SELECT {stamp}, * FROM ({select_})",
                )
            self.put("acme", HOUR.replace(hour=hour), body)

    def hashes(self, *numbers: int) -> set[bytes]:
        held = list(self.held.values())
        return {held[number].name_hash for number in numbers}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB without S3."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture
def lake(tmp_path: Path) -> Folder:
    """An empty lake."""
    return Folder(tmp_path)


def test_columns_are_found_whatever_their_case_in_seen_objects_and_new_ones(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    lake.land("SELECT 'a' AS Email, 'NSW' AS state", "SELECT 'b' AS email, 'VIC' AS STATE")
    file = delivered(con, lake, seen=lake.hashes(0), attributes=["email", "state"])
    assert file == "email,state\na,NSW\nb,VIC\n"


def test_received_at_is_found_whatever_its_case(con: duckdb.DuckDBPyConnection, lake: Folder) -> None:
    lake.land("SELECT 'a' AS state, TIMESTAMP '2026-11-20 09:00:00' AS Received_At")
    assert (
        delivered(con, lake, attributes=["state", "received_at"])
        == "state,received_at\na,2026-11-20T09:00:00.000000Z\n"
    )


def test_two_columns_whose_names_differ_only_in_case_are_refused(con: duckdb.DuckDBPyConnection, lake: Folder) -> None:
    lake.land("SELECT 'a' AS state")
    out = io.BytesIO()
    stamps = pa.array([HOUR.replace(tzinfo=None)], pa.timestamp("us"))
    pq.write_table(pa.table([["a"], ["x"], ["y"], stamps], ["state", "Email", "email", "received_at"]), out)
    lake.put("acme", HOUR, out.getvalue())
    with pytest.raises(UnreadableObject, match=r"000001\.parquet has columns .* only in case: 'Email', 'email'; have"):
        delivered(con, lake, attributes=["state"])


@pytest.mark.parametrize("nested", ["{'state': 7, 'received_at': 'x'}", "[{'state': 7}]", "MAP {'state': 7}"])
def test_a_nested_field_is_no_column(con: duckdb.DuckDBPyConnection, lake: Folder, nested: str) -> None:
    lake.land(f"SELECT {nested} AS geo, 'NSW' AS state")
    assert delivered(con, lake, attributes=["state"]) == "state\nNSW\n"


def test_a_nested_field_alone_is_a_missing_attribute(con: duckdb.DuckDBPyConnection, lake: Folder) -> None:
    lake.land("SELECT {'state': 'NSW'} AS geo, 'x' AS email")
    with pytest.raises(MissingAttribute, match="none of the window's 1 objects has a column 'state'"):
        delivered(con, lake, attributes=["state"])


def test_a_missing_attribute_is_told_with_the_windows_first_object(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    lake.land("SELECT 'a' AS state", "SELECT 'b' AS state")
    first = lake.url(min(lake.held.values()))
    with pytest.raises(
        MissingAttribute, match=rf"none of the window's 2 objects has a column 'email' \(.* is {first}\)"
    ):
        delivered(con, lake, attributes=["email"])


def test_a_nested_column_of_an_attributes_name_is_refused(con: duckdb.DuckDBPyConnection, lake: Folder) -> None:
    lake.land("SELECT {'code': 'NSW'} AS state")
    with pytest.raises(WrongType, match=r"column 'state' of .* is a nested column, expected text"):
        delivered(con, lake, attributes=["state"])


def test_objects_without_a_column_that_others_have_give_nothing_there(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    lake.land("SELECT 'a' AS state, 'x' AS email", "SELECT 'b' AS state", "SELECT 'c' AS state, 'y' AS email")
    assert delivered(con, lake, attributes=["state", "email"]) == "state,email\na,x\nc,y\nb,\n"


@pytest.mark.parametrize("name", ["filename", "file_row_number", "client", "dt", "hr"])
def test_a_column_that_is_called_as_the_reader_calls_its_own_changes_nothing(
    con: duckdb.DuckDBPyConnection, lake: Folder, name: str
) -> None:
    lake.land(f"SELECT 'NSW' AS state, 'x' AS {name}")
    assert delivered(con, lake, attributes=["state"]) == "state\nNSW\n"


def test_a_column_called_filename_leaves_a_refusal_its_object(con: duckdb.DuckDBPyConnection, lake: Folder) -> None:
    lake.land("SELECT 'x' AS filename, 'nan'::DOUBLE AS bid_price")
    with pytest.raises(Exception, match=r"000000\.parquet holds in column 'bid_price' a DOUBLE that is no finite"):
        delivered(con, lake, attributes=["bid_price"])


def test_a_column_called_object_of_the_row_leaves_a_refusal_its_object(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    stamp = "TIMESTAMP '2026-11-20 {}:00:00' AS received_at"
    row = "SELECT 'a' AS state, 'not me' AS \"object of the row\", "
    lake.land(row + stamp.format("09"))
    assert delivered(con, lake, attributes=["state"]) == "state\na\n"
    lake.land(row + stamp.format("10"))
    with pytest.raises(UnreadableObject, match=r"/000001\.parquet holds a received_at of 2026-11-20 10:00:00; "):
        delivered(con, lake, attributes=["state"])


def test_rows_stand_by_group_then_key_then_as_written_and_seen_ones_first(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    lake.land(
        "SELECT 'new-text', 1 AS bid_price",
        "SELECT 'new-double', 2::DOUBLE AS bid_price",
        "SELECT 'new-text-again', 3 AS bid_price",
        "SELECT 'seen-double', 4::DOUBLE AS bid_price",
        "SELECT 'seen-int', 5 AS bid_price",
        "SELECT unnest([6, 9, 7, 8])::DOUBLE AS bid_price",
    )
    file = delivered(con, lake, seen=lake.hashes(3, 4), attributes=["bid_price"])
    assert file.split() == ["bid_price", "4", "5", "1", "3", "2", "6", "9", "7", "8"]


def test_a_delivery_of_many_batches_has_each_row_once_and_in_order(
    con: duckdb.DuckDBPyConnection, lake: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_AHEAD_BYTES", 1_000)
    lake.land(*(f"SELECT {number} * 100 + unnest(range(10)) AS age" for number in range(12)))
    numbers = delivered(con, lake, attributes=["age"]).split()[1:]
    assert numbers == [str(number * 100 + row) for number in range(12) for row in range(10)]
    selection = selected(lake, DAY)
    assert len(query.rows(con, contract(attributes=["age"]), selection, lake).batches) > 2


def test_small_objects_that_did_not_come_with_their_footers_are_fetched_ahead(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    lake.land("SELECT 1 AS age", "SELECT (hash(unnest(range(10_000))) % 1000)::INTEGER AS age")
    selection = selected(lake, DAY)
    [batch] = query.rows(con, contract(attributes=["age"]), selection, lake).batches
    assert batch.ahead
    assert [*batch.ahead.parameters.values()] == [[lake.url(selection.new[1])]]


@pytest.mark.parametrize(("above", "ahead"), [((-1, 0), True), ((0, 0), False), ((-1, -1), False)])
def test_an_object_is_fetched_ahead_that_is_larger_than_what_came_and_still_small(
    con: duckdb.DuckDBPyConnection, lake: Folder, monkeypatch: pytest.MonkeyPatch, above: tuple[int, int], ahead: bool
) -> None:
    lake.land("SELECT 1 AS age", "SELECT (hash(unnest(range(10_000))) % 1000)::INTEGER AS age")
    selection = selected(lake, DAY)
    larger = max(each.size_bytes for each in selection.new)
    monkeypatch.setattr(query, "_TAIL_BYTES", larger + above[0])
    monkeypatch.setattr(query, "SMALL_OBJECT_BYTES", larger + above[1])
    [batch] = query.rows(con, contract(attributes=["age"]), selection, lake).batches
    assert bool(batch.ahead) == ahead


def test_large_objects_are_read_in_one_go_and_not_kept(
    con: duckdb.DuckDBPyConnection, lake: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "SMALL_OBJECT_BYTES", 100)
    monkeypatch.setattr(query, "_AHEAD_BYTES", 100)
    lake.land(*["SELECT 1 AS age"] * 3)
    selection = selected(lake, DAY)
    [batch] = query.rows(con, contract(attributes=["age"]), selection, lake).batches
    kept = con.execute("SELECT current_setting('enable_external_file_cache')").fetchone()
    assert (batch.ahead, kept) == (None, (False,))


@pytest.mark.parametrize(("above", "kept"), [(0, True), (-1, False)])
def test_what_is_read_of_objects_is_kept_where_they_are_small_on_average(
    con: duckdb.DuckDBPyConnection, lake: Folder, monkeypatch: pytest.MonkeyPatch, above: int, kept: bool
) -> None:
    lake.land(*["SELECT 1 AS age"] * 3)
    selection = selected(lake, DAY)
    monkeypatch.setattr(query, "SMALL_OBJECT_BYTES", selection.new[0].size_bytes + above)
    query.rows(con, contract(attributes=["age"]), selection, lake)
    assert con.execute("SELECT current_setting('enable_external_file_cache')").fetchone() == (kept,)


def test_late_rows_are_counted_in_every_group_and_none_from_before_deliver_from(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    lake.land(
        "SELECT 'a' AS state, TIMESTAMP '2026-11-20 08:59:59.999999' AS received_at",
        "SELECT 7 AS age, TIMESTAMP_NS '2026-11-20 08:00:00' AS Received_At, 'b' AS state",
        hour=8,
    )
    lake.land("SELECT 'c' AS state", hour=9)
    window = Window(HOUR, HOUR + timedelta(hours=1))
    selection = selected(lake, window)
    for deliver_from, late in (("2026-11-01", 2), ("2026-11-21", 0)):
        found = query.rows(con, contract(attributes=["state"], deliver_from=deliver_from), selection, lake)
        assert query.count_late(con, found) == late


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ("TIMESTAMP '2026-11-20 10:00:00'", "holds a received_at of 2026-11-20 10:00:00; "),
        ("TIMESTAMP_NS '2026-11-20 08:59:59.999999999'", "holds a received_at of 2026-11-20 08:59:59.999999999; "),
        ("'infinity'::TIMESTAMP", "holds a received_at of infinity; "),
        ("NULL::TIMESTAMP", "holds a received_at of NULL; "),
    ],
)
def test_a_row_of_another_hour_is_refused(con: duckdb.DuckDBPyConnection, lake: Folder, stamp: str, said: str) -> None:
    lake.land(f"SELECT 'a' AS state, 'f' AS filename, {stamp} AS received_at")
    with pytest.raises(UnreadableObject, match=said):
        delivered(con, lake, attributes=["state"])


def test_a_refusal_names_the_object_and_what_to_do_and_nothing_else(
    con: duckdb.DuckDBPyConnection, lake: Folder
) -> None:
    lake.land("SELECT 'a' AS state, TIMESTAMP '2026-11-20 10:00:00' AS received_at")
    lake.put("acme", HOUR, b"this is no parquet at all")
    row, file = (lake.url(each) for each in selected(lake, DAY).new)
    with pytest.raises(UnreadableObject) as refused:
        delivered(con, lake, attributes=["state"])
    assert str(refused.value) == (
        f"Invalid Input Error: No magic bytes found at end of file '{file}'; have the lake's writer replace the object"
    )
    del lake.held[max(lake.held)]
    with pytest.raises(UnreadableObject) as refused:
        delivered(con, lake, attributes=["state"])
    assert str(refused.value) == (
        f"{row} holds a received_at of 2026-11-20 10:00:00; have the lake's writer file it under its own hour"
    )


def test_an_object_that_cannot_be_had_is_no_fault_of_the_data(con: duckdb.DuckDBPyConnection, lake: Folder) -> None:
    lake.land("SELECT 'a' AS state")
    (lake.folder / max(lake.held)).unlink()
    with pytest.raises(duckdb.IOException, match="No files found"):
        delivered(con, lake, attributes=["state"])


@pytest.mark.parametrize(
    ("attributes", "lines"),
    [
        (["state"], ["state", '""', '""', "NSW"]),
        (["state", "email"], ["state,email", ",", '"",x', 'NSW,""']),
    ],
)
def test_nothing_and_an_empty_text_are_told_apart_and_no_line_is_blank(
    con: duckdb.DuckDBPyConnection, lake: Folder, attributes: list[str], lines: list[str]
) -> None:
    rows: Mapping[str, Any] = {"state": "[NULL, '', 'NSW']", "email": "[NULL, 'x', '']"}
    lake.land(f"SELECT {', '.join(f'unnest({values}) AS {name}' for name, values in rows.items())}")
    assert delivered(con, lake, attributes=attributes).split("\n") == [*lines, ""]
