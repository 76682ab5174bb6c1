"""Evaluates the unmodified Pulumi program, without the engine: each resource is handed to a `Mocks`."""

import contextlib
import gc
import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime.settings import get_root_resource, set_root_resource
from pulumi.runtime.stack import Stack

from infra.settings import PROJECT_FOLDER

PROGRAM_FOLDER = PROJECT_FOLDER / "infra"


def project_name() -> str:
    """The project's name as Pulumi.yaml gives it."""
    return str(yaml.safe_load((PROJECT_FOLDER / "Pulumi.yaml").read_text(encoding="utf-8"))["name"])


def evaluate(
    mocks: pulumi.runtime.Mocks,
    *,
    stack: str,
    region: str,
    config: dict[str, str],
    monitor: pulumi_mocks.MockMonitor | None = None,
) -> dict[str, Any]:
    """Run infra/ as `pulumi up` would, and answer the stack's outputs.

    `config` is that of the project, without its prefix. Raises what the program or `mocks` raises.
    """
    project = project_name()
    set_root_resource(None)  # type: ignore[arg-type]  # no stack yet: set_mocks makes one
    pulumi.runtime.set_mocks(mocks, project=project, stack=stack, preview=False, monitor=monitor)
    settings = {f"{project}:{name}": value for name, value in config.items()}
    pulumi.runtime.set_all_config(settings | {"aws:region": region})
    outputs: dict[str, Any] = {}

    def run() -> pulumi.Output[None]:
        # The engine runs `main: infra/` with that folder as working directory and first on the path.
        with _working_directory(PROGRAM_FOLDER):
            runpy.run_path(str(PROGRAM_FOLDER), run_name="__main__")
        root = get_root_resource()
        assert isinstance(root, Stack)  # noqa: S101 - set_mocks has made it
        return pulumi.Output.all(**root.outputs).apply(outputs.update)

    try:
        pulumi.runtime.test(run)()  # type: ignore[no-untyped-call]
    finally:
        gc.enable()  # the program ends its process as a rule, and leaves the collector off
    return outputs


@contextlib.contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
