"""Part 1: Parquet in S3 → CSV and CSV.gz in S3, five attributes of twelve, beside the other ways to do it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

from isal import isal_zlib
from rich.progress import Progress

from benchmarks.contender import Job
from benchmarks.process import measured, middle
from benchmarks.report import MEMORY_MB, MIB, Result, Table
from benchmarks.system import COLUMNS, FIRST_HOUR, SECRET, BenchSystem, quiet, running
from local_aws.emulator import ACCOUNT_ID
from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.file_format import Compression, FileFormat
from referral_delivery.file.upload import DOWNLOADS
from referralctl.output import talk

ROWS, QUICK_ROWS = (100_000, 1_000_000, 10_000_000, 50_000_000), (100_000, 1_000_000)
REPETITIONS = 3
ROWS_AN_OBJECT = 1_000_000
CLIENT = "bench"


@dataclass(frozen=True)
class Contender:
    """One way to export; a floor makes no file, so only one compression is measured."""

    name: str
    module: str
    peer: bool = False
    floor: bool = False


# Those of a group are measured in turns, so that a slower minute of the machine slows all of them.
GROUPS = (
    (
        Contender("function", "ours"),
        Contender("duckdb", "ours"),
        Contender("floor-scan", "ours", floor=True),
        Contender("floor-csv", "ours", floor=True),
    ),
    (Contender("polars", "peers", peer=True), Contender("awswrangler", "peers", peer=True)),
)


def run(*, quick: bool, once_over_seconds: float, keep: Callable[[Result], None]) -> Result:
    """Measure every contender at every size.

    One that takes longer than `once_over_seconds`, or fails, is not repeated, nor measured with more rows.
    All of it takes most of an hour, so `keep` is given what there is after every run.
    """
    sizes = QUICK_ROWS if quick else ROWS
    found: dict[tuple[int, str, bool], list[dict[str, Any]]] = {}
    too_slow: set[tuple[str, bool]] = set()
    with running([CLIENT], schedule=quiet()) as system, Progress(console=talk, transient=True) as progress:
        task = progress.add_task("exporting", total=len(sizes) * len(GROUPS) * REPETITIONS)
        for rows in sizes:
            sources = load(system, rows)
            for group, _ in product(GROUPS, range(REPETITIONS)):
                for contender, gzip in _turns(group):
                    if (contender.name, gzip) in too_slow:
                        continue
                    runs = found.setdefault((rows, contender.name, gzip), [])
                    progress.update(task, description=f"{rows:,} rows: {contender.name}{' gzip' * gzip}")
                    try:
                        runs.append(_measure(system, contender, sources, rows=rows, gzip=gzip, check=not runs))
                    except RuntimeError as failure:
                        if not contender.peer:
                            raise
                        talk.print(str(failure), markup=False)
                    if not runs or runs[-1]["seconds"] > once_over_seconds:
                        too_slow.add((contender.name, gzip))
                    keep(_result(found, quick=quick))
                progress.advance(task)
    return _result(found, quick=quick)


def _result(found: dict[tuple[int, str, bool], list[dict[str, Any]]], *, quick: bool) -> Result:
    return Result("export", quick, [Table("Export, five attributes of twelve, S3 to S3", _rows(found))])


def _turns(group: tuple[Contender, ...]) -> Iterator[tuple[Contender, bool]]:
    for gzip in (False, True):
        for contender in group:
            if not (gzip and contender.floor):
                yield contender, gzip


def load(system: BenchSystem, rows: int) -> list[str]:
    """The objects that hold the first `rows` referrals, made where an earlier size has not made them."""
    if rows < ROWS_AN_OBJECT:
        return [system.put_referrals(f"{CLIENT}-{rows}", FIRST_HOUR, rows)]
    return [_object(system, number) for number in range(rows // ROWS_AN_OBJECT)]


_made: dict[tuple[str, int], str] = {}


def _object(system: BenchSystem, number: int) -> str:
    key = (system.up["endpoint_url"], number)
    if key not in _made:
        hour = FIRST_HOUR + timedelta(hours=number)
        _made[key] = system.put_referrals(CLIENT, hour, ROWS_AN_OBJECT, first=number * ROWS_AN_OBJECT)
    return _made[key]


def _measure(
    system: BenchSystem, contender: Contender, sources: list[str], *, rows: int, gzip: bool, check: bool
) -> dict[str, Any]:
    """One run; what it wrote is counted, checked the first time, and removed."""
    bucket = system.stack["delivery_bucket"]
    client = sources[0].partition("client=")[2].partition("/")[0]
    prefix = f"{DOWNLOADS}/{client}/" if contender.name == "function" else f"bench/{contender.name}/"
    contract = Contract.model_validate(
        {
            "client": client,
            "deliver_from": FIRST_HOUR.date(),
            "attributes": COLUMNS,
            "file": FileFormat(compression=Compression.GZIP if gzip else Compression.NONE),
        }
    )
    job = Job(
        contender=contender.name,
        endpoint_url=system.up["endpoint_url"],
        region=system.up["region"],
        access_key=ACCOUNT_ID,
        secret_key=SECRET,
        sources=sources,
        columns=list(COLUMNS),
        target=f"s3://{bucket}/bench/{contender.name}",
        gzip=gzip,
        contract=contract.model_dump_json(),
        due=(FIRST_HOUR + timedelta(hours=len(sources))).isoformat(),
        environment=system.environment,
        memory_mb=MEMORY_MB,
    )
    result = measured(contender.module, stdin=job.to_json(), peers=contender.peer)
    keys = [] if contender.floor else written(system, bucket, prefix)
    result["bytes"] = sum(size for _, size in keys)
    if check and not contender.floor:
        lines = sum(_lines(system, bucket, key, gzip=gzip) for key, _ in keys)
        assert lines == rows + len(keys), f"{contender.name}: {lines:,} lines of {rows:,} rows in {len(keys)} files"
    for key, _ in keys:
        system.stack.s3.delete_object(Bucket=bucket, Key=key)
    forget(system, client)
    return result


def written(system: BenchSystem, bucket: str, prefix: str) -> list[tuple[str, int]]:
    """Keys and sizes of what lies under a prefix, without folders."""
    pages = system.stack.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    entries = [entry for page in pages for entry in page.get("Contents", ())]
    return [(entry["Key"], entry["Size"]) for entry in entries if not entry["Key"].endswith("/")]


def _lines(system: BenchSystem, bucket: str, key: str, *, gzip: bool) -> int:
    """Lines of a file; these referrals have none within a value."""
    body = system.stack.s3.get_object(Bucket=bucket, Key=key)["Body"]
    lines, unpack = 0, isal_zlib.decompressobj(wbits=31)
    for piece in iter(partial(body.read, 8 * MIB), b""):
        if not gzip:
            lines += piece.count(b"\n")
            continue
        rest = piece
        while rest:  # some writers make a file of several gzip members
            lines += unpack.decompress(rest).count(b"\n")
            rest = unpack.unused_data
            if unpack.eof:
                unpack = isal_zlib.decompressobj(wbits=31)
    return lines


def forget(system: BenchSystem, client: str) -> None:
    """Drop what the ledger holds of the client: the next run is its first again."""
    table = system.stack["ledger_table"]
    for found in [*system.stack.ledger.deliveries(client)]:
        record = f"delivery#{found.window.end:%Y-%m-%dT%H:%M:%SZ}"
        key = {"client": {"S": client}, "record": {"S": record}}
        system.stack.dynamodb.delete_item(TableName=table, Key=key)
    system.stack.dynamodb.delete_item(TableName=table, Key={"client": {"S": client}, "record": {"S": "cursor"}})


def _rows(found: dict[tuple[int, str, bool], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each contender, size and compression, with the ratio to the function's seconds."""
    found = {key: runs for key, runs in found.items() if runs}  # what failed has none
    seconds = {key: middle([each["seconds"] for each in runs], 3) for key, runs in found.items()}
    return [
        {
            "rows": rows,
            "file": "(none)" if name.startswith("floor") else "csv.gz" if gzip else "csv",
            "contender": name,
            "seconds": seconds[rows, name, gzip],
            "x function": round(seconds[rows, name, gzip] / seconds[rows, "function", gzip], 2),
            "peak MB": round(max(each["peak_bytes"] for each in runs) / MIB),
            "written MB": round(runs[0]["bytes"] / MIB),
            "runs": len(runs),
        }
        for (rows, name, gzip), runs in sorted(found.items(), key=lambda entry: (entry[0][0], entry[0][2]))
    ]
