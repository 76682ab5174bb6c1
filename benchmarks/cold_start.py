"""Part 4: from the start of the process to the first byte of the handler's work, out of the very zip."""

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.process import middle
from benchmarks.report import Result, Table
from infra import artifact
from referral_delivery.lake.connection import MEMORY_MB_PER_VCPU
from referral_delivery.settings import Settings

REPETITIONS, QUICK_REPETITIONS = 25, 7
_MEMORY_MB = MEMORY_MB_PER_VCPU

# Both make clients of S3 and DynamoDB, and a DuckDB that reads S3: what a delivery needs before its first call.
PROGRAMS = {
    "function": f"""
from referral_delivery.handlers.export import exporter
exporter({_MEMORY_MB}).writer.connect()
""",
    "boto3 and duckdb": """
import boto3, duckdb
session = boto3.Session()
session.client("s3"), session.client("dynamodb")
from importlib.resources import files
extensions = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}"
duckdb.connect(config={"threads": 1}).load_extension(str(extensions / "httpfs.duckdb_extension"))
""",
}


def run(*, quick: bool) -> Result:
    """Start each program again and again, in turns; once with the zip's bytecode, once without it."""
    seconds: dict[tuple[str, bool], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="cold-") as folder:
        with zipfile.ZipFile(artifact.build(artifact.running_interpreter()).path) as packed:
            packed.extractall(Path(folder) / "compiled")
            sources = [name for name in packed.namelist() if not name.endswith(".pyc")]
            packed.extractall(Path(folder) / "sources", sources)
        for _ in range(QUICK_REPETITIONS if quick else REPETITIONS):
            for compiled in (True, False):
                code = Path(folder) / ("compiled" if compiled else "sources")
                for name, program in PROGRAMS.items():
                    seconds.setdefault((name, compiled), []).append(_started(program, code))
    rows = [
        {
            "handler": name,
            "bytecode in the zip": "yes" if compiled else "no",
            "seconds, median": middle(seconds[name, compiled], 3),
            "seconds, least": round(min(seconds[name, compiled]), 3),
            "x boto3 and duckdb": round(
                middle(seconds[name, compiled], 4) / middle(seconds["boto3 and duckdb", compiled], 4), 2
            ),
            "runs": len(seconds[name, compiled]),
        }
        for name, compiled in seconds
    ]
    return Result("cold-start", quick, [Table("Cold start: process start to the handler's first work", rows)])


def _started(program: str, code: Path) -> float:
    """Seconds until the program says that it is ready; nothing but the zip's content is on its path.

    Lambda's folder for code is read-only, so nothing is compiled for a later start (-B).
    """
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(code),
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "eu-west-1",
    } | Settings(
        stack="bench",
        lake_bucket="lake",
        lake_prefix="referrals",
        delivery_bucket="bucket",
        ledger_table="ledger",
        pgp_signing_secret="",
    ).to_environment()
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-S", "-B", "-c", f"{program}\nprint('ready', flush=True)"],
        env=environment,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        seconds = time.perf_counter() - began
    assert ready == b"ready\n", f"the program ended with {process.returncode} before it was ready"
    return seconds
