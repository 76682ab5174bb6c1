"""Evaluates the unmodified Pulumi program, without the engine: each resource is handed to a `Mocks`."""

import contextlib
import gc
import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime.settings import get_root_resource, set_root_resource
from pulumi.runtime.stack import Stack

from infra import PROJECT_FOLDER
from infra.settings import SECRET_SETTINGS, defaults, project_file

PROGRAM_FOLDER = PROJECT_FOLDER / "infra"


def evaluate(
    mocks: pulumi.runtime.Mocks,
    *,
    stack: str,
    region: str,
    config: dict[str, str],
    monitor: pulumi_mocks.MockMonitor | None = None,
) -> dict[str, Any]:
    """Run infra/ as `pulumi up` would, and answer the stack's outputs.

    `config` is that of the project, without its prefix; what it does not give is Pulumi.yaml's default, as with the
    engine. Raises what the program or `mocks` raises.
    """
    project = str(project_file()["name"])
    set_root_resource(None)  # type: ignore[arg-type]  # no stack yet: set_mocks makes one
    pulumi.runtime.set_mocks(mocks, project=project, stack=stack, preview=False, monitor=monitor)
    settings = {f"{project}:{name}": value for name, value in (defaults() | config).items()}
    secrets = [f"{project}:{name}" for name in SECRET_SETTINGS]
    pulumi.runtime.set_all_config(settings | {"aws:region": region}, secrets)
    outputs: dict[str, Any] = {}

    def run() -> pulumi.Output[None]:
        # The engine runs `main: infra/` with that folder as working directory and first on the path.
        with _working_directory(PROGRAM_FOLDER), _aws_on_this_machine():
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


@contextlib.contextmanager
def _aws_on_this_machine() -> Iterator[None]:
    """Say so to the program, which packs the function for what will run it."""
    before = os.environ.get("AWS_ENDPOINT_URL")
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["AWS_ENDPOINT_URL"]
        else:
            os.environ["AWS_ENDPOINT_URL"] = before
