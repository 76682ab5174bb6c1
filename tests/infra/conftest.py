"""The resource graph of the program, evaluated with a few kinds of client folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.program import evaluate
from tests.recorder import ACCOUNT_ID, REGION, Recorded, Recorder, RecordingMonitor
from tests.support import ed25519_key, write_client

KMS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/11111111-2222-3333-4444-555555555555"
# The one that a stack makes for itself, as the recorder answers.
OWN_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:encryption-key"


@dataclass(frozen=True)
class Graph:
    """All resources of one evaluation, and its outputs."""

    resources: list[Recorded]
    outputs: dict[str, Any]

    def of(self, type_: str) -> list[Recorded]:
        """AWS resources of a type, given by the token's last part, by name."""
        found = [each for each in self.resources if each.custom and each.type.endswith(f":{type_}")]
        return sorted(found, key=lambda each: each.name)

    def one(self, type_: str, name: str) -> Recorded:
        """The AWS resource of a type that the program calls `name`."""
        (found,) = [each for each in self.of(type_) if each.name == name]
        return found

    def comparable(self) -> list[tuple[Any, ...]]:
        """Everything that may not differ between two evaluations."""
        return sorted(
            (
                each.urn,
                each.parent,
                each.protect,
                each.deleted_with,
                each.dependencies,
                json.dumps(each.inputs, sort_keys=True, default=lambda a: a.path),
            )
            for each in self.resources
        )


Program = Callable[..., Graph]


@pytest.fixture(scope="session")
def program() -> Program:
    """Evaluates the program: `program(clients_folder, retention_days="7")`."""

    def run(
        folder: Path | str,
        /,
        *,
        stack: str = "test",
        region: str = REGION,
        referred: dict[str, dict[str, Any]] | None = None,
        **config: str,
    ) -> Graph:
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")
        monitor = RecordingMonitor(Recorder(partition, region, referred))
        settings = {"clients": str(folder)} | config
        outputs = evaluate(monitor.mocks, stack=stack, region=region, config=settings, monitor=monitor)
        return Graph(monitor.graph, outputs)

    return run


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three clients; acme has two keys and two expressions."""
    folder = tmp_path_factory.mktemp("clients")
    keys = [{"label": label, "public_key": ed25519_key()} for label in ("old", "new")]
    write_client(folder, "acme", keys=keys)
    write_client(folder, "globex", schedule={"every": "15m"})
    write_client(folder, "a" * 32)
    return folder


@pytest.fixture(scope="session")
def graph(program: Program, clients: Path) -> Graph:
    """The graph of a stack that gives only region and clients."""
    return program(clients)


@pytest.fixture(scope="session")
def graph_with_given_key(program: Program, clients: Path) -> Graph:
    """The graph of a stack that encrypts with a given key."""
    return program(clients, encryption=KMS_KEY)


@pytest.fixture(scope="session")
def graph_with_own_key(program: Program, clients: Path) -> Graph:
    """The graph of a stack that makes the key that it encrypts with."""
    return program(clients, encryption="stack")


@pytest.fixture(params=["graph", "graph_with_own_key", "graph_with_given_key"])
def any_graph(request: pytest.FixtureRequest) -> Graph:
    """The graphs of all kinds of encryption, one after the other."""
    found: Graph = request.getfixturevalue(request.param)
    return found
