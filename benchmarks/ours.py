"""The function's own code path, and DuckDB alone: what the export is made of."""

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.contender import Job, lambda_context, main

if TYPE_CHECKING:
    import duckdb


def function(job: Job) -> Callable[[], object]:
    """The handler, called as Lambda calls it: claim to commit, SHA-256 included."""
    os.environ.update(job.environment or {})
    from referral_delivery.agreement.contract import Contract
    from referral_delivery.delivery.event import ExportEvent
    from referral_delivery.handlers.export import handler
    from referral_delivery.ledger.occasion import Occasion

    contract = Contract.model_validate_json(job.contract)
    event = ExportEvent(occasion=Occasion.MANUAL, scheduled_time=job.due, contract=contract)
    payload = event.model_dump(mode="json")
    return lambda: handler(payload, lambda_context(job.contender, job.memory_mb))


def duckdb_copy(job: Job) -> Callable[[], object]:
    """DuckDB's own `COPY … TO 's3://…'`, with its own formats and its own gzip."""
    packed = ", COMPRESSION gzip" if job.gzip else ""
    return _copy(job, f"{job.target}/file", job.options or f"FORMAT csv, HEADER true{packed}")


def gpg(job: Job) -> Callable[[], object]:
    """GnuPG alone: the same rows as CSV on the disk, encrypted into nothing."""
    file = json.loads(job.contract)["file"]
    folder = Path(tempfile.mkdtemp(prefix="bench-gpg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _copy(job, str(folder / "file.csv"), "FORMAT csv, HEADER true")()
    [recipient] = file["pgp"]["recipients"]
    options = ["gpg", "--homedir", str(folder), "--batch", "--quiet", "--trust-model", "always"]
    subprocess.run([*options, "--import"], input=b64decode(recipient["certificate"]), check=True)
    encrypt = ["--compress-algo", "none", "--recipient", recipient["fingerprint"], "--output", "-", "--encrypt"]
    return lambda: subprocess.run([*options, *encrypt, str(folder / "file.csv")], stdout=subprocess.DEVNULL, check=True)


def floor_csv(job: Job) -> Callable[[], object]:
    """The same query into CSV that goes nowhere."""
    return _copy(job, "/dev/null", "FORMAT csv, HEADER true, USE_TMP_FILE false")


def floor_scan(job: Job) -> Callable[[], object]:
    """The same query into nothing: every value is decoded, and dropped."""
    con = _connected(job)
    sql = f"EXPLAIN ANALYZE {_select(job)}"
    return lambda: con.execute(sql, {"urls": job.sources}).fetchall()


def _copy(job: Job, target: str, options: str) -> Callable[[], object]:
    con = _connected(job)
    sql = f"COPY ({_select(job)}) TO '{target}' ({options})"
    return lambda: con.execute(sql, {"urls": job.sources}).fetchall()


def _select(job: Job) -> str:
    return f"SELECT {', '.join(job.columns)} FROM read_parquet($urls)"


def _connected(job: Job) -> "duckdb.DuckDBPyConnection":
    from botocore.credentials import ReadOnlyCredentials

    from referral_delivery.lake import connection

    return connection.connect(
        endpoint_url=job.endpoint_url,
        region=job.region,
        bucket=urlsplit(job.sources[0]).netloc,
        credentials=ReadOnlyCredentials(job.access_key, job.secret_key, None),
        memory_mb=job.memory_mb,
    )


if __name__ == "__main__":
    main({"function": function, "duckdb": duckdb_copy, "gpg": gpg, "floor-scan": floor_scan, "floor-csv": floor_csv})
