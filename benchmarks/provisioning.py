"""Part 5: evaluating the Pulumi program, and checking client files, for more and more clients."""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pulumi.runtime import MockResourceArgs
from pulumi.runtime.mocks import MockMonitor
from typer.testing import CliRunner

from benchmarks.contender import peak_bytes
from benchmarks.process import measured
from benchmarks.report import MIB, Result, Table
from infra import artifact
from local_aws.program import evaluate
from referralctl.main import app
from tests.recorder import REGION, Recorder
from tests.support import write_client

CLIENTS, QUICK_CLIENTS = (10, 100, 1_000, 3_000), (10, 100, 500)
CHECKED, QUICK_CHECKED = 5_000, 1_000


def run(*, quick: bool) -> Result:
    """Evaluate the program once for each number of clients, and check one folder, each in a process of its own."""
    artifact.build(artifact.running_interpreter())  # the zip is not what is measured
    found: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="provisioning-") as folder:
        for count in QUICK_CLIENTS if quick else CLIENTS:
            found[count] = measured("provisioning", "evaluate", str(_clients(Path(folder) / f"{count}", count)))
        files = QUICK_CHECKED if quick else CHECKED
        checked = measured("provisioning", "check", str(_clients(Path(folder) / "checked", files)))
    fewest, most = min(found), max(found)
    each = (found[most]["resources"] - found[fewest]["resources"]) / (most - fewest)
    rows = [
        {
            "clients": count,
            "seconds": round(one["seconds"], 2),
            "ms a client": round(1_000 * one["seconds"] / count, 1),
            "peak MB": round(one["peak_bytes"] / MIB),
            "resources": one["resources"],
            "of them a client": each,
        }
        for count, one in found.items()
    ]
    return Result(
        "provisioning",
        quick,
        [
            Table("Evaluating the Pulumi program; each client has one key and two times of day", rows),
            Table(
                "`referralctl clients check`",
                [
                    {
                        "files": files,
                        "seconds": round(checked["seconds"], 2),
                        "peak MB": round(checked["peak_bytes"] / MIB),
                    }
                ],
            ),
        ],
    )


def _clients(folder: Path, count: int) -> Path:
    for number in range(count):
        write_client(folder, f"client-{number:05d}")
    return folder


class _Counter(Recorder):
    """Counts what would be made, components included."""

    made = 0

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made += 1
        return super().new_resource(args)


def _evaluate(clients: Path) -> int:
    counter = _Counter()
    config = {"clients": str(clients)}
    evaluate(counter, stack="bench", region=REGION, config=config, monitor=MockMonitor(counter))
    return counter.made


def _check(clients: Path) -> int:
    done = CliRunner().invoke(app, ["clients", "check", str(clients)])
    assert done.exit_code == 0, done.output
    return 0


if __name__ == "__main__":
    began = time.perf_counter()
    resources = {"evaluate": _evaluate, "check": _check}[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"seconds": time.perf_counter() - began, "peak_bytes": peak_bytes(), "resources": resources}))
