"""The key that signs files: who may read its secret, and what is refused where there is none."""

import json
from pathlib import Path

import pulumi
import pytest

from tests.infra.conftest import Program
from tests.infra.test_policies import statements
from tests.pgp import secret_key
from tests.recorder import ACCOUNT_ID, REGION
from tests.support import write_client

SECRET = "referrals/pgp-signing-key"  # its name


def client(folder: Path, *, sign: bool) -> Path:
    (folder / "keys").mkdir()
    (folder / "keys" / "acme.asc").write_text(str(secret_key(days=20).extract_certificate()))
    write_client(folder, file_={"pgp": {"recipients": ["acme.asc"], "sign": sign}})
    return folder


def test_the_export_may_read_that_secret_and_nothing_else_any(program: Program, tmp_path: Path) -> None:
    graph = program(client(tmp_path, sign=True), pgp_signing_secret=SECRET)
    (statement,) = [each for each in statements(graph, "export-policy") if each["Sid"] == "ReadSigningKey"]
    assert (statement["Action"], statement["Resource"]) == (
        ["secretsmanager:GetSecretValue"],
        [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:{SECRET}-??????"],
    )
    readers = [each.name for each in graph.of("RolePolicy") if "secretsmanager" in json.dumps(each.policy("policy"))]
    assert readers == ["export-policy"]
    environment = graph.one("Function", "export-function").inputs["environment"]["variables"]
    assert environment["PGP_SIGNING_SECRET"] == SECRET == graph.outputs["pgp_signing_secret"]


def test_a_stack_that_signs_nothing_may_read_no_secret(program: Program, tmp_path: Path) -> None:
    graph = program(client(tmp_path, sign=False), encryption="stack")
    assert not [each.name for each in graph.of("RolePolicy") if "secretsmanager" in json.dumps(each.policy("policy"))]
    assert graph.outputs["pgp_signing_secret"] == ""


def test_a_secret_under_the_stacks_key_can_be_decrypted(program: Program, tmp_path: Path) -> None:
    graph = program(client(tmp_path, sign=True), pgp_signing_secret=SECRET, encryption="stack")
    (statement,) = [each for each in statements(graph, "export-policy") if each["Sid"] == "UseStacksKey"]
    assert "secretsmanager.*.amazonaws.com*" in statement["Condition"]["StringLike"]["kms:ViaService"]


def test_a_client_whose_files_nobody_could_sign_is_refused(program: Program, tmp_path: Path) -> None:
    with pytest.raises(
        pulumi.RunError,
        match=r"^pgp_signing_secret: found nothing, and `sign: true` in the files of acme; expected the name .*; do "
        r"`pulumi config set pgp_signing_secret referrals/pgp-signing-key` .*`referralctl pgp make-signing-key`$",
    ):
        program(client(tmp_path, sign=True))


def test_a_key_that_expires_within_30_days_is_warned_of(
    program: Program, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: said.append(text))
    program(client(tmp_path, sign=False))
    assert [each for each in said if each.startswith("acme: PGP key ") and each.endswith("or for the next")]
