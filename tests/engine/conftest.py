"""Stacks that the real Pulumi engine deploys into an emulator of this worker's own."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_aws.emulator import REGION
from referralctl.local_system import LocalSystem
from tests.engine.stacks import EngineStack, create, write_project


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything here needs the engine: `./scripts/test --engine`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.timeout(600))  # several runs of the engine each


Stacks = Callable[..., EngineStack]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a bare emulator, as `referralctl local env` prints it."""
    if shutil.which("pulumi") is None:
        pytest.exit("pulumi is not on PATH; run these tests as `./scripts/test --engine`", returncode=2)
    local = LocalSystem(tmp_path_factory.mktemp("bare") / "local")
    local.up_bare()
    try:
        # What `eval "$(referralctl local env)"` leaves of the shell's own, and what it sets.
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        yield own | local.environment
    finally:
        local.down()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with Pulumi.yaml alone: no stack's file of this working copy is read or written."""
    return write_project(tmp_path_factory.mktemp("project") / "project")


@pytest.fixture(scope="session")
def engine_stacks(emulator: dict[str, str], project: Path) -> Iterator[Stacks]:
    """Makes stacks: `engine_stacks("name", clients=folder)`; without a name, one that no other test has.

    A bare one has not even a region.
    """
    before = dict(os.environ)
    # An inline program runs in this process, and looks for AWS where its environment says.
    os.environ.clear()
    os.environ.update(emulator)

    def make(name: str = "", *, clients: Path | None = None, bare: bool = False, **settings: str) -> EngineStack:
        made = create(name or f"t{uuid.uuid4().hex[:8]}", project, emulator)
        if not bare:
            made.configure(**{"aws:region": REGION}, **settings, **({"clients": str(clients)} if clients else {}))
        return made

    try:
        yield make
    finally:
        os.environ.clear()
        os.environ.update(before)
