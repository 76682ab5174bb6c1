"""A run is ended before and after each of its AWS calls, and inside its stream; nothing is lost, doubled or changed.

And each file is told on the bus, whatever happened: the ledger's own stream does that.
"""

import csv
import dataclasses
import gzip
import hashlib
import io
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from referral_delivery.delivery.backfill import backfill
from referral_delivery.delivery.lease import LEASE_SECONDS
from referral_delivery.delivery.report import Status
from referral_delivery.delivery.resend import resend
from referral_delivery.ledger.records import Delivery
from referral_delivery.watch.events import FileAvailable
from referral_delivery.window import Window
from referralctl.stacks import Stack
from tests.attack.child import DIED
from tests.attack.told import Told
from tests.pgp import decrypted, recipient, secret_key
from tests.stack.conftest import Lab, sweep
from tests.support import utc

pytestmark = [pytest.mark.attack, pytest.mark.ledger]

CHILD = Path(__file__).parent / "child.py"
NOT_OURS = b"not ours"
LEASE = timedelta(seconds=LEASE_SECONDS + 1)
DUE, LATER = utc("2026-11-20 10:00"), utc("2026-11-20 11:00")
WINDOW = Window(utc("2026-11-19 00:00"), utc("2026-11-20 00:00"))
KEY = secret_key()
ENCRYPTED = {"file": {"compression": "gzip", "pgp": {"recipients": [recipient(KEY).model_dump(mode="json")]}}}
# Enough for several parts of an upload and several blocks of the stream.
MANY = [f"many-{number:06d}-{'x' * 90}" for number in range(100_000)]


@dataclass(frozen=True)
class Scenario:
    """What is run, what the lake holds for it, and what was done before."""

    occasion: str = "scheduled"
    contract: dict[str, Any] = field(default_factory=dict)
    many: bool = False
    late: bool = False
    empty: bool = False
    delivered_before: bool = False
    died_before: dict[str, int] | None = None
    swept: bool = False
    name_is_taken: bool = False
    objects_a_run: int | None = None
    contract_changes: bool = False


SCENARIOS = {
    "a plain file of several parts": Scenario(many=True),
    "gzip with a manifest and late referrals": Scenario(
        contract={"file": {"compression": "gzip", "manifest": True}}, late=True
    ),
    "an empty window that is skipped": Scenario(contract={"file": {"when_empty": "skip"}}, empty=True),
    "a run that finishes a sealed delivery": Scenario(
        contract={"file": {"manifest": True}}, died_before={"after_call": 9}
    ),
    "a run that follows one that died before its seal": Scenario(died_before={"after_call": 7}),
    "a sealed delivery whose upload is gone": Scenario(died_before={"after_call": 9}, swept=True),
    "a file whose name is taken": Scenario(contract={"file": {"manifest": True}}, name_is_taken=True),
    "several deliveries in one run": Scenario(objects_a_run=1),
    "a contract that changes before the next run": Scenario(contract_changes=True),
    "a resend": Scenario(occasion="resend", delivered_before=True),
    "an encrypted file": Scenario(contract=ENCRYPTED),
    "a run that finishes a sealed encrypted delivery": Scenario(contract=ENCRYPTED, died_before={"after_call": 9}),
    "an encrypted delivery whose upload is gone": Scenario(
        contract=ENCRYPTED, died_before={"after_call": 9}, swept=True
    ),
    "a resend of an encrypted file": Scenario(occasion="resend", contract=ENCRYPTED, delivered_before=True),
    "a backfill": Scenario(occasion="backfill", contract={"deliver_from": "2026-11-20", "file": {"manifest": True}}),
}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The referrals of MANY as Parquet."""
    path = tmp_path_factory.mktemp("many") / "many.parquet"
    rows = f"SELECT printf('many-%06d-%s', i, repeat('x', 90)) AS referral_id FROM range({len(MANY)}) r(i)"
    with duckdb.connect() as con:
        stamped = f"SELECT *, TIMESTAMP '2026-11-20 09:30:00' AS received_at FROM ({rows})"
        con.execute(f"COPY ({stamped}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


@pytest.fixture(scope="module")
def children(stack: Stack) -> Iterator["subprocess.Popen[str]"]:
    """The process that forks a child for each line."""
    endpoints = [client.meta.endpoint_url for client in (stack.s3, stack.dynamodb)]
    command = [sys.executable, str(CHILD), "ap-southeast-2", *endpoints]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


@dataclass
class Attack:
    """One client, prepared for a scenario, and what its lake holds."""

    lab: Lab
    scenario: Scenario
    referrals: list[str]
    children: "subprocess.Popen[str]"
    aborts: int = 0

    def child(self, end: dict[str, int], *, owner: str = "first") -> dict[str, Any] | None:
        """Run in a child, ended as `end` says; None where it was."""
        asked = {
            **{name: self.lab.stack[name] for name in ("ledger_table", "lake_bucket", "delivery_bucket")},
            "contract": self.contract.model_dump(mode="json"),
            "occasion": self.scenario.occasion,
            "due": DUE.isoformat(),
            "window": [WINDOW.start.isoformat(), WINDOW.end.isoformat()],
            "now": self.lab.now.isoformat(),
            "objects_a_run": self.scenario.objects_a_run,
            "owner": owner,
            **end,
        }
        assert self.children.stdin
        assert self.children.stdout
        self.children.stdin.write(json.dumps(asked) + "\n")
        self.children.stdin.flush()
        counted: dict[str, Any] = json.loads(self.children.stdout.readline())
        # DuckDB was once seen to abort in a process of many threads: an end like any other, but one that is told.
        self.aborts += counted.get("exit") == -signal.SIGABRT
        assert counted.get("exit") in (None, DIED, -signal.SIGABRT), counted
        return None if "exit" in counted else counted

    @property
    def contract(self) -> Any:
        return self.lab.contract(**self.scenario.contract)

    def recover(self) -> None:
        """Run again after the lease's end, twice, looking at every file each time."""
        seen = self.lab.files()
        for _ in range(2):
            self.lab.now += LEASE
            self._run_again()
            now = self.lab.files()
            assert {name: now[name] for name in seen} == seen, "a visible file changed"
            seen = now

    def _run_again(self) -> None:
        exporter = self.lab.exporter
        match self.scenario.occasion:
            case "resend":
                report = resend(
                    exporter.ledger, exporter.writer, self.lab.client, 1, request=uuid.uuid4().hex, now=exporter.now
                )
                assert report.status in (Status.RESENT, Status.RESENT_ENCRYPTED)
            case "backfill":
                backfill(
                    exporter.ledger, exporter.writer, self.contract, WINDOW, overlap=False, run="run", now=exporter.now
                )
            case _:
                changed = {"attributes": ["referral_id", "received_at"]} if self.scenario.contract_changes else {}
                self.lab.deliver(self.lab.contract(**self.scenario.contract | changed), due=LATER)

    def events(self) -> dict[str, str]:
        """The names of all files that the ledger has, by the ids under which they are to be told."""
        ledger, client = self.lab.ledger, self.lab.client
        made = [*ledger.deliveries(client), *(each for each in ledger.backfills(client) if isinstance(each, Delivery))]
        return {(event := FileAvailable.of(each)).id: event.file for each in made if each.key}

    def check(self) -> None:
        """Nothing lost, nothing doubled, no gap, and the ledger agrees."""
        files = {name: body for name, body in self.lab.files().items() if not name.endswith(".manifest.json")}
        if self.scenario.name_is_taken:
            assert files.pop(f"referrals_{self.lab.client}_20261120T100000Z_000001.csv") == NOT_OURS
        recorded = self.lab.ledger.deliveries(self.lab.client)
        made = [each for each in recorded if each.key]
        if self.scenario.occasion == "backfill":
            made = [each for each in self.lab.ledger.backfills(self.lab.client) if isinstance(each, Delivery)]
        else:
            assert [each.sequence for each in made] == list(range(1, len(made) + 1))
        numbered = {str(each.key).rsplit("/", 1)[1]: each for each in made}
        assert sorted(identity for name in numbered for identity in _identities(files[name])) == self.referrals
        for name, delivery in numbered.items():
            body = files[name]
            assert (delivery.size_bytes, delivery.sha256) == (len(body), hashlib.sha256(body).hexdigest())
            assert delivery.rows == len(_identities(body))
        copies = set(files) - set(numbered)
        assert (not copies) or self.scenario.occasion == "resend"
        for copy in copies:
            assert _plain(files[copy]) == next(iter(_plain(files[name]) for name in numbered))
        if self.scenario.contract.get("file", {}).get("manifest"):
            manifests = {name for name in self.lab.files() if name.endswith(".manifest.json")}
            assert manifests == {f"{name}.manifest.json" for name in numbered}


@pytest.fixture(scope="module")
def told(stack: Stack, request: pytest.FixtureRequest) -> Told | None:
    """What is told on the bus; nothing is where the ledger is DynamoDB Local's, whose stream nobody reads."""
    return None if request.config.getoption("reference") else Told(stack)


@pytest.fixture
def prepared(lab: Lab, many: bytes, children: "subprocess.Popen[str]") -> Callable[[Scenario], Attack]:
    """Prepares a fresh client for a scenario."""

    def prepare(scenario: Scenario) -> Attack:
        mine = dataclasses.replace(lab, client=f"lab-{uuid.uuid4().hex[:12]}", now=utc("2026-11-20 12:00"))
        referrals = ["a", "b"]
        if scenario.occasion == "backfill":
            mine.put_referrals("2026-11-19 09", "a", "b")
        elif scenario.empty:
            referrals = []
            mine.put_referrals("2026-11-20 12", "after-the-window")
        else:
            mine.put_referrals("2026-11-20 08", "a", "b")
        if scenario.late:
            mine.deliver(mine.contract(**scenario.contract), due=utc("2026-11-20 09:00"))
            mine.put_referrals("2026-11-20 07", "late")
            referrals = ["a", "b", "late"]
        if scenario.many:
            mine.put("2026-11-20 09", many)
            referrals = sorted(["a", "b", *MANY])
        if scenario.objects_a_run:
            for name in ("c", "d"):
                mine.put_referrals("2026-11-20 09", name)
            referrals += ["c", "d"]
        attack = Attack(mine, scenario, referrals, children)
        if scenario.delivered_before:
            mine.deliver(attack.contract, due=DUE)
        if scenario.died_before:
            assert attack.child(scenario.died_before, owner="zeroth") is None
            mine.now += LEASE
        if scenario.swept:
            sweep(mine)
        if scenario.name_is_taken:
            key = f"downloads/{mine.client}/referrals_{mine.client}_20261120T100000Z_000001.csv"
            mine.stack.s3.put_object(Bucket=mine.stack["delivery_bucket"], Key=key, Body=NOT_OURS)
        return attack

    return prepare


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
@pytest.mark.parametrize("moment", ["before_call", "after_call", "block"])
def test_a_run_that_is_ended_anywhere_loses_doubles_and_changes_nothing(
    scenario: Scenario,
    moment: str,
    prepared: Callable[[Scenario], Attack],
    told: Told | None,
    record_property: Callable[[str, object], None],
) -> None:
    clean = prepared(scenario)
    counted = clean.child({})
    assert counted is not None
    clean.recover()
    clean.check()
    moments = counted["blocks"] if moment == "block" else counted["calls"]

    aborts, expected, clients = 0, clean.events(), [clean.lab.client]
    for number in range(1, moments + 1):
        attack = prepared(scenario)
        assert attack.child({moment: number}) is None, "the run was not ended"
        attack.recover()
        attack.check()
        aborts += attack.aborts
        expected |= attack.events()
        clients.append(attack.lab.client)
    if told:
        told.wait_for(expected)
        assert told.unexpected(expected, clients) == {}
        record_property("events told", len(expected))
    record_property("crashes", moments)
    if aborts:
        record_property("runs that aborted by themselves", aborts)


def _identities(body: bytes) -> list[str]:
    body = _plain(body)
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    return [row[0] for row in csv.reader(io.StringIO(text.decode(), newline=""))][1:]


def _plain(body: bytes) -> bytes:
    """A file as it was before it was encrypted; an OpenPGP message begins with a byte that no text does."""
    return decrypted(body, KEY) if body[:1] >= b"\x80" else body
