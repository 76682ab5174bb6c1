"""The local system for a benchmark, with clients that are not due and referrals in its lake."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from botocore.credentials import ReadOnlyCredentials

from benchmarks.history import object_key
from local_aws.emulator import ACCOUNT_ID
from referral_delivery.lake import connection
from referral_delivery.settings import Settings
from referralctl.local_system import LocalSystem
from referralctl.stacks import Stack
from tests.support import write_client

SECRET = "local"  # noqa: S105 - the emulator asks for none
COLUMNS = ("email", "first_name", "last_name", "source", "state")
# The first hour of arrival: whole days back, so that every window lies in the past.
FIRST_HOUR = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=4)


@dataclass(frozen=True)
class BenchSystem:
    """A running local system."""

    up: dict[str, Any]

    @cached_property
    def stack(self) -> Stack:
        """The deployed stack."""
        return Stack(self.up["outputs"], local=self.up)

    @property
    def environment(self) -> dict[str, str]:
        """What Lambda would give the function, with the account's own access."""
        settings = Settings(
            stack="bench",
            lake_bucket=self.stack["lake_bucket"],
            lake_prefix=self.stack["lake_prefix"],
            delivery_bucket=self.stack["delivery_bucket"],
            ledger_table=self.stack["ledger_table"],
            pgp_signing_secret=self.stack["pgp_signing_secret"],
        )
        return settings.to_environment() | {
            "AWS_ENDPOINT_URL": self.up["endpoint_url"],
            "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": self.up["region"],
        }

    @cached_property
    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB that reads and writes the emulator's S3."""
        return connection.connect(
            endpoint_url=self.up["endpoint_url"],
            region=self.up["region"],
            bucket=self.stack["lake_bucket"],
            credentials=ReadOnlyCredentials(ACCOUNT_ID, SECRET, None),
            memory_mb=10_240,
        )

    def put_referrals(self, client: str, hour: datetime, rows: int, *, first: int = 0) -> str:
        """Put one object of `rows` referrals, numbered from `first`, into an hour of the lake; the answer is its URL.

        Twelve attributes, no two rows alike, names and texts about as often repeated as in life.
        """
        url = f"s3://{self.stack['lake_bucket']}/{object_key(client, hour)}"
        self.duckdb.execute(
            f"""
            COPY (
                SELECT
                    'ref-' || lpad(i::VARCHAR, 10, '0') AS referral_id,
                    TIMESTAMP '{hour:%Y-%m-%d %H:00:00}' + to_microseconds((i - {first}) * 3600000000 // {rows})
                        AS received_at,
                    TIMESTAMP '2026-11-01' + to_seconds(i % 1000000) AS opted_in_at,
                    'customer' || hash(i) % 100000000 || '@example.com' AS email,
                    'First' || hash(i + 1) % 5000 AS first_name,
                    'Last' || hash(i + 2) % 40000 AS last_name,
                    'partner-' || hash(i + 3) % 200 || '.example' AS source,
                    ['NSW', 'VIC', 'QLD', 'WA', 'SA', 'TAS'][1 + (hash(i + 4) % 6)::INTEGER] AS state,
                    '04' || lpad((hash(i + 5) % 100000000)::VARCHAR, 8, '0') AS mobile,
                    lpad((hash(i + 6) % 10000)::VARCHAR, 4, '0') AS postcode,
                    lpad((hash(i + 7) % 10000000000000000000)::VARCHAR, 19, '0') AS audience_id,
                    'Save ' || hash(i + 8) % 50 || '% today' AS ad_text
                FROM range({first}, {first + rows}) AS numbers(i)
            ) TO '{url}' (FORMAT parquet, COMPRESSION zstd)
            """
        )
        return url


def quiet() -> dict[str, Any]:
    """A schedule that is not due while a benchmark runs."""
    return {"at": [f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"]}


@contextmanager
def running(clients: Iterable[str], **fields: Any) -> Iterator[BenchSystem]:
    """A local system with these clients, whose files are alike but for `fields`; ended whatever happens."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in clients:
            write_client(Path(folder) / "clients", name, **({"attributes": list(COLUMNS)} | fields))
        local = LocalSystem(Path(folder) / "local")
        try:
            yield BenchSystem(local.up(Path(folder) / "clients"))
        finally:
            local.down()
