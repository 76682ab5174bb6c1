"""AWS fails, once or for good, at each operation of a delivery.

microburst stands between the code and the emulator. It knows neither UploadPart nor CompleteMultipartUpload, and has no
answer without a body to lose: for these, botocore's own event hooks.
"""

import hashlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Request, Status
from referral_delivery.file.upload import Uploads
from referral_delivery.file.writer import FileWriter
from referral_delivery.handlers.export import CLIENT_CONFIG
from referral_delivery.lake import connection
from referral_delivery.lake.objects import Lake
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.table import Ledger
from tests.stack.conftest import FASTER, Lab, wait_for
from tests.support import utc

pytestmark = pytest.mark.attack

DUE = utc("2026-11-20 10:00")
OPERATIONS = [
    ("dynamodb", "UpdateItem"),
    ("dynamodb", "Query"),
    ("dynamodb", "TransactWriteItems"),
    ("s3", "ListObjectsV2"),
    ("s3", "GetObject"),
    ("s3", "CreateMultipartUpload"),
    ("s3", "UploadPart"),
    ("s3", "CompleteMultipartUpload"),
    ("s3", "PutObject"),
]
CODES = {
    "throttled": {"s3": ("SlowDown", 503), "dynamodb": ("ProvisionedThroughputExceededException", 400)},
    "failing": {"s3": ("InternalError", 500), "dynamodb": ("InternalServerError", 500)},
    "expired credentials": {"s3": ("ExpiredToken", 400), "dynamodb": ("ExpiredTokenException", 400)},
}
PASSING = ("throttled", "failing", "timeout", "reset", "lost answer")


@dataclass(frozen=True)
class Proxy:
    """A running microburst."""

    url: str

    def rules(self, *rules: dict[str, Any]) -> None:
        """Replace all rules."""
        self._ask("/_microburst/rules", "POST", list(rules))

    def fired(self) -> int:
        """How many faults were made since the last call."""
        found = self._ask("/_microburst/fired", "GET")
        self._ask("/_microburst/fired", "DELETE")
        return len(found)

    def _ask(self, path: str, method: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture(scope="module")
def proxy(system: dict[str, Any]) -> Iterator[Proxy]:
    """microburst before this worker's emulator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "microburst", "--host", "127.0.0.1", "-p", str(port), "-u", system["endpoint_url"]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        made = Proxy(f"http://127.0.0.1:{port}")

        def answers() -> bool:
            try:
                made._ask("/_microburst/health", "GET")
            except OSError:
                return False
            return True

        wait_for(answers, seconds=30, what="microburst")
        yield made
        process.terminate()


def rule(service: str, operation: str, fault: str, times: int | None) -> dict[str, Any]:
    effect: dict[str, Any]
    match fault:
        case "timeout":
            effect = {"timeout_ms": 200}
        case "reset":
            effect = {"reset": True}
        case "lost answer":
            effect = {"response": {"abort_bytes": 0}}
        case _:
            code, status = CODES[fault][service]
            effect = {"error": {"code": code, "status": status}}
    return {"service": service, "operation": operation, **effect} | ({"times": times} if times else {})


class _Body:
    """A response's body, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


@dataclass
class Faults:
    """Delivers through the proxy, with the function's own retries, and makes one kind of fault."""

    lab: Lab
    proxy: Proxy
    hooked: int = 0

    def run(self, service: str, operation: str, fault: str, *, times: int | None) -> Any:
        """Deliver while the fault is there; `times` None means that it stays."""
        clients = {
            name: self.lab.session.client(name, endpoint_url=self.proxy.url, config=CLIENT_CONFIG)
            for name in ("s3", "dynamodb")
        }
        self.proxy.fired()
        self.hooked = 0
        if operation in ("UploadPart", "CompleteMultipartUpload") or (operation, fault) == ("PutObject", "lost answer"):
            clients[service].meta.events.register_first(
                f"before-send.{service}.{operation}", lambda request, **_: self._hook(request, fault, times)
            )
        else:
            self.proxy.rules(rule(service, operation, fault, times))
        try:
            return self._exporter(clients).run(
                Request(
                    contract=self.lab.contract(file={"manifest": True}),
                    occasion=Occasion.SCHEDULED,
                    due=DUE,
                    owner="first",
                    seconds_left=lambda: 900.0,
                )
            )
        finally:
            self.proxy.rules()

    def made(self) -> int:
        """How many faults the last run met."""
        return self.hooked + self.proxy.fired()

    def _hook(self, request: Any, fault: str, times: int | None) -> AWSResponse | None:
        if times is not None and self.hooked >= times:
            return None
        self.hooked += 1
        match fault:
            case "timeout":
                raise ReadTimeoutError(endpoint_url=request.url)
            case "reset":
                raise ConnectionClosedError(endpoint_url=request.url)
            case "lost answer":
                URLLib3Session().send(request)
                raise ConnectionClosedError(endpoint_url=request.url)
        code, status = CODES[fault]["s3"]
        return AWSResponse(request.url, status, HTTPHeaders(), _Body(f"<Error><Code>{code}</Code></Error>".encode()))

    def _exporter(self, clients: dict[str, Any]) -> Exporter:
        credentials = self.lab.session.get_credentials()
        assert credentials is not None
        return Exporter(
            ledger=Ledger(clients["dynamodb"], self.lab.stack["ledger_table"]),
            writer=FileWriter(
                lake=Lake(clients["s3"], self.lab.stack["lake_bucket"]),
                uploads=Uploads(clients["s3"], self.lab.stack["delivery_bucket"]),
                connect=lambda: connection.connect(
                    endpoint_url=self.proxy.url,
                    region="ap-southeast-2",
                    bucket=self.lab.stack["lake_bucket"],
                    credentials=credentials.get_frozen_credentials(),
                    memory_mb=1_769,
                ),
            ),
            pace=Pace.of(1_769),
            clock=lambda: self.lab.now.timestamp(),  # noqa: PLW0108 - the test moves `now`
            sleep=lambda seconds: time.sleep(seconds / FASTER),
        )


@pytest.fixture
def faults(lab: Lab, proxy: Proxy) -> Faults:
    """Makes faults for this test's client."""
    return Faults(lab, proxy)


def check(lab: Lab) -> None:
    files = lab.files()
    name = f"referrals_{lab.client}_20261120T100000Z_000001.csv"
    assert set(files) == {name, f"{name}.manifest.json"}
    assert files[name] == b"referral_id\na\nb\n"
    (recorded,) = lab.ledger.deliveries(lab.client)
    assert (recorded.rows, recorded.sha256) == (2, hashlib.sha256(files[name]).hexdigest())
    assert "pending" not in lab.cursor()


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_fault_that_passes_is_not_noticed(
    faults: Faults, service: str, operation: str, fault: str, record_property: Any
) -> None:
    faults.lab.put_referrals("2026-11-20 09", "a", "b")
    report = faults.run(service, operation, fault, times=1)
    assert report.status is Status.DELIVERED
    assert faults.made() == 1
    check(faults.lab)
    record_property("faults", 1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["throttled", "lost answer", "expired credentials"])
@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_fault_that_stays_fails_the_run_and_the_next_one_finishes_it(
    faults: Faults, service: str, operation: str, fault: str, record_property: Any
) -> None:
    lab = faults.lab
    lab.put_referrals("2026-11-20 09", "a", "b")
    with pytest.raises(Exception):  # noqa: B017, PT011 - botocore's or DuckDB's, as it was raised
        faults.run(service, operation, fault, times=None)
    made = faults.made()
    assert made > 0
    seen = lab.files()
    lab.now += timedelta(seconds=931)
    lab.deliver(lab.contract(file={"manifest": True}), due=DUE)
    assert seen.items() <= lab.files().items()
    check(lab)
    record_property("faults", made)
