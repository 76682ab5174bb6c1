"""S3 fails while the lake is read: that is no fault of the data, and must not be reported as one."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

import duckdb
import pytest

from referral_delivery.agreement.file_format import FileFormat
from referral_delivery.file import encode
from referral_delivery.file.rows import RowStream
from referral_delivery.lake import query
from referral_delivery.lake.connection import connect
from referral_delivery.window import Window
from tests.slow_s3 import Fault, SlowS3, slow_s3
from tests.stack.conftest import Lab
from tests.support import copied, selected, utc

HOUR = utc("2026-11-20 09:00")
WINDOW = Window(HOUR, HOUR + timedelta(hours=1))
STAMP = "TIMESTAMP '2026-11-20 09:00:00' AS received_at"
# More than comes with a footer, so that there is something left to ask for; it is fetched ahead of the export.
FEW = f"SELECT sha256(n::VARCHAR) AS referral_id, {STAMP} FROM range(5_000) numbers(n)"
# More than what is fetched ahead: read while its rows are on their way.
MANY = f"SELECT sha256(n::VARCHAR) AS referral_id, {STAMP} FROM range(40_000) numbers(n)"


@pytest.fixture
def proxy(lab: Lab) -> Iterator[SlowS3]:
    """A proxy before this worker's emulator, without latency."""
    with slow_s3(lab.stack.s3.meta.endpoint_url, latency_seconds=0) as running:
        yield running


@pytest.fixture
def con(lab: Lab, proxy: SlowS3) -> Iterator[duckdb.DuckDBPyConnection]:
    """The function's DuckDB, which reads through the proxy."""
    credentials = lab.session.get_credentials()
    assert credentials is not None
    with connect(
        endpoint_url=proxy.url,
        region="ap-southeast-2",
        bucket=lab.stack["lake_bucket"],
        credentials=credentials.get_frozen_credentials(),
        memory_mb=1_769,
    ) as connection:
        connection.execute("SET http_retry_wait_ms = 1")
        yield connection


def put(lab: Lab, sql: str) -> None:
    """Put the rows of a query into the lake's hour, as one object."""
    with duckdb.connect() as con:
        lab.put("2026-11-20 09", copied(con, sql))


def found(lab: Lab, con: duckdb.DuckDBPyConnection) -> query.Query:
    """The rows of the client's file, as the footers tell of them."""
    selection = selected(lab.stack.lake, WINDOW, client=lab.client)
    return query.rows(con, lab.contract(), selection, lab.stack.lake)


def read(con: duckdb.DuckDBPyConnection, rows: query.Query) -> bytes:
    """The client's file."""
    with RowStream(con, encode.copies(rows, FileFormat())) as stream:
        return b"".join(stream)


@pytest.mark.parametrize(
    ("method", "fault"),
    # DuckDB asks with a GET where a HEAD is denied.
    [
        *product(["HEAD"], (Fault.UNAVAILABLE, Fault.RESET)),
        *product(["GET"], (Fault.UNAVAILABLE, Fault.DENIED, Fault.RESET, Fault.CUT)),
    ],
)
def test_an_outage_while_the_footers_are_read_is_the_worlds(
    lab: Lab, con: duckdb.DuckDBPyConnection, proxy: SlowS3, method: str, fault: Fault
) -> None:
    put(lab, FEW)
    proxy.faults[method] = fault
    with pytest.raises((duckdb.IOException, duckdb.HTTPException)):
        found(lab, con)


@pytest.mark.parametrize("referrals", [FEW, MANY], ids=["fetched ahead", "read as it is exported"])
@pytest.mark.parametrize("fault", Fault)
def test_an_outage_in_the_middle_of_the_export_is_the_worlds_and_is_over_when_s3_is_back(
    lab: Lab, con: duckdb.DuckDBPyConnection, proxy: SlowS3, fault: Fault, referrals: str
) -> None:
    put(lab, referrals)
    rows = found(lab, con)
    proxy.faults["GET"] = fault
    with pytest.raises((duckdb.IOException, duckdb.HTTPException)):
        read(con, rows)
    proxy.faults.clear()
    assert read(con, rows).count(b"\n") == len(con.execute(referrals).fetchall()) + 1
