"""The values of a file: hashes against published vectors, and times."""

from typing import Any

import duckdb
import pytest
from botocore.credentials import ReadOnlyCredentials

from referral_delivery.contract import Column
from referral_delivery.query import connect, value_of

# FIPS 180-2 appendix B and RFC 1321 appendix A.5.
SHA256_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
SHA256_LONG = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
MD5 = {
    "a": "0cc175b9c0f1b6a831c399e269772661",
    "abc": "900150983cd24fb0d6963f7d28e17f72",
    "message digest": "f96b697d7cb7938d525a2f31aaf161d0",
    "abcdefghijklmnopqrstuvwxyz": "c3fcd3d76192e4007dfb496cca67e13b",
}


def written(value: object, source: str = "email", type_: str = "VARCHAR", **column: Any) -> object:
    """What the column's SQL makes of one value."""
    sql = value_of(Column.model_validate({"name": "x", "from": source, **column}))
    with duckdb.connect() as con:
        found = con.execute(f'SELECT {sql} FROM (SELECT $value::{type_} AS "{source}")', {"value": value}).fetchone()
    assert found is not None
    return found[0]


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


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("TIMESTAMP", "2026-11-01T05:00:00.120000Z"),
        ("TIMESTAMP_MS", "2026-11-01T05:00:00.120000Z"),
        ("TIMESTAMP_S", "2026-11-01T05:00:00.000000Z"),
    ],
)
def test_a_time_is_written_as_iso_8601_in_utc(type_: str, text: str) -> None:
    assert written("2026-11-01 05:00:00.12", source="opted_in_at", type_=type_) == text


@pytest.mark.parametrize(
    ("memory_mb", "threads", "limit"),
    [(1_024, 1, "595.0 MiB"), (1_769, 1, "976.5 MiB"), (3_538, 2, "976.5 MiB"), (10_240, 6, "2.8 GiB")],
)
def test_duckdbs_limits_follow_the_functions_memory(memory_mb: int, threads: int, limit: str) -> None:
    credentials = ReadOnlyCredentials("key", "sec'ret", None)
    endpoint = "https://s3.eu-west-1.amazonaws.com"
    with connect(endpoint_url=endpoint, region="eu-west-1", credentials=credentials, memory_mb=memory_mb) as con:
        found = con.execute("SELECT current_setting('threads'), current_setting('memory_limit')").fetchone()
    assert found == (threads, limit)


def test_duckdb_loads_no_unsigned_or_downloaded_extension() -> None:
    credentials = ReadOnlyCredentials("key", "secret", "token")
    with connect(endpoint_url="http://127.0.0.1:1", region="x", credentials=credentials, memory_mb=1_024) as con:
        settings = ("allow_unsigned_extensions", "autoinstall_known_extensions", "autoload_known_extensions")
        assert [con.execute(f"SELECT current_setting('{name}')").fetchone() for name in settings] == [(False,)] * 3
        loaded = con.execute("SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'httpfs'").fetchone()
    assert loaded == (True,)
