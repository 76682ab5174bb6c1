"""Part 9: each format, packing and value map, beside DuckDB's own writer or gpg, in the same run."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from rich.progress import Progress

from benchmarks.contender import Job
from benchmarks.export import CLIENT, forget, load, written
from benchmarks.process import measured
from benchmarks.report import MEMORY_MB, MIB, Result, Table
from benchmarks.system import COLUMNS, FIRST_HOUR, SECRET, BenchSystem, quiet, running
from demonstration.reading import make_pgp_key
from local_aws.emulator import ACCOUNT_ID
from referral_delivery.agreement import pgp_key
from referral_delivery.agreement.contract import Contract
from referral_delivery.file.upload import DOWNLOADS
from referralctl.output import talk

ROWS, QUICK_ROWS = (1_000_000, 10_000_000), (100_000,)
# The largest are measured once: a run of them takes minutes.
REPETITIONS = {100_000: 3, 1_000_000: 3, 10_000_000: 1}
ENTRIES = 1_000


@dataclass(frozen=True)
class Case:
    """What is measured: a file, and how DuckDB, or gpg, makes the nearest to it."""

    name: str
    file: dict[str, Any]
    duckdb: str = ""
    peer: str = "duckdb"
    columns: list[Any] = field(default_factory=lambda: list(COLUMNS))


def run(*, quick: bool) -> Result:
    """Measure every case at every size, in turns, so that a slower minute of the machine slows all of them."""
    found: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    cases = [*_cases()]
    sizes = QUICK_ROWS if quick else ROWS
    with running([CLIENT], schedule=quiet()) as system, Progress(console=talk, transient=True) as progress:
        task = progress.add_task("writing", total=sum(REPETITIONS[rows] for rows in sizes) * len(cases))
        for rows in sizes:
            sources = load(system, rows)
            for _ in range(REPETITIONS[rows]):
                for case in cases:
                    progress.update(task, description=f"{rows:,} rows: {case.name}", advance=1)
                    for contender in ("function", *([case.peer] if case.duckdb or case.peer == "gpg" else [])):
                        runs = found.setdefault((rows, case.name, contender), [])
                        runs.append(_measure(system, case, contender, sources))
    return Result("formats", quick, [Table("Formats, five attributes of twelve, S3 to S3", [*_rows(found, cases)])])


def _cases() -> Iterator[Case]:
    key = make_pgp_key("bench <bench@acme.example>")
    read = pgp_key.parse(key.public.encode(), moment=datetime.now(UTC))
    certificate = b64encode(read.certificate).decode()
    recipients = [{"fingerprint": read.fingerprint, "user_id": "bench", "certificate": certificate}]
    yield Case("csv", {}, "FORMAT csv, HEADER true")
    yield Case("csv, crlf", {"line_ending": "crlf"})
    yield Case("csv.gz", {"compression": "gzip"}, "FORMAT csv, HEADER true, COMPRESSION gzip")
    yield Case("csv.zip", {"compression": "zip"})
    yield Case("csv.pgp", {"pgp": {"recipients": recipients}}, peer="gpg")
    yield Case("csv.gz.pgp", {"compression": "gzip", "pgp": {"recipients": recipients}})
    yield Case("jsonl", {"format": "jsonl"}, "FORMAT json")
    yield Case("jsonl.gz", {"format": "jsonl", "compression": "gzip"}, "FORMAT json, COMPRESSION gzip")
    yield Case("parquet", {"format": "parquet"}, "FORMAT parquet, COMPRESSION zstd")
    for kind in ("equals", "contains"):
        # All are looked at for each row: of the lake's states, none is before the last.
        entries = {f"#{number:04d}": f"Plan {number}" for number in range(ENTRIES - 1)} | {"S": "Plan S"}
        mapped = [*COLUMNS[:-1], {"name": COLUMNS[-1], "from": COLUMNS[-1], "map": {kind: entries}}]
        yield Case(f"csv, a map of {ENTRIES:,} {kind}", {}, columns=mapped)


def _measure(system: BenchSystem, case: Case, contender: str, sources: list[str]) -> dict[str, Any]:
    """One run; what it wrote is counted and removed."""
    bucket = system.stack["delivery_bucket"]
    client = sources[0].partition("client=")[2].partition("/")[0]
    prefix = f"{DOWNLOADS}/{client}/" if contender == "function" else f"bench/{contender}/"
    contract = Contract.model_validate(
        {"client": client, "deliver_from": FIRST_HOUR.date(), "attributes": case.columns, "file": case.file}
    )
    job = Job(
        contender=contender,
        endpoint_url=system.up["endpoint_url"],
        region=system.up["region"],
        access_key=ACCOUNT_ID,
        secret_key=SECRET,
        sources=sources,
        columns=list(COLUMNS),
        target=f"s3://{bucket}/bench/{contender}",
        gzip=False,
        options=case.duckdb,
        contract=contract.model_dump_json(),
        due=(FIRST_HOUR + timedelta(hours=len(sources))).isoformat(),
        environment=system.environment,
        memory_mb=MEMORY_MB,
    )
    result = measured("ours", stdin=job.to_json())
    keys = written(system, bucket, prefix)
    result["bytes"] = sum(size for _, size in keys)
    for key, _ in keys:
        system.stack.s3.delete_object(Bucket=bucket, Key=key)
    forget(system, client)
    return result


def _rows(found: Mapping[tuple[int, str, str], list[dict[str, Any]]], cases: list[Case]) -> Iterator[dict[str, Any]]:
    """A row for each size and case; ratios are of medians of the same run."""
    seconds = {key: median(each["seconds"] for each in runs) for key, runs in found.items()}
    for rows in dict.fromkeys(rows for rows, _, _ in found):
        plain = seconds[rows, "csv", "function"]
        for case in cases:
            own, runs = seconds[rows, case.name, "function"], found[rows, case.name, "function"]
            peer = seconds.get((rows, case.name, case.peer))
            yield {
                "rows": rows,
                "file": case.name,
                "seconds": round(own, 2),
                "x plain csv": round(own / plain, 2),
                "beside": case.peer if peer else "",
                "x beside": f"{own / peer:.2f}" if peer else "",
                "peak MB": round(max(each["peak_bytes"] for each in runs) / MIB),
                "written MB": round(runs[0]["bytes"] / MIB, 1),
                "runs": len(runs),
            }
