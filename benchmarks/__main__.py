"""`./scripts/bench`: every part, or those that are named."""

import subprocess
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import cold_start, engine, export, fan_out, formats, provisioning, readme, small, small_objects, watch
from benchmarks.process import PEERS_PYTHON
from benchmarks.report import Result
from infra import PROJECT_FOLDER
from referralctl.output import print_json, talk

QUICK_RESULTS = PROJECT_FOLDER / ".local" / "bench"
# A quick run repeats an export only if that costs next to nothing.
_QUICK_ONCE_OVER_SECONDS = 2


class Part(StrEnum):
    """What can be measured alone."""

    EXPORT = "export"
    SMALL = "small"
    SMALL_OBJECTS = "small-objects"
    COLD_START = "cold-start"
    PROVISIONING = "provisioning"
    FAN_OUT = "fan-out"
    ENGINE = "engine"
    WATCH = "watch"
    FORMATS = "formats"


def main(
    parts: Annotated[list[Part] | None, typer.Argument(help="Default: all")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and smaller runs: some four minutes")] = False,
    once_over_seconds: Annotated[
        float, typer.Option(help="Do not repeat an export that takes longer, nor try it with more rows")
    ] = 90,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON")] = False,
) -> None:
    """Measure, print tables, and write JSON and charts (full runs: benchmarks/results, quick ones: .local/bench)."""
    # The full run's results are committed: README's figures and `referralctl cost` are of them.
    folder = QUICK_RESULTS if quick else readme.RESULTS
    once_over = _QUICK_ONCE_OVER_SECONDS if quick else once_over_seconds
    runs: dict[Part, Callable[[], Result]] = {
        Part.EXPORT: partial(
            export.run, quick=quick, once_over_seconds=once_over, keep=lambda result: result.save(folder)
        ),
        Part.SMALL: partial(small.run, quick=quick),
        Part.SMALL_OBJECTS: partial(small_objects.run, quick=quick),
        Part.COLD_START: partial(cold_start.run, quick=quick),
        Part.PROVISIONING: partial(provisioning.run, quick=quick),
        Part.FAN_OUT: partial(fan_out.run, quick=quick),
        Part.ENGINE: partial(engine.run, quick=quick),
        Part.WATCH: partial(watch.run, quick=quick),
        Part.FORMATS: partial(formats.run, quick=quick),
    }
    results = []
    for part in parts or list(Part):
        talk.print(f"measuring: {part}", markup=False)
        results.append(result := runs[part]())
        result.save(folder)
        if not as_json:
            result.show()
    if as_json:
        print_json([asdict(result) for result in results])
    _draw(folder)
    if not quick and all((folder / f"{part}.json").exists() for part in Part):
        readme.update()


def _draw(folder: Path) -> None:
    """The charts need the results of two parts, of this run or an earlier one."""
    if all((folder / f"{part}.json").exists() for part in (Part.EXPORT, Part.PROVISIONING)):
        subprocess.run([PEERS_PYTHON, "-m", "benchmarks.charts", folder], cwd=PROJECT_FOLDER, check=True)
        talk.print(f"charts: {folder.relative_to(PROJECT_FOLDER)}/*.png", markup=False)


if __name__ == "__main__":
    typer.run(main)
