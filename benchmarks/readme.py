"""The figures in README, made from the committed results; a test holds README to them."""

import json
from pathlib import Path
from typing import Any

from infra import PROJECT_FOLDER

README = PROJECT_FOLDER / "README.md"
RESULTS = PROJECT_FOLDER / "benchmarks" / "results"
BEGIN, END = "<!-- figures: made by benchmarks/readme.py -->", "<!-- end of figures -->"
_ROWS = 10_000_000


def update() -> None:
    """Write the figures of the committed results into README."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{figures(RESULTS)}\n{END}{after}", encoding="utf-8")


def figures(folder: Path) -> str:
    """The tables and the machine, as Markdown."""
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    tables = {part: [table["rows"] for table in result["tables"]] for part, result in results.items()}
    export = tables["export"][0]
    lines = [
        f"| {_ROWS:,} rows, Parquet in S3 → | CSV in S3 | x function | CSV.gz in S3 | x function | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_contender(export, name) for name in dict.fromkeys(row["contender"] for row in export)),
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {what} | {figure} |" for what, figure in _others(export, tables)),
        "",
        "| `pulumi up`, clients | checkpoints | from nothing | no change | one client added | resources | state |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
        *(_deployed(row) for row in tables["engine"][0]),
        "",
        _machine(results),
    ]
    return "\n".join(lines)


def _contender(export: list[dict[str, Any]], name: str) -> str:
    """A contender's line; of a floor there is only the query."""
    own = {row["file"]: row for row in export if row["contender"] == name and row["rows"] == _ROWS}
    cells = []
    for file in ("csv", "csv.gz"):
        row = own.get(file) or (own.get("(none)") if file == "csv" else None)
        cells += [f"{row['seconds']:.1f} s", f"{row['x function']:.2f}"] if row else ["", ""]
    peak = max((row["peak MB"] for row in own.values()), default=0)
    return f"| {name} | {' | '.join(cells)} | {f'{peak:,} MB' if peak else 'failed'} |"


def _deployed(row: dict[str, Any]) -> str:
    seconds = " | ".join(f"{row[f'{run}, s']:.0f} s" for run in ("from nothing", "no change", "one client added"))
    return f"| {row['clients']} | {row['checkpoints']} | {seconds} | {row['resources']:,} | {row['state MB']} MB |"


def _others(export: list[dict[str, Any]], tables: dict[str, list[Any]]) -> list[tuple[str, str]]:
    most = max(row["rows"] for row in export if row["contender"] == "function")
    largest = [row for row in export if row["contender"] == "function" and row["rows"] == most]
    objects = tables["small-objects"][0][-1]
    [small], _, history = tables["small"]
    compiled, *_ = cold = tables["cold-start"][0]
    sources = next(row for row in cold if row["handler"] == "function" and row["bytecode in the zip"] == "no")
    evaluated, [checked] = tables["provisioning"]
    fewer, more = evaluated[-2:]
    [fan] = tables["fan-out"][0]
    formats = {row["file"]: row["x plain csv"] for row in tables["formats"][0] if row["rows"] == _ROWS}
    return [
        (
            f"the function, {most:,} rows",
            " · ".join(f"{row['file']} {row['seconds']:.1f} s, peak {row['peak MB']:,} MB" for row in largest),
        ),
        (
            f"{_ROWS:,} rows in other formats, x CSV",
            " · ".join(f"{file.removeprefix('csv, ')} {x:.2f}" for file, x in formats.items() if file != "csv"),
        ),
        (
            f"a warm delivery of {small['rows each']:,} rows",
            f"{small['seconds, median']:.2f} s, {small['AWS calls each']} AWS calls",
        ),
        (
            f"the same for a client {history[-1]['client']}",
            f"{history[-1]['AWS calls']} AWS calls, {history[-1]['listings']} of them a listing",
        ),
        (
            f"{objects['objects']:,} objects of {objects['rows'] // objects['objects']} rows, "
            f"{objects['ms a request']} ms a request, {objects['function MB']:,} MB",
            f"{objects['seconds']:.0f} s, {objects['requests']:,} requests, peak {objects['peak MB']:,} MB",
        ),
        (
            "cold start, bytecode in the zip (x a handler that imports boto3 and duckdb)",
            f"{compiled['seconds, median']:.2f} s, {compiled['x boto3 and duckdb']:.2f} x",
        ),
        (
            "cold start, packed by another Python",
            f"{sources['seconds, median']:.2f} s, {sources['x boto3 and duckdb']:.2f} x",
        ),
        (
            f"evaluating the program for {more['clients']:,} clients",
            f"{more['seconds']:.0f} s, {more['seconds'] / fewer['seconds']:.1f} x {fewer['clients']:,} clients; "
            f"{more['of them a client']:g} resources a client with two times of day",
        ),
        (f"`referralctl clients check`, {checked['files']:,} files", f"{checked['seconds']:.1f} s"),
        (
            f"{fan['clients']} clients due in the same minute",
            f"{fan['delivered']} delivered, {fan['lost']} lost, {fan['doubled']} doubled; "
            f"the last after {fan['s to the last']:.0f} s",
        ),
    ]


def _machine(results: dict[str, Any]) -> str:
    found = results["export"]["machine"]
    return (
        f"Measured {found['date']} on {found['cores']} cores ({found['processor']}), {found['memory_gib']} GiB, "
        f"Python {found['python']}, DuckDB {found['duckdb']}; the emulator, which serves S3, on the same cores."
    )


if __name__ == "__main__":
    update()
