"""The stream: whole, deterministic, and without a hang when one side fails."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from referral_delivery.file.rows import BLOCK_BYTES, Copy, RowStream
from referral_delivery.lake.query import Batch

# Against hangs only: each of these takes milliseconds.
DEADLINE_SECONDS = 30
NUMBERED = "SELECT i, repeat('x', 100) FROM range({}, {}) r(i)"
CSV = "FORMAT csv, HEADER false"
BIG = [Copy(NUMBERED.format(0, 60_000), CSV, {}), Copy(NUMBERED.format(60_000, 100_000), CSV, {})]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def within_deadline(action: object) -> object:
    """The action's result or error; TimeoutError where it hangs."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(action).result(timeout=DEADLINE_SECONDS)  # type: ignore[arg-type]
    finally:
        pool.shutdown(wait=False)


def read(con: duckdb.DuckDBPyConnection, copies: list[Copy]) -> bytes:
    with RowStream(con, copies) as stream:
        return b"".join(stream)


def test_rows_are_counted(con: duckdb.DuckDBPyConnection) -> None:
    with RowStream(con, BIG) as stream:
        size = sum(len(block) for block in stream)
        assert (stream.rows, size) == (
            100_000,
            sum(len(str(n)) + 102 for n in range(100_000)),
        )


def test_copies_follow_one_another(con: duckdb.DuckDBPyConnection) -> None:
    copies = [Copy("SELECT $n", CSV, {"n": 1}), Copy("SELECT 2 WHERE false", CSV, {}), Copy("SELECT 3", CSV, {})]
    assert read(con, copies) == b"1\n3\n"


def test_what_is_fetched_ahead_is_fetched_first_and_its_failure_is_an_error(con: duckdb.DuckDBPyConnection) -> None:
    ahead = Batch("SELECT error('broken' || len($urls))", {"urls": []}, objects=1)
    with pytest.raises(duckdb.InvalidInputException, match="broken"):
        within_deadline(lambda: read(con, [Copy("SELECT 1", CSV, {}, [ahead])]))


def test_all_blocks_but_the_last_are_full(con: duckdb.DuckDBPyConnection) -> None:
    with RowStream(con, BIG) as stream:
        sizes = [len(block) for block in stream]
    assert set(sizes[:-1]) == {BLOCK_BYTES}
    assert len(sizes) > 2


def test_a_query_that_fails_before_it_writes_is_an_error_and_no_hang(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.BinderException, match="nowhere"):
        within_deadline(lambda: read(con, [Copy("SELECT nowhere FROM range(3)", CSV, {})]))


def test_a_query_that_fails_mid_way_is_an_error_and_no_shorter_file(con: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT CASE WHEN i = 90_000 THEN error('broken') ELSE repeat('x', 100) END FROM range(100_000) r(i)"
    failing = [Copy("SELECT 'whole'", CSV, {}), Copy(sql, CSV, {})]
    with pytest.raises(duckdb.InvalidInputException, match="broken"):
        within_deadline(lambda: read(con, failing))


def test_a_reader_that_never_reads_ends_the_query(con: duckdb.DuckDBPyConnection) -> None:
    def open_and_leave() -> None:
        with RowStream(con, BIG):
            pass

    within_deadline(open_and_leave)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("duckdb-copy")]


def test_a_reader_that_fails_mid_way_ends_the_query_and_its_error_is_the_one_raised(
    con: duckdb.DuckDBPyConnection,
) -> None:
    def fail() -> None:
        with RowStream(con, BIG) as stream:
            for _ in stream:
                raise OSError("upload failed")

    with pytest.raises(OSError, match="upload failed"):
        within_deadline(fail)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("duckdb-copy")]


def test_a_connection_is_usable_after_a_reader_left(con: duckdb.DuckDBPyConnection) -> None:
    with RowStream(con, BIG):
        pass
    assert within_deadline(lambda: read(con, [Copy("SELECT 1", CSV, {})])) == b"1\n"
