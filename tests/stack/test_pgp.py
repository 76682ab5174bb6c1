"""Encrypted files, by the deployed function: signed, delivered once, made again, and never in plain."""

import dataclasses
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pysequoia import Cert, Tsk
from typer.testing import CliRunner

from referral_delivery.delivery.report import Status
from referral_delivery.delivery.resend import resend
from referral_delivery.errors import KeyExpired, SigningKeyUnusable
from referral_delivery.file.upload import Uploads
from referralctl.errors import LocalSystemError
from referralctl.local_system import LocalSystem, session
from referralctl.main import app
from referralctl.stacks import Stack
from tests.pgp import decrypted, later, recipient, secret_key
from tests.stack.conftest import Lab, sweep
from tests.stack.test_recovery import DUE, LEASE, Died, dying, run_until_death, with_part
from tests.support import write_client

ACME, NEW = secret_key(days=400), secret_key()
SECRET = "referrals/pgp-signing-key"  # its name
PGP = {"compression": "gzip", "manifest": True, "pgp": {"recipients": [recipient(ACME).model_dump(mode="json")]}}


@dataclasses.dataclass(frozen=True)
class Deployed:
    """A stack of its own with clients whose files are encrypted."""

    system: dict[str, Any]
    folder: Path

    @property
    def stack(self) -> Stack:
        return Stack(self.system["outputs"], local=self.system)

    def lab(self, client: str) -> Lab:
        return Lab(self.stack, client, session(self.system), now=datetime.now(UTC))

    def run(self, *arguments: str, code: int = 0) -> Any:
        """A command's facts, or what it said where it failed."""
        outputs = self.folder / "stack.json"
        outputs.write_text(json.dumps(self.system))
        done = CliRunner().invoke(app, [*arguments, "--outputs", str(outputs), "--json"])
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Clients signed and unsigned; nobody has made the signing key yet."""
    folder = tmp_path_factory.mktemp("pgp")
    for name, key in (("acme", ACME), ("acme-new", NEW)):
        (folder / "clients" / "keys").mkdir(parents=True, exist_ok=True)
        (folder / "clients" / "keys" / f"{name}.asc").write_text(str(key.extract_certificate()))
    common: dict[str, Any] = {
        "schedule": {"at": [f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"]},
        "attributes": ["referral_id", "source"],
    }
    both = {"recipients": "keys/acme.asc, keys/acme-new.asc", "sign": True}
    write_client(folder / "clients", "acme", file_={"compression": "gzip", "pgp": both}, **common)
    write_client(folder / "clients", "plain-name", file_={"pgp": {"recipients": "acme.asc"}}, **common)
    local = LocalSystem(folder / "local", {"pgp_signing_secret": SECRET})
    try:
        yield Deployed(local.up(folder / "clients"), folder)
    finally:
        local.down()


def test_the_signing_key_is_made_once_and_files_are_signed_with_it(deployed: Deployed) -> None:
    lab = deployed.lab("acme")
    lab.put_sources(f"{lab.now - timedelta(hours=1):%Y-%m-%d %H}", "a", "b")
    missing = deployed.run("deliver", "acme", code=1)
    assert "client acme, window" in missing
    assert f"found no secret '{SECRET}' in Secrets Manager" in missing
    assert "make it with `referralctl pgp make-signing-key`" in missing
    assert (lab.files(), lab.uploads_in_progress()) == ({}, [])
    assert deployed.run("pgp", "public-key", code=1).startswith("error: found no secret")

    assert deployed.run("pgp", "make-signing-key", "--dry-run")["would"].endswith(f"in the secret {SECRET}")
    made = deployed.run("pgp", "make-signing-key", "--user-id", "Files <files@platform.example>")
    assert deployed.run("pgp", "public-key") == made
    assert made["user_ids"] == ["Files <files@platform.example>"]
    refused = deployed.run("pgp", "make-signing-key", code=1)
    assert f"found a secret '{SECRET}' in Secrets Manager already; expected none, because clients verify" in refused
    assert deployed.run("pgp", "public-key") == made

    report = deployed.run("deliver", "acme")
    ((name, body),) = lab.files().items()
    assert name.endswith(".csv.gz.pgp")
    assert report["deliveries"][0]["sha256"] == hashlib.sha256(body).hexdigest()
    held = deployed.stack.secrets.get_secret_value(SecretId=SECRET)["SecretString"]
    signer = Tsk.from_bytes(held.encode())
    assert Cert.from_bytes(made["public_key"].encode()).fingerprint == signer.extract_certificate().fingerprint
    for key in (ACME, NEW):
        assert gzip.decompress(decrypted(body, key, signed_by=signer)) == b"referral_id,source\na,site\nb,site\n"


def test_a_preview_shows_what_is_encrypted_and_to_whom(deployed: Deployed) -> None:
    seen = deployed.run("preview", "acme")
    assert seen["file"].endswith(".csv.gz.pgp")
    assert (seen["encrypted_to"], seen["signed"]) == ([str(recipient(ACME)), str(recipient(NEW))], True)
    assert seen["lines"] == "referral_id,source\n"


def test_the_function_may_read_that_secret_and_no_other_function_any(deployed: Deployed) -> None:
    iam = session(deployed.system).client("iam", endpoint_url=deployed.system["endpoint_url"])
    functions = deployed.stack.functions.list_functions()["Functions"]
    account = deployed.system["outputs"]["function_arn"].split(":")[4]
    allowed = {}
    for function in functions:
        for name in (f"{SECRET}-AbCdEf", "referrals/other-AbCdEf", f"{SECRET}-2-AbCdEf"):
            arn = f"arn:aws:secretsmanager:{deployed.system['region']}:{account}:secret:{name}"
            decided = iam.simulate_principal_policy(
                PolicySourceArn=function["Role"], ActionNames=["secretsmanager:GetSecretValue"], ResourceArns=[arn]
            )["EvaluationResults"][0]["EvalDecision"]
            allowed[function["FunctionName"], name] = decided == "allowed"
    assert [each for each, may in allowed.items() if may] == [(deployed.stack["function_name"], f"{SECRET}-AbCdEf")]


def test_a_resend_holds_what_is_inside_against_the_record_and_says_so(deployed: Deployed) -> None:
    lab = deployed.lab("plain-name")
    lab.put_sources(f"{lab.now - timedelta(hours=1):%Y-%m-%d %H}", "a")
    deployed.run("deliver", "plain-name")
    ((name, first),) = lab.files().items()
    report = deployed.run("resend", "plain-name", "1")
    assert report["status"] == "resent_encrypted"
    again = lab.files()[name.replace(".csv", "_r2.csv")]
    assert again != first
    assert decrypted(again, ACME) == decrypted(first, ACME)
    assert report["deliveries"][0]["sha256"] == hashlib.sha256(again).hexdigest()
    (delivery,) = deployed.run("deliveries", "plain-name")
    assert [each["sha256"] for each in delivery["resends"]] == [report["deliveries"][0]["sha256"]]


@pytest.fixture
def encrypting(lab: Lab) -> Callable[..., Lab]:
    """A laboratory whose client's file is encrypted, at a moment of the keys' clock."""

    def at(days: int = 0) -> Lab:
        healthy = lab.exporter
        writer = dataclasses.replace(healthy.writer, now=lambda: later(days))
        lab.__dict__["exporter"] = dataclasses.replace(healthy, writer=writer)
        return lab

    return at


def test_a_sealed_file_is_completed_by_the_very_same_upload(encrypting: Callable[..., Lab]) -> None:
    lab = encrypting()
    lab.put_referrals("2026-11-20 08", "a")
    run_until_death(lab, Uploads, "complete", before=True, contract=lab.contract(file=PGP))
    (upload,) = lab.uploads_in_progress()
    sealed = lab.cursor()["pending"]
    lab.now += LEASE
    # Keys that have expired since do not matter: the file is encrypted already.
    encrypting(401)
    report = lab.deliver(lab.contract(file=PGP), due=DUE)
    assert report.status is Status.DELIVERED
    assert (lab.uploads_in_progress(), upload in str(sealed)) == ([], True)
    bodies = {name: body for name, body in lab.files().items() if name.endswith(".pgp")}
    (body,) = bodies.values()
    assert gzip.decompress(decrypted(body, ACME)) == b"referral_id\na\n"
    (delivery,) = lab.ledger.deliveries(lab.client)
    assert delivery.sha256 == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("tried_before", [False, True])
def test_a_sealed_file_whose_upload_is_gone_and_key_has_expired_is_delivered_to_the_key_of_today(
    encrypting: Callable[..., Lab], tried_before: bool
) -> None:
    lab = encrypting()
    lab.put_referrals("2026-11-20 08", "a")
    run_until_death(lab, Uploads, "complete", before=True, contract=lab.contract(file=PGP))
    sweep(lab)
    lab.now += LEASE
    encrypting(401)
    said: list[str] = []
    if tried_before:
        with pytest.raises(KeyExpired):
            lab.deliver(lab.contract(file=PGP), due=DUE, taken_back=lambda _, why: said.append(why))
        assert "nothing can be encrypted to its recipients any more" in said[0]
    new = PGP | {"pgp": {"recipients": [recipient(NEW).model_dump(mode="json")]}}
    lab.deliver(lab.contract(file=new), due=DUE, taken_back=lambda _, why: said.append(why))
    (body,) = [body for name, body in lab.files().items() if name.endswith(".pgp")]
    assert gzip.decompress(decrypted(body, NEW)) == b"referral_id\na\n"
    assert len(said) == tried_before


def test_an_expired_key_fails_the_delivery_loudly_and_nothing_of_it_is_there(encrypting: Callable[..., Lab]) -> None:
    lab = encrypting(401)
    lab.put_referrals("2026-11-20 08", "a")
    with pytest.raises(
        KeyExpired, match=rf"^client {lab.client}, window .*: the PGP key {recipient(ACME).fingerprint}"
    ):
        lab.deliver(lab.contract(file=PGP), due=DUE)
    assert (lab.files(), lab.uploads_in_progress()) == ({}, [])
    encrypting(0)
    lab.deliver(lab.contract(file=PGP), due=DUE)
    assert any(name.endswith(".csv.gz.pgp") for name in lab.files())


def test_a_file_that_is_to_be_signed_and_cannot_be_is_not_written(encrypting: Callable[..., Lab]) -> None:
    lab = encrypting()
    lab.put_referrals("2026-11-20 08", "a")
    signed = PGP | {"pgp": PGP["pgp"] | {"sign": True}}  # type: ignore[operator]
    with pytest.raises(SigningKeyUnusable, match="found no pgp_signing_secret in this stack's settings"):
        lab.deliver(lab.contract(file=signed), due=DUE)
    assert (lab.files(), lab.uploads_in_progress()) == ({}, [])


def test_an_old_delivery_is_sent_again_to_the_keys_of_today(encrypting: Callable[..., Lab]) -> None:
    lab = encrypting()
    lab.put_referrals("2026-11-20 08", "a")
    lab.deliver(lab.contract(file=PGP), due=DUE)
    lab = encrypting(401)
    today = lab.contract(file={"pgp": {"recipients": [recipient(NEW).model_dump(mode="json")]}}).file.pgp
    exporter = lab.exporter
    report = resend(exporter.ledger, exporter.writer, lab.client, 1, request="x", now=exporter.now, pgp=today)
    assert report.status is Status.RESENT_ENCRYPTED
    body = next(body for name, body in lab.files().items() if name.endswith("_r2.csv.gz.pgp"))
    assert gzip.decompress(decrypted(body, NEW)) == b"referral_id\na\n"


def test_a_resend_that_died_after_it_was_visible_records_the_bytes_that_are_there(
    encrypting: Callable[..., Lab],
) -> None:
    lab = encrypting()
    lab.put_referrals("2026-11-20 08", "a")
    lab.deliver(lab.contract(file=PGP), due=DUE)
    dead = with_part(lab, dying(lab.exporter.writer.uploads, "complete", before=False))
    with pytest.raises(Died):
        resend(dead.ledger, dead.writer, lab.client, 1, request="x", now=dead.now)
    report = resend(lab.ledger, lab.exporter.writer, lab.client, 1, request="x", now=lab.exporter.now)
    body = lab.files()[str(report.deliveries[0].key).rsplit("/", 1)[1]]
    assert (report.deliveries[0].sha256, report.deliveries[0].size_bytes) == (
        hashlib.sha256(body).hexdigest(),
        len(body),
    )
    manifest = json.loads(lab.files()[str(report.deliveries[0].key).rsplit("/", 1)[1] + ".manifest.json"])
    assert (manifest["sha256"], manifest["bytes"]) == (report.deliveries[0].sha256, len(body))


def test_a_client_that_asks_for_signatures_is_refused_where_the_stack_has_no_secret(tmp_path: Path) -> None:
    (tmp_path / "clients" / "keys").mkdir(parents=True)
    (tmp_path / "clients" / "keys" / "acme.asc").write_text(str(ACME.extract_certificate()))
    write_client(tmp_path / "clients", file_={"pgp": {"recipients": "acme.asc", "sign": True}})
    local = LocalSystem(tmp_path / "local")
    try:
        with pytest.raises(
            LocalSystemError, match=r"pgp_signing_secret: found nothing, and `sign: true` in the files of acme"
        ):
            local.up(tmp_path / "clients")
    finally:
        local.down()


def test_what_was_delivered_in_plain_is_made_again_encrypted_once_the_client_has_a_key(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 05", "a")
    lab.deliver(lab.contract())
    ((name, plain),) = lab.files().items()
    pgp = lab.contract(file=PGP).file.pgp
    report = resend(lab.ledger, lab.exporter.writer, lab.client, 1, request="r", now=lambda: lab.now, pgp=pgp)
    assert report.status is Status.RESENT_ENCRYPTED
    files = lab.files()
    assert {*files} == {name, f"{name}.pgp"}
    assert decrypted(files[f"{name}.pgp"], ACME) == plain


@pytest.mark.parametrize("swept", [False, True])
def test_what_was_sealed_in_plain_is_delivered_encrypted_once_the_client_has_a_key(lab: Lab, swept: bool) -> None:
    lab.put_referrals("2026-11-20 05", "a")
    run_until_death(lab, Uploads, "complete", before=True)
    if swept:
        sweep(lab)
    lab.now += LEASE
    lab.deliver(lab.contract(file=PGP), due=DUE)
    files = {name: body for name, body in lab.files().items() if not name.endswith(".manifest.json")}
    ((name, body),) = files.items()
    assert name.endswith(".csv.gz.pgp")
    assert gzip.decompress(decrypted(body, ACME)) == b"referral_id\na\n"
    assert lab.uploads_in_progress() == []
