"""The server's host keys: which are taken, how they are deployed, and what is said of the others."""

import json
import subprocess
from pathlib import Path

import pulumi
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from infra import host_key
from referral_delivery.errors import ContractError
from tests.support import host_key_pem

OPENSSH, PKCS8, PKCS1 = PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL
ED25519 = Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2_048)
P256 = ec.generate_private_key(ec.SECP256R1())


def written(key: object, form: PrivateFormat, password: str = "") -> str:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption).decode()  # type: ignore[attr-defined, no-any-return]


def config(**values: object) -> pulumi.Config:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    pulumi.runtime.set_all_config({f"referrals:{name}": text for name, text in texts.items()})
    return pulumi.Config("referrals")


@pytest.mark.parametrize(
    ("key", "form", "type_"),
    [
        (ED25519, OPENSSH, "ssh-ed25519"),
        (RSA, OPENSSH, "ssh-rsa"),
        (RSA, PKCS1, "ssh-rsa"),
        (RSA, PKCS8, "ssh-rsa"),
        (P256, OPENSSH, "ecdsa-sha2-nistp256"),
        (P256, PKCS8, "ecdsa-sha2-nistp256"),
        (ec.generate_private_key(ec.SECP521R1()), PKCS1, "ecdsa-sha2-nistp521"),
    ],
)
def test_a_key_is_known_by_its_type_and_the_fingerprint_that_openssh_shows(
    key: object, form: PrivateFormat, type_: str, tmp_path: Path
) -> None:
    parsed = host_key.parse(written(key, form), setting="sftp_host_key")
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(written(key, OPENSSH))
    shown = subprocess.run(["ssh-keygen", "-l", "-f", file], capture_output=True, text=True, check=True).stdout
    assert (parsed.type, parsed.fingerprint) == (type_, shown.split()[1])


@pytest.mark.parametrize("form", [OPENSSH, PKCS1, PKCS8])
@pytest.mark.parametrize("key", [RSA, P256])
def test_rsa_and_ecdsa_are_deployed_in_the_form_that_aws_documents_whatever_the_given_one(
    key: object, form: PrivateFormat
) -> None:
    pem = host_key.parse(written(key, form), setting="x").pem
    assert pem == written(key, PKCS1)
    assert load_pem_private_key(pem.encode(), None)


def test_an_ed25519_key_is_deployed_as_given_so_that_a_second_deployment_changes_nothing() -> None:
    given = written(ED25519, OPENSSH)
    assert host_key.parse(given, setting="x").pem == given


def test_the_line_ends_and_blanks_of_a_copied_key_make_no_difference() -> None:
    given = written(ED25519, OPENSSH)
    assert host_key.parse("\n " + given.replace("\n", "\r\n") + "\n\n", setting="x").pem == given


PUBLIC = ED25519.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
REFUSED = [
    ("", "it is empty"),
    (PUBLIC, "it is a public key"),
    ("ssh-ed25519-cert-v01@openssh.com AAAA host", "it is an SSH certificate"),
    (ED25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), "it is a public key"),
    (CERTIFICATE, "it is a certificate"),
    ("PuTTY-User-Key-File-3: ssh-ed25519", "it is a PuTTY key"),
    ("host_key", "it does not begin with '-----BEGIN'"),
    (written(RSA, PKCS8, "secret"), "it is encrypted with a passphrase"),
    (written(RSA, PKCS1, "secret"), "it is encrypted with a passphrase"),
    (written(ED25519, OPENSSH).replace("b3Bl", "AAAA"), "it is damaged"),
    (written(P256, PKCS1)[:90], "it is damaged"),
    (written(ED25519, OPENSSH) + written(P256, PKCS1), "it holds more than one block"),
    (written(ED25519, PKCS8), "it is ED25519 in PKCS#8, expected OpenSSH's form: `ssh-keygen -p"),
    (written(rsa.generate_private_key(public_exponent=65537, key_size=1_024), PKCS1), "it is RSA of 1,024 bits"),
    (written(ec.generate_private_key(ec.SECP256K1()), PKCS1), "it is ECDSA on secp256k1"),
    (written(dsa.generate_private_key(1_024), PKCS8), "it is DSA, expected RSA, ECDSA or ED25519"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_no_usable_private_key_is_refused_in_words_that_do_not_quote_it(text: str, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        host_key.parse(text, setting="sftp_host_key")
    message = str(refused.value)
    assert message.startswith(f"sftp_host_key: {said}"), message
    assert "ssh-keygen" in message
    assert not [line for line in text.splitlines() if len(line) > 20 and line in message]
    assert refused.value.__cause__ is None


def test_an_openssh_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "key"], check=True)
    with pytest.raises(ContractError, match="it is encrypted with a passphrase"):
        host_key.parse((tmp_path / "key").read_text(), setting="x")


def test_a_key_longer_than_transfer_family_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # No key of an accepted size is that long.
    monkeypatch.setattr(host_key, "MAX_PEM_CHARACTERS", 200)
    with pytest.raises(ContractError, match=r"characters, expected at most 200"):
        host_key.parse(written(RSA, PKCS1), setting="x")


def test_a_key_does_not_show_itself() -> None:
    parsed = host_key.parse(written(ED25519, OPENSSH), setting="x")
    assert "PRIVATE" not in repr(parsed)


def test_the_first_key_is_the_servers_own_and_further_ones_follow() -> None:
    keys = host_key.from_config(
        config(sftp_host_key=host_key_pem("ed25519"), sftp_further_host_keys=[host_key_pem("ecdsa")])
    )
    assert [key.type for key in keys] == ["ssh-ed25519", "ecdsa-sha2-nistp256"]
    assert host_key.from_config(config()) == []


def test_a_second_key_of_a_type_is_refused_since_clients_would_not_see_it() -> None:
    with pytest.raises(ContractError, match="two of the server's keys are ssh-ed25519"):
        host_key.from_config(
            config(sftp_host_key=host_key_pem("ed25519"), sftp_further_host_keys=[host_key_pem("ed25519")])
        )


def test_a_further_key_without_a_first_is_refused() -> None:
    with pytest.raises(ContractError, match="sftp_further_host_keys is set and sftp_host_key is not"):
        host_key.from_config(config(sftp_further_host_keys=[host_key_pem("ecdsa")]))


def test_further_keys_that_are_no_list_are_refused_with_the_line_that_sets_them() -> None:
    with pytest.raises(ContractError, match=r"--path 'sftp_further_host_keys\[0\]'"):
        host_key.from_config(config(sftp_host_key=host_key_pem("ed25519"), sftp_further_host_keys={"a": "b"}))


def test_the_wrong_one_of_several_further_keys_is_named() -> None:
    with pytest.raises(ContractError, match=r"sftp_further_host_keys\[1\]: it is a public key"):
        host_key.from_config(
            config(sftp_host_key=host_key_pem("ed25519"), sftp_further_host_keys=[host_key_pem("ecdsa"), PUBLIC])
        )
