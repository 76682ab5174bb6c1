"""Runs one measurement in a fresh process, so that neither time nor memory is inherited from another."""

import json
import subprocess
import sys
from statistics import median
from typing import Any

from infra import PROJECT_FOLDER

PEERS_PYTHON = PROJECT_FOLDER / ".venv-peers" / "bin" / "python"
_SECONDS = 3_600


def measured(module: str, *arguments: str, stdin: str = "", peers: bool = False) -> dict[str, Any]:
    """Run `python -m benchmarks.<module>`, and answer the JSON of its last line; RuntimeError has what it said."""
    done = subprocess.run(
        [PEERS_PYTHON if peers else sys.executable, "-m", f"benchmarks.{module}", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=PROJECT_FOLDER,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"benchmarks.{module} {' '.join(arguments)} failed:\n{done.stderr[-2_000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def middle(values: list[float], digits: int = 2) -> float:
    """The median, rounded."""
    return round(median(values), digits)
