"""A local system of this worker's own, and a laboratory that drives deliveries in it."""

import json
import os
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from infra import PROJECT_FOLDER
from local_aws.emulator import ACCOUNT_ID
from local_aws.sftp import SftpSession, require_openssh, write_known_hosts
from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Report, Request
from referral_delivery.file.upload import DOWNLOADS, Uploads
from referral_delivery.file.writer import FileWriter
from referral_delivery.lake import connection
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.table import Ledger
from referralctl.local_system import LocalSystem, session
from referralctl.main import app
from referralctl.stacks import Stack
from tests.reference import dynamodb_local
from tests.reference.ledger import moved
from tests.support import contract, host_key_pem, parquet, utc, write_client

CLIENTS = ("acme", "globex", "initech")
# Deployed clients that are not due while the tests run; a test takes one that no other has.
MEMORY_MB = 1_769
# A run that looks at another's lease every five seconds does so twenty times a second in the tests.
FASTER = 100
QUIET = tuple(f"quiet-{number:02d}" for number in range(32))


@pytest.fixture(scope="session")
def host_key() -> str:
    """The private key that the SFTP server is given; of another type than the one that the emulator would make."""
    return host_key_pem("ecdsa")


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, host_key: str) -> Iterator[dict[str, Any]]:
    """stack.json of a running local system with three clients, due every minute; LOCAL_SYSTEM names one that is up."""
    if up := os.environ.get("LOCAL_SYSTEM"):
        yield json.loads(Path(up).read_text(encoding="utf-8"))
        return
    folder = tmp_path_factory.mktemp("system")
    for name in CLIENTS:
        every_day = {"days_of_month": "1-30, last"} if name == CLIENTS[-1] else {}
        schedule = {"every": "1m"} | every_day
        write_client(folder / "clients", name, schedule=schedule, attributes=["referral_id", "email"])
    later = f"{(datetime.now(UTC) + timedelta(hours=12)):%H:%M}"
    for name in QUIET:
        attributes, file = ["referral_id", "source"], {"manifest": True}
        write_client(folder / "clients", name, schedule={"at": [later]}, attributes=attributes, file_=file)
    local = LocalSystem(folder / "local", {"sftp_host_key": host_key})
    try:
        yield local.up(folder / "clients")
    finally:
        local.down()


@pytest.fixture(scope="session")
def stack(
    system: dict[str, Any], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The deployed stack; with `--reference`, its ledger is in a DynamoDB Local of its own."""
    deployed = Stack(system["outputs"], local=system)
    if not request.config.getoption("reference"):
        yield deployed
        return
    with dynamodb_local.running(tmp_path_factory.mktemp("dynamodb") / "dynamodb.log") as endpoint_url:
        yield moved(deployed, endpoint_url)


@dataclass
class Lab:
    """Deliveries of one client that no other test uses, with the clock under the test's control."""

    stack: Stack
    client: str
    session: boto3.Session
    now: datetime = field(default_factory=lambda: utc("2026-11-20 12:00"))

    def contract(self, **changed: Any) -> Contract:
        """The client's contract."""
        return contract(self.client, **changed)

    def put(self, hour: str, rows: Sequence[Mapping[str, Any]] | bytes, types: Mapping[str, str] | None = None) -> str:
        """Put an object into the lake's hour (`2026-11-20 05`); the answer is its key."""
        day, _, number = hour.partition(" ")
        key = f"{self.stack.lake.client_prefix(self.client)}/dt={day}/hr={number}/{uuid.uuid4().hex}.parquet"
        body = rows if isinstance(rows, bytes) else parquet(rows, types)
        self.stack.s3.put_object(Bucket=self.stack["lake_bucket"], Key=key, Body=body)
        return key

    def put_referrals(self, hour: str, *identities: str, minute: int = 0) -> str:
        """Put referrals with these ids, stamped at a minute of the hour."""
        stamp = f"{hour}:{minute:02d}:00"
        return self.put(hour, [{"referral_id": identity, "received_at": stamp} for identity in identities])

    def put_sources(self, hour: str, *identities: str) -> str:
        """Put referrals with these ids and a source, stamped on the hour; the answer is the object's key."""
        stamp = f"{hour}:00:00"
        return self.put(hour, [{"referral_id": each, "source": "site", "received_at": stamp} for each in identities])

    def deliver(
        self, contract: Contract | None = None, *, due: datetime | None = None, owner: str = "", **told: Any
    ) -> Report:
        """Run the function's code here, at the test's time; `told` are further fields of its Request."""
        asked = {"contract": contract or self.contract(), "occasion": Occasion.SCHEDULED, "due": due}
        return self.exporter.run(
            Request(**{**asked, "owner": owner or uuid.uuid4().hex, "seconds_left": lambda: 900.0, **told})
        )

    @cached_property
    def exporter(self) -> Exporter:
        """The function's code, on the emulator, with the account's own access."""
        credentials = self.session.get_credentials()
        assert credentials is not None
        return Exporter(
            ledger=self.ledger,
            writer=FileWriter(
                lake=self.stack.lake,
                uploads=Uploads(self.stack.s3, self.stack["delivery_bucket"]),
                connect=lambda: connection.connect(
                    endpoint_url=self.stack.s3.meta.endpoint_url,
                    region="ap-southeast-2",
                    bucket=self.stack["lake_bucket"],
                    credentials=credentials.get_frozen_credentials(),
                    memory_mb=MEMORY_MB,
                ),
            ),
            pace=Pace.of(MEMORY_MB),
            clock=lambda: self.now.timestamp(),  # noqa: PLW0108 - the test moves `now`
            sleep=lambda seconds: time.sleep(seconds / FASTER),
        )

    @cached_property
    def ledger(self) -> Ledger:
        """The stack's ledger."""
        return Ledger(self.stack.dynamodb, self.stack["ledger_table"])

    def invoke(self, event: ExportEvent | Mapping[str, Any]) -> dict[str, Any]:
        """Invoke the deployed function; the answer is its report, or its error."""
        payload = event.model_dump_json() if isinstance(event, ExportEvent) else json.dumps(event)
        answer = self.stack.functions.invoke(FunctionName=self.stack["function_name"], Payload=payload.encode())
        body: dict[str, Any] = json.loads(answer["Payload"].read())
        return body

    def files(self) -> dict[str, bytes]:
        """What the client sees: names and contents of its files."""
        bucket, prefix = self.stack["delivery_bucket"], f"{DOWNLOADS}/{self.client}/"
        pages = self.stack.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ()) if entry["Key"] != prefix]
        return {
            key.removeprefix(prefix): self.stack.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys
        }

    def csv_files(self) -> dict[str, bytes]:
        """The client's files without their manifests."""
        return {name: content for name, content in self.files().items() if name.endswith(".csv")}

    def delivered(self) -> list[str]:
        """All delivered referral ids, from all files, sorted."""
        return sorted(line for content in self.files().values() for line in content.decode().splitlines()[1:])

    def cursor(self) -> dict[str, Any]:
        """The cursor's item, as DynamoDB holds it."""
        key = {"client": {"S": self.client}, "record": {"S": "cursor"}}
        answer = self.stack.dynamodb.get_item(TableName=self.stack["ledger_table"], Key=key, ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def uploads_in_progress(self) -> list[str]:
        """Upload ids that are neither completed nor aborted."""
        found = self.stack.s3.list_multipart_uploads(Bucket=self.stack["delivery_bucket"]).get("Uploads", [])
        return [upload["UploadId"] for upload in found if f"/{self.client}/" in upload["Key"]]


def sweep(lab: Lab) -> None:
    """Abort what the client's uploads have in progress, as the bucket's rule does after two days."""
    for upload in lab.stack.s3.list_multipart_uploads(Bucket=lab.stack["delivery_bucket"]).get("Uploads", []):
        if f"/{lab.client}/" in upload["Key"]:
            lab.exporter.writer.uploads.abort(upload["Key"], upload["UploadId"])


@pytest.fixture
def lab(stack: Stack, system: dict[str, Any]) -> Lab:
    """A laboratory with a client of its own."""
    return Lab(stack, f"lab-{uuid.uuid4().hex[:12]}", session(system))


@pytest.fixture(scope="session")
def _quiet_names() -> Iterator[str]:
    return iter(QUIET)


@pytest.fixture
def quiet(stack: Stack, system: dict[str, Any], _quiet_names: Iterator[str]) -> Lab:
    """A laboratory with a deployed client that is not due; the clock is the real one where the function runs."""
    return Lab(stack, next(_quiet_names), session(system))


def environment_of(stack: Stack, function: str) -> dict[str, str]:
    """A deployed function's environment, and what Lambda adds, with the account's own access."""
    assert stack.local is not None
    configured = stack.functions.get_function_configuration(FunctionName=function)
    credentials = session(stack.local).get_credentials()
    assert credentials is not None
    return configured["Environment"]["Variables"] | {
        "AWS_ENDPOINT_URL": stack.local["endpoint_url"],
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_DEFAULT_REGION": stack.local["region"],
    }


Command = Callable[..., Any]


@pytest.fixture
def command(system: dict[str, Any], tmp_path: Path) -> Command:
    """Runs a command with `--json`; its facts, or its message where it printed none."""
    outputs = tmp_path / "stack.json"
    outputs.write_text(json.dumps(system))

    def run(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--outputs", str(outputs), "--json"])
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return json.loads(done.stdout) if done.stdout else done.stderr

    return run


@pytest.fixture(scope="session")
def sftp(system: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes an SFTP session of a client: `sftp("acme")`, or with another private key."""
    require_openssh()
    host, port = system["sftp"]["host"], system["sftp"]["port"]
    known_hosts = write_known_hosts(host, port, tmp_path_factory.mktemp("ssh") / "known_hosts")

    def connect(client: str, key: Path | None = None) -> SftpSession:
        return SftpSession(host, port, client, key or Path(system["clients"][client]["private_key"]), known_hosts)

    return connect


def mails(system: dict[str, Any], to: str) -> list[dict[str, Any]]:
    """What SES has sent to an address, as the emulator lists it."""
    with urllib.request.urlopen(f"{system['endpoint_url']}/_ministack/ses/messages") as answer:
        sent: list[dict[str, Any]] = json.load(answer)["messages"].get(ACCOUNT_ID, [])
    return [each for each in sent if to in each["To"]]


def wait_for(condition: Any, *, seconds: float, what: str) -> Any:
    """The condition's value, once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.25)
    return value


@pytest.fixture
def eventually() -> Any:
    """Waits for a condition, with a deadline."""
    return wait_for


@pytest.fixture(scope="session")
def events() -> Path:
    """Folder of real events."""
    return PROJECT_FOLDER / "tests" / "events"
