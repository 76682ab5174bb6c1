"""Finds the stack that a command works on, and the AWS API that it lives in."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import boto3
import typer
from botocore.config import Config

from infra.settings import PROJECT_FOLDER
from referral_delivery.ledger import Ledger
from referralctl.local.system import LocalSystem
from referralctl.local.system import session as local_session

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_scheduler import EventBridgeSchedulerClient

OutputsFile = Annotated[
    Path | None,
    typer.Option(
        "--outputs",
        help="Stack outputs as JSON; default: .local/stack.json, else `pulumi stack output --json`",
        show_default=False,
    ),
]

# A delivery may take the whole of the function's 15 minutes; asking twice would deliver twice.
_INVOKE = Config(read_timeout=960, retries={"total_max_attempts": 1})


class StackNotFound(Exception):
    """No stack's outputs were found, or they lack what a command needs."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs, and for a local one the content of stack.json."""

    outputs: dict[str, Any]
    local: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> str:
        if name not in self.outputs:
            raise StackNotFound(f"the stack has no output {name!r}; it was deployed by another program: deploy again")
        return str(self.outputs[name])

    @cached_property
    def s3(self) -> "S3Client":
        """S3 of the stack."""
        return cast("S3Client", self._client("s3"))

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB of the stack."""
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def scheduler(self) -> "EventBridgeSchedulerClient":
        """EventBridge Scheduler of the stack."""
        return cast("EventBridgeSchedulerClient", self._client("scheduler"))

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda of the stack, patient enough for a whole delivery."""
        return cast("LambdaClient", self._client("lambda", _INVOKE))

    @cached_property
    def ledger(self) -> Ledger:
        """The stack's ledger."""
        return Ledger(self.dynamodb, self["ledger_table"])

    @property
    def client_names(self) -> list[str]:
        """The stack's clients, sorted."""
        return sorted(self.outputs.get("client_folders", {}))

    def check_client(self, client: str) -> None:
        """StackNotFound, with those that exist, for an unknown client."""
        if client not in self.client_names:
            raise StackNotFound(f"the stack has no client {client!r}; it has {', '.join(self.client_names)}")

    def _client(self, service: Any, config: Config | None = None) -> Any:
        session = local_session(self.local) if self.local else boto3.Session()
        endpoint_url = self.local["endpoint_url"] if self.local else None
        return session.client(service, endpoint_url=endpoint_url, config=config)


def find(outputs_file: Path | None) -> Stack:
    """The stack of `--outputs FILE`, else the local one, else the one that `pulumi` has selected."""
    if outputs_file is not None:
        return _from_file(outputs_file)
    local = LocalSystem()
    if local.stack_file.exists() and local.running():
        return _from_file(local.stack_file)
    if shutil.which("pulumi") is None:
        raise StackNotFound(
            "no stack: none is up here (`referralctl local up`), `pulumi` is not on PATH, and there is no --outputs"
        )
    done = subprocess.run(
        ["pulumi", "stack", "output", "--json"],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackNotFound(f"`pulumi stack output --json` failed: {done.stderr.strip()}")
    return Stack(json.loads(done.stdout))


def _from_file(path: Path) -> Stack:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackNotFound(f"{path}: no JSON file of stack outputs ({error})") from error
    if "endpoint_url" in content:
        return Stack(content["outputs"], local=content)
    return Stack(content)
