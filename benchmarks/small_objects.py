"""Part 3: a lake of many small objects, each request of which takes as long as S3's do: one delivery reads them all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contender import Job
from benchmarks.process import measured
from benchmarks.report import MIB, Result, Table
from benchmarks.system import COLUMNS, FIRST_HOUR, SECRET, BenchSystem, quiet, running
from infra.exporter import TIMEOUT_SECONDS
from infra.settings import StackSettings
from local_aws.emulator import ACCOUNT_ID
from referral_delivery.agreement.contract import Contract
from referral_delivery.lake.objects import PREFIX
from referral_delivery.window import HOUR
from tests.slow_s3 import LATENCY_SECONDS, slow_s3

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

OBJECTS, QUICK_OBJECTS = (2_000, 20_000), (500,)
ROWS = 20
CLIENT = "small-objects"
_AT_ONCE = 16
# DuckDB reads with as much as the function has by default.
MEMORY_MB = int(StackSettings.model_fields["function_memory_mb"].examples[0])  # type: ignore[index]


def run(*, quick: bool) -> Result:
    """Deliver an hour of so many objects, through a proxy that answers as late as S3."""
    return Result("small-objects", quick, [Table("One delivery of small objects", [*_rows(quick=quick)])])


def _rows(*, quick: bool) -> Iterator[dict[str, object]]:
    for objects in QUICK_OBJECTS if quick else OBJECTS:
        client = f"{CLIENT}-{objects}"
        with running([client], schedule=quiet()) as system:
            _put(system, client, objects)
            with slow_s3(system.up["endpoint_url"], latency_seconds=LATENCY_SECONDS) as slow:
                found = measured("ours", stdin=_job(system, client, slow.url).to_json())
            [made] = system.stack.ledger.deliveries(client)
            assert made.rows == objects * ROWS, f"{made.rows:,} rows of {objects:,} objects"
            yield {
                "objects": objects,
                "rows": made.rows,
                "ms a request": round(LATENCY_SECONDS * 1_000),
                "seconds": round(found["seconds"], 1),
                "of an invocation": f"{found['seconds'] / TIMEOUT_SECONDS:.0%}",
                "requests": sum(slow.requests.values()),
                "in flight at once": slow.most_in_flight,
                "peak MB": round(found["peak_bytes"] / MIB),
                "function MB": MEMORY_MB,
            }


def _put(system: BenchSystem, client: str, objects: int) -> None:
    bucket = system.stack["lake_bucket"]
    url = system.put_referrals(client, FIRST_HOUR, ROWS)
    s3, first = system.stack.s3, url.removeprefix(f"s3://{bucket}/")
    body = s3.get_object(Bucket=bucket, Key=first)["Body"].read()
    folder = f"{PREFIX}/client={client}/dt={FIRST_HOUR:%Y-%m-%d}/hr={FIRST_HOUR:%H}"
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        keys = (f"{folder}/{number:06d}.parquet" for number in range(objects - 1))
        list(pool.map(partial(_copy, s3, bucket, body), keys))


def _copy(s3: "S3Client", bucket: str, body: bytes, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=body)


def _job(system: BenchSystem, client: str, slow_url: str) -> Job:
    contract = Contract.model_validate(
        {"client": client, "deliver_from": FIRST_HOUR.date(), "attributes": COLUMNS, "file": {}}
    )
    return Job(
        contender="function",
        endpoint_url=slow_url,
        region=system.up["region"],
        access_key=ACCOUNT_ID,
        secret_key=SECRET,
        sources=[],
        columns=list(COLUMNS),
        target="",
        gzip=False,
        contract=contract.model_dump_json(),
        due=(FIRST_HOUR + HOUR).isoformat(),
        environment=system.environment | {"AWS_ENDPOINT_URL_S3": slow_url},
        memory_mb=MEMORY_MB,
    )
