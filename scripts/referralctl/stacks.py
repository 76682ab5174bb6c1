"""The stack that a command works on, and the AWS API that it lives in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from referral_delivery.lake.objects import Lake
from referral_delivery.ledger.table import Ledger
from referral_delivery.ledger.watching import Watching
from referral_delivery.watch.roster import Entry, Roster
from referralctl import outputs, refusals
from referralctl.errors import AwsRefused, StackNotFound
from referralctl.local_system import LocalSystem
from referralctl.local_system import session as local_session
from referralctl.output import errors_reported

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_scheduler import EventBridgeSchedulerClient
    from types_boto3_secretsmanager import SecretsManagerClient

OutputsFile = Annotated[
    Path | None,
    typer.Option(
        "--outputs",
        help="Stack outputs as JSON; default: .local/stack.json, else `pulumi stack output --json`",
        show_default=False,
    ),
]
StackName = Annotated[
    str | None,
    typer.Option("--stack", help="Stack of this project, as `pulumi stack ls` names it", show_default=False),
]

# A delivery may take the whole of the function's 15 minutes; asking twice would deliver twice.
_INVOKE = Config(read_timeout=960, retries={"total_max_attempts": 1})
# Clients of which the ledger is asked at once.
AT_ONCE = 16
# Only to say who was refused.
_ASK_BRIEFLY = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 1})


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
        """DynamoDB of the stack, for several threads."""
        return cast("DynamoDBClient", self._client("dynamodb", Config(max_pool_connections=AT_ONCE)))

    @cached_property
    def scheduler(self) -> "EventBridgeSchedulerClient":
        """EventBridge Scheduler of the stack."""
        return cast("EventBridgeSchedulerClient", self._client("scheduler"))

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """Secrets Manager of the stack."""
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda of the stack, patient enough for a whole delivery."""
        return cast("LambdaClient", self._client("lambda", _INVOKE))

    @cached_property
    def ledger(self) -> Ledger:
        """The stack's ledger."""
        return Ledger(self.dynamodb, self["ledger_table"])

    @cached_property
    def watching(self) -> Watching:
        """The stack's ledger, for those who look at all clients."""
        return Watching(self.dynamodb, self["ledger_table"])

    def roster(self) -> tuple[Roster, datetime]:
        """The deployed clients as they are now, and since when."""
        found = self.s3.get_object(Bucket=self["delivery_bucket"], Key=self["roster"])
        return Roster.model_validate_json(found["Body"].read()), found["LastModified"].astimezone(UTC)

    def entry(self, client: str) -> Entry:
        """A client's entry of the roster."""
        self.check_client(client)
        roster, _since = self.roster()
        return next(entry for entry in roster.clients if entry.client == client)

    @cached_property
    def lake(self) -> Lake:
        """The lake that the stack reads."""
        return Lake(self.s3, self["lake_bucket"], prefix=self["lake_prefix"])

    @property
    def name(self) -> str:
        """What the stack's roster is named by."""
        return Path(self["roster"]).stem

    @property
    def client_names(self) -> list[str]:
        """The stack's clients, sorted."""
        return sorted(self.outputs.get("client_folders", {}))

    def check_client(self, client: str) -> None:
        """StackNotFound, with those that exist, for an unknown client."""
        if client not in self.client_names:
            raise StackNotFound(f"the stack has no client {client!r}; it has {', '.join(self.client_names)}")

    def caller(self) -> str | None:
        """The ARN of whom AWS takes us for; None where it does not say."""
        try:
            return str(self._client("sts", _ASK_BRIEFLY).get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError):
            return None

    @property
    def credentials(self) -> "ReadOnlyCredentials":
        """What AWS is asked with, for those who ask it by other means than boto3."""
        found = self._session.get_credentials()
        if found is None:
            raise NoCredentialsError
        return found.get_frozen_credentials()

    @property
    def accounts(self) -> set[str]:
        """The accounts that the ARNs of the outputs name."""
        parts = [value.split(":") for value in self.outputs.values() if str(value).startswith("arn:")]
        return {each[4] for each in parts if each[4]}

    @cached_property
    def _session(self) -> boto3.Session:
        """In the stack's region; boto3 reads AWS_DEFAULT_REGION only, and Pulumi's users set AWS_REGION."""
        if self.local:
            return local_session(self.local)
        session = boto3.Session(region_name=self.outputs.get("region") or os.environ.get("AWS_REGION"))
        if session.region_name is None:
            raise StackNotFound("the stack has no output 'region': deploy again with this program, or set AWS_REGION")
        return session

    def _client(self, service: Any, config: Config | None = None) -> Any:
        # Without an endpoint of our own, AWS_ENDPOINT_URL is honoured.
        endpoint_url = self.local["endpoint_url"] if self.local else None
        return self._session.client(service, endpoint_url=endpoint_url, config=config)


@contextmanager
def opened(outputs_file: Path | None, stack_name: str | None) -> Iterator[Stack]:
    """The stack to work on; what goes wrong meanwhile, AWS's refusals too, becomes one line and exit code 1."""
    with errors_reported():
        stack = find(outputs_file, stack_name)
        try:
            yield stack
        except (BotoCoreError, ClientError) as error:
            said = refusals.explained(error, caller=stack.caller, accounts=stack.accounts)
            raise AwsRefused(said) from error


def find(outputs_file: Path | None, stack_name: str | None) -> Stack:
    """The stack of `--outputs FILE` or `--stack NAME`, else the local one, else the one that `pulumi` has selected."""
    if outputs_file is not None and stack_name is not None:
        raise typer.BadParameter("give one of --outputs and --stack, not both", param_hint="--stack")
    if outputs_file is not None:
        return _stack(outputs.from_file(outputs_file))
    local = LocalSystem()
    if stack_name is None and local.stack_file.exists() and local.running():
        return _stack(outputs.from_file(local.stack_file))
    return Stack(outputs.from_pulumi(stack_name))


def _stack(content: dict[str, Any]) -> Stack:
    return Stack(content["outputs"], local=content) if "endpoint_url" in content else Stack(content)
