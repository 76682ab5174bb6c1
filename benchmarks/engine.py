"""Part 7: `pulumi up` under the real engine, by clients, with a file backend and the emulator."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.process import measured
from benchmarks.report import Result, Table
from infra import artifact
from local_aws.emulator import REGION
from referralctl.local_system import LocalSystem
from tests.engine.stacks import EngineStack, create, write_project
from tests.support import write_client

CLIENTS, QUICK_CLIENTS = (10, 100, 300), (2, 10)
# https://www.pulumi.com/docs/iac/cli/environment-variables/: the state is written once, at the end
SKIPPED = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}


def run(*, quick: bool) -> Result:
    """Deploy each number of clients from nothing, change nothing, and add one client, each in a process of its own."""
    artifact.build(artifact.running_interpreter())  # the zip is not what is measured
    rows = [
        {"clients": count, "checkpoints": checkpoints} | measured("engine", str(count), checkpoints)
        for checkpoints in ("yes", "no")
        for count in (QUICK_CLIENTS if quick else CLIENTS)
    ]
    return Result("engine", quick, [Table("`pulumi up`, seconds; each client has one key and two times of day", rows)])


def _measure(count: int, checkpoints: str, folder: Path) -> dict[str, Any]:
    local = LocalSystem(folder / "local")
    local.up_bare()
    try:
        environment = {**os.environ, **local.environment, **({} if checkpoints == "yes" else SKIPPED)}
        os.environ.update(environment)
        stack = create("bench", write_project(folder / "project"), environment)
        for number in range(count):
            write_client(folder / "clients", f"client-{number:05d}")
        stack.configure(**{"aws:region": REGION, "clients": str(folder / "clients")})
        return {
            "from nothing, s": _seconds(stack),
            "no change, s": _seconds(stack),
            "one client added, s": _seconds(stack, write_client(folder / "clients", "one-more")),
            "resources": len(stack.resources()),
            "state MB": round(sum(file.stat().st_size for file in (folder / "local").rglob("bench.json")) / 1e6, 2),
        }
    finally:
        local.down()


def _seconds(stack: EngineStack, _changed: Path | None = None) -> float:
    began = time.perf_counter()
    stack.up()
    return round(time.perf_counter() - began, 1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="engine-") as scratch:
        print(json.dumps(_measure(int(sys.argv[1]), sys.argv[2], Path(scratch))))
