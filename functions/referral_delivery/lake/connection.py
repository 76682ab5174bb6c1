"""The DuckDB of one delivery: what it may take of the function, and how it asks S3."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_MB_PER_VCPU = 1_769
# What Python, the compressor and the parts in flight take beside DuckDB.
_RESERVED_MB = 400
# DuckDB's threads finish rows out of order, and what waits for its turn may take a quarter of the limit: without an
# end to it, memory follows the function's size and the speed of S3. Lower, and a row group of wide text fails.
_DUCKDB_MB, _DUCKDB_MB_PER_THREAD = 1_024, 512
# S3 takes tens of milliseconds for a request of any size, and a thread of DuckDB has one under way.
REQUESTS_IN_FLIGHT = 64
# For so many, starting threads takes longer than it saves.
_FEW_OBJECTS = 4


def connect(
    *, endpoint_url: str, region: str, bucket: str, credentials: "ReadOnlyCredentials", memory_mb: int
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that reads a bucket, limited to what a function of `memory_mb` can give it."""
    endpoint = urlsplit(endpoint_url)
    threads = max(1, round(memory_mb / MEMORY_MB_PER_VCPU))
    con = duckdb.connect(
        config={
            "memory_limit": f"{min(memory_mb - _RESERVED_MB, max(_DUCKDB_MB, _DUCKDB_MB_PER_THREAD * threads))}MB",
            "threads": threads,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    con.load_extension(str(_httpfs()))
    con.execute("SET TimeZone = 'UTC'")  # a zoned timestamp is compared and written as UTC
    # Objects never change, so what was read of one need not be asked for again, nor whether it is still the same.
    con.execute("SET validate_external_file_cache = 'NO_VALIDATION'")
    con.execute("SET httpfs_connection_caching = true")
    options = {
        "KEY_ID": credentials.access_key or "",
        "SECRET": credentials.secret_key or "",
        "SESSION_TOKEN": credentials.token or "",
        "REGION": region,
        "ENDPOINT": endpoint.netloc,
        "URL_STYLE": _url_style(endpoint.hostname or "", bucket),
    }
    written = ", ".join(f"{name} {literal(value)}" for name, value in options.items())
    con.execute(f"CREATE SECRET (TYPE s3, {written}, USE_SSL {endpoint.scheme == 'https'})")
    return con


@contextmanager
def requests_in_flight(con: duckdb.DuckDBPyConnection, objects: int) -> Iterator[None]:
    """Many requests at once, where there are many objects, for what waits for S3 and not for the CPU."""
    if objects <= _FEW_OBJECTS:
        yield
        return
    [(threads,)] = con.execute("SELECT current_setting('threads')").fetchall()
    con.execute(f"SET threads = {max(threads, min(objects, REQUESTS_IN_FLIGHT))}")
    try:
        yield
    finally:
        con.execute(f"SET threads = {threads}")


def forget_what_is_read(con: duckdb.DuckDBPyConnection) -> None:
    """Keep nothing of the objects in memory, from here on."""
    con.execute("SET enable_external_file_cache = false")


def identifier(name: str) -> str:
    """A name in SQL, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def _url_style(host: str, bucket: str) -> str:
    """Where the bucket's name stands in a URL: in front of the host, or first in the path.

    S3's certificate is for one label in front of its host, so a name with dots would match none.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    return "vhost" if host.endswith(".amazonaws.com") and "." not in bucket else "path"


def _httpfs() -> Any:
    """The httpfs extension as PyPI ships it: signed, and built for exactly this DuckDB."""
    return files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
