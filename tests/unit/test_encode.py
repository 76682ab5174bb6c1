"""The stream: whole, deterministic, and without a hang when one side fails."""

import gzip
import hashlib
import platform
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest
from isal import isal_zlib

from referral_delivery.agreement.contract import Compression
from referral_delivery.file.encode import BLOCK_BYTES, CsvStream, compressed
from referral_delivery.lake.query import Batch, Query

# Against hangs only: each of these takes milliseconds.
DEADLINE_SECONDS = 30
NUMBERED = "SELECT i, repeat('x', 100) FROM range({}, {}) r(i)"
BIG = Query(["number", "filler"], [Batch(NUMBERED.format(0, 60_000), {}), Batch(NUMBERED.format(60_000, 100_000), {})])


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


def read(con: duckdb.DuckDBPyConnection, query: Query, compression: Compression = Compression.NONE) -> bytes:
    with CsvStream(con, query) as stream:
        return b"".join(compressed(iter(stream), compression))


def test_awkward_values_are_quoted_where_needed_and_only_there(con: duckdb.DuckDBPyConnection) -> None:
    values = """('plain'), (''), (NULL), ('a,b'), ('say "x"'), ('two' || chr(10) || 'lines'), ('cr' || chr(13)),
                (' blank '), ('007'), ('1234567890123456789'), ('Zoë 🎉'), ('=1+1')"""
    assert read(con, Query(["v"], [Batch(f"SELECT * FROM (VALUES {values})", {})])).decode() == (
        'v\nplain\n""\n\n"a,b"\n"say ""x"""\n"two\nlines"\n"cr\r"\n blank \n007\n1234567890123456789\nZoë 🎉\n=1+1\n'
    )


def test_rows_are_counted(con: duckdb.DuckDBPyConnection) -> None:
    with CsvStream(con, BIG) as stream:
        size = sum(len(block) for block in stream)
        assert (stream.rows, size) == (
            100_000,
            len("number,filler\n") + sum(len(str(n)) + 102 for n in range(100_000)),
        )


def test_no_rows_are_a_header_alone(con: duckdb.DuckDBPyConnection) -> None:
    assert read(con, Query(["a b", 'c "d"'])) == b'a b,"c ""d"""\n'


def test_batches_follow_one_another_under_one_header(con: duckdb.DuckDBPyConnection) -> None:
    query = Query(["n"], [Batch("SELECT $n", {"n": 1}), Batch("SELECT 2 WHERE false", {}), Batch("SELECT 3", {})])
    assert read(con, query) == b"n\n1\n3\n"


def test_what_is_fetched_ahead_is_fetched_first_and_its_failure_is_an_error(con: duckdb.DuckDBPyConnection) -> None:
    query = Query(["n"], [Batch("SELECT 1", {}, ahead=Batch("SELECT error('broken' || len($urls))", {"urls": []}))])
    with pytest.raises(duckdb.InvalidInputException, match="broken"):
        within_deadline(lambda: read(con, query))


def test_all_blocks_but_the_last_are_full(con: duckdb.DuckDBPyConnection) -> None:
    with CsvStream(con, BIG) as stream:
        sizes = [len(block) for block in stream]
    assert set(sizes[:-1]) == {BLOCK_BYTES}
    assert len(sizes) > 2


def test_gzip_holds_the_same_bytes(con: duckdb.DuckDBPyConnection) -> None:
    assert gzip.decompress(read(con, BIG, Compression.GZIP)) == read(con, BIG)


def test_the_same_rows_give_the_same_gzip_bytes(con: duckdb.DuckDBPyConnection) -> None:
    assert len({read(con, BIG, Compression.GZIP) for _ in range(5)}) == 1


def test_gzip_is_packed_at_its_level_and_names_neither_file_nor_time() -> None:
    """The bytes are pinned: a resend is told from a changed lake by them.

    ISA-L has other code for other families of processors, which may pack the same rows otherwise (docs/delivery.md); on
    those the bytes are held against ISA-L alone.
    """
    text = b"".join(b"%d,referral %d of %d\n" % (n, n * n, n % 7) for n in range(40_000))
    blocks = [text[start : start + BLOCK_BYTES] for start in range(0, len(text), BLOCK_BYTES)]
    assert len(blocks) == 2
    packed = b"".join(compressed(iter(blocks), Compression.GZIP))
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, 16 + 15)
    assert packed == b"".join(map(packer.compress, blocks)) + packer.flush()
    assert (packed[:8], gzip.decompress(packed)) == (b"\x1f\x8b\x08" + bytes(5), text)
    if platform.machine() == "x86_64":
        assert hashlib.sha256(packed).hexdigest() == "735f13fe5dd629b3ac54c63fa5855f7e806f66c4b6ead2d977bd323923572dd7"


def test_a_query_that_fails_before_it_writes_is_an_error_and_no_hang(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.BinderException, match="nowhere"):
        within_deadline(lambda: read(con, Query(["x"], [Batch("SELECT nowhere FROM range(3)", {})])))


def test_a_query_that_fails_mid_way_is_an_error_and_no_shorter_file(con: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT CASE WHEN i = 90_000 THEN error('broken') ELSE repeat('x', 100) END FROM range(100_000) r(i)"
    failing = Query(["x"], [Batch("SELECT 'whole'", {}), Batch(sql, {})])
    with pytest.raises(duckdb.InvalidInputException, match="broken"):
        within_deadline(lambda: read(con, failing))


def test_a_reader_that_never_reads_ends_the_query(con: duckdb.DuckDBPyConnection) -> None:
    def open_and_leave() -> None:
        with CsvStream(con, BIG):
            pass

    within_deadline(open_and_leave)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("duckdb-copy")]


def test_a_reader_that_fails_mid_way_ends_the_query_and_its_error_is_the_one_raised(
    con: duckdb.DuckDBPyConnection,
) -> None:
    def fail() -> None:
        with CsvStream(con, BIG) as stream:
            for _ in stream:
                raise OSError("upload failed")

    with pytest.raises(OSError, match="upload failed"):
        within_deadline(fail)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("duckdb-copy")]


def test_a_connection_is_usable_after_a_reader_left(con: duckdb.DuckDBPyConnection) -> None:
    with CsvStream(con, BIG):
        pass
    assert within_deadline(lambda: read(con, Query(["one"], [Batch("SELECT 1", {})]))) == b"one\n1\n"
