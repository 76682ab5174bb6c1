"""Notices, from the ledger's stream and the watch to SES and to a client's own server."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from referralctl.local_system import LocalSystem, session
from referralctl.stacks import Stack
from tests.stack.conftest import Lab, wait_for
from tests.support import write_client

SENDER, SECRET = "files@platform.example", "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
FILES, CONTACT = "files@acme.example", "crm@acme.example"


@dataclass
class Told:
    """A stack whose clients want to be told, and what they have been told."""

    system: dict[str, Any]
    stack: Stack

    def client(self, service: str) -> Any:
        """A client of the stack's AWS."""
        return session(self.system).client(service, endpoint_url=self.system["endpoint_url"])

    def mails(self, to: str) -> list[dict[str, Any]]:
        """What SES has sent to an address."""
        with urllib.request.urlopen(f"{self.system['endpoint_url']}/_ministack/ses/messages") as answer:
            found = json.load(answer)
        return [each for each in _listed(found) if to in each["To"]]

    def lab(self, client: str) -> Lab:
        """Deliveries of one client."""
        return Lab(self.stack, client, session(self.system), now=datetime.now(UTC).replace(microsecond=0))


def _listed(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, dict):
        return [found] if "Subject" in found else [each for value in found.values() for each in _listed(value)]
    return [each for value in found for each in _listed(value)] if isinstance(found, list) else []


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A stack of its own, whose sender SES knows."""
    folder = tmp_path_factory.mktemp("told")
    later = {"at": [f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"]}
    common = {"schedule": later, "contact": CONTACT, "attributes": ["referral_id"]}
    webhook = {"url": "https://127.0.0.1/hook", "secret_parameter": "/referrals/hooked/webhook"}
    mail = {"to": FILES, "on": ["file_available", "file_late"]}
    write_client(folder / "clients", "mailed", notices={"email": mail}, **common)
    write_client(folder / "clients", "hooked", notices={"webhook": webhook}, **common)
    write_client(folder / "clients", "silent", **common)
    local = LocalSystem(folder / "local", {"notice_sender": SENDER})
    try:
        system = local.up(folder / "clients")
        made = Told(system, Stack(system["outputs"], local=system))
        made.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        yield made
    finally:
        local.down()


def test_a_delivered_file_is_mailed_to_who_asked_for_it_and_to_nobody_else(told: Told) -> None:
    for client in ("silent", "mailed"):
        lab = told.lab(client)
        hour = f"{lab.now - timedelta(hours=1):%Y-%m-%d %H}"
        lab.put_referrals(hour, "person@customer.example")
        lab.deliver(told.stack.entry(client).contract, due=lab.now)
    (mail,) = wait_for(lambda: told.mails(FILES), seconds=90, what="the mail")
    (name,) = told.lab("mailed").csv_files()
    assert (mail["Source"], mail["To"], mail["Subject"]) == (SENDER, [FILES], f"Referral file {name} is there")
    for body in (mail["BodyText"], mail["BodyHtml"]):
        assert name in body
        assert "at least 14 days" in body
        assert "customer.example" not in body
    assert told.mails(CONTACT) == []


def test_a_test_says_what_each_channel_answered(told: Told, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from referralctl.main import app

    outputs = tmp_path / "stack.json"
    outputs.write_text(json.dumps(told.system))

    def said(client: str, *options: str) -> tuple[int, list[dict[str, Any]]]:
        done = CliRunner().invoke(app, ["notices", "test", client, *options, "--outputs", str(outputs), "--json"])
        print(done.stdout, done.stderr)
        return done.exit_code, json.loads(done.stdout)

    code, channels = said("mailed", "--channel", "mail")
    assert (code, [(each["channel"], each["arrived"], each["to"]) for each in channels]) == (0, [("mail", True, FILES)])
    assert "Test notice for mailed" in {mail["Subject"] for mail in told.mails(FILES)}
    code, (unsigned,) = said("hooked", "--channel", "webhook")
    assert (code, unsigned["arrived"]) == (1, False)
    assert unsigned["said"].startswith("/referrals/hooked/webhook: the signing secret could not be read (ParameterNotF")
    told.client("ssm").put_parameter(Name="/referrals/hooked/webhook", Value=SECRET, Type="SecureString")
    code, (refused,) = said("hooked", "--channel", "webhook")
    assert (code, refused["arrived"]) == (1, False)
    assert refused["said"] == "127.0.0.1: resolves to 127.0.0.1, which is no public address; nothing was sent"
    assert said("silent", "--channel", "webhook") == (1, [])
