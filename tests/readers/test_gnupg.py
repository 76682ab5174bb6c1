"""GnuPG's keys, accepted or refused as they are, and our files, decrypted and verified by it."""

import gzip
import os
import re
import time

import pytest

from referral_delivery.agreement.pgp_key import parse
from referral_delivery.agreement.recipient import Recipient
from referral_delivery.file.encrypt import encrypted
from tests.pgp import now, recipient, secret_key
from tests.readers.gnupg import WEAK, GnuPG

pytestmark = pytest.mark.readers

RSA = "Key-Type: RSA\nKey-Length: {}\nKey-Usage: sign,cert\nSubkey-Type: RSA\nSubkey-Length: {}\nSubkey-Usage: encrypt"
CURVE = (
    "Key-Type: {0}\nKey-Curve: {1}\nKey-Usage: sign,cert\nSubkey-Type: ECDH\nSubkey-Curve: {2}\nSubkey-Usage: encrypt"
)
GOOD = {
    "RSA": RSA.format(2048, 2048),
    "one RSA key for everything": "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign,cert,encrypt",
    "Curve25519": CURVE.format("EDDSA", "ed25519", "cv25519"),
    "NIST P-256": CURVE.format("ECDSA", "nistp256", "nistp256"),
    "with an end": f"{RSA.format(2048, 2048)}\nExpire-Date: 1y",
}
OURS = secret_key("Referrals <referrals@platform.example>")
ROWS = gzip.compress(b"email\n" + os.urandom(3_000_000).hex().encode())


def accepted(content: bytes) -> Recipient:
    return recipient(content)


def refused(content: bytes) -> str:
    with pytest.raises(ValueError, match=r"^found .*; expected .*; .+") as error:
        parse(content, moment=now())
    return str(error.value)


def sent(*recipients: Recipient, signed: bool = False) -> bytes:
    blocks = (ROWS[at : at + 1_000_000] for at in range(0, len(ROWS), 1_000_000))
    return b"".join(encrypted(blocks, recipients, signing_key=bytes(OURS) if signed else None, now=now()))


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("armour", [True, False])
def test_the_client_decrypts_and_verifies_its_file(gpg: GnuPG, kind: str, armour: bool) -> None:
    fingerprint = gpg.make(GOOD[kind])
    key = accepted(gpg.export(fingerprint, armour=armour))
    assert (key.fingerprint, key.user_id) == (fingerprint, "crm@acme.example")
    gpg.run("--import", stdin=str(OURS.extract_certificate()).encode())
    done = gpg.run("--decrypt", stdin=sent(key, signed=True))
    assert done.stdout == ROWS
    status = done.stderr.decode(errors="replace")
    # The subkey that signed stands first, its primary key last.
    assert re.findall(r"VALIDSIG .* ([0-9A-F]{40})", status) == [OURS.extract_certificate().fingerprint.upper()]
    assert "DECRYPTION_OKAY" in status


def test_every_recipient_decrypts_the_file_and_nobody_else(gpg: GnuPG) -> None:
    old, new, other = (gpg.make(GOOD[kind]) for kind in ("RSA", "Curve25519", "Curve25519"))
    file = sent(*(accepted(gpg.export(each)) for each in (old, new)))
    for gone in (old, new):
        gpg.run("--delete-secret-keys", gone)
        left = gpg.run("--decrypt", stdin=file, code=0 if gone == old else 2)
        assert (left.stdout == ROWS) == (gone == old)
    assert gpg.export(other)
    assert "NO_SECKEY" in left.stderr.decode()


def test_a_changed_file_is_no_file_to_the_client(gpg: GnuPG) -> None:
    file = bytearray(sent(accepted(gpg.export(gpg.make(GOOD["Curve25519"])))))
    file[len(file) // 2] ^= 1
    assert "DECRYPTION_FAILED" in gpg.run("--decrypt", stdin=bytes(file), code=2).stderr.decode()


@pytest.mark.parametrize(
    ("recipe", "found"),
    [
        (RSA.format(1024, 1024), "an RSA key of 1,024 bits"),
        (RSA.format(2048, 1024), "an RSA key of 1,024 bits to encrypt to"),
        ("Key-Type: DSA\nKey-Length: 2048\nSubkey-Type: ELG-E\nSubkey-Length: 2048", "a DSA key"),
        (
            "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign,cert\nSubkey-Type: ELG-E\nSubkey-Length: 2048",
            "an ElGamal key to encrypt to",
        ),
        (CURVE.format("ECDSA", "brainpoolP256r1", "brainpoolP256r1"), "a key on the curve brainpoolP256r1"),
        (CURVE.format("ECDSA", "secp256k1", "secp256k1"), "a key on the curve secp256k1"),
        ("Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign,cert", "a key that signs only"),
    ],
)
def test_a_key_that_keeps_no_file_secret_is_refused(gpg: GnuPG, recipe: str, found: str) -> None:
    assert refused(gpg.export(gpg.make(recipe))).startswith(f"found {found}")


@pytest.mark.parametrize("hash_", ["SHA1", "MD5"])
def test_a_key_that_rests_on_a_broken_hash_is_refused_until_it_is_signed_anew_as_said(gpg: GnuPG, hash_: str) -> None:
    fingerprint = gpg.make(RSA.format(2048, 2048), "--cert-digest-algo", hash_, *WEAK)
    message = refused(gpg.export(fingerprint))
    assert message.startswith("found a key of which the key itself is proved by SHA-1 or MD5 only")
    [command] = re.findall("`gpg (.*?)`", message)
    gpg.run(*WEAK, *command.split())
    assert refused(gpg.export(fingerprint)).startswith("found a key of which its encryption subkey is proved by SHA-1")
    gpg.run(*WEAK, *command.split(), "*")
    assert accepted(gpg.export(fingerprint)).fingerprint == fingerprint


def test_an_expired_key_is_refused_until_it_is_extended_as_said(gpg: GnuPG) -> None:
    fingerprint = gpg.make(f"{RSA.format(2048, 2048)}\nExpire-Date: seconds=1")
    message = wait_until_expired(gpg, fingerprint)
    assert message.startswith("found a key that expired on ")
    for command in re.findall("`gpg (.*?)`", message):
        gpg.run(*command.split())
    key = accepted(gpg.export(fingerprint))
    assert key.expires
    assert 364 <= (key.expires - now()).days <= 366


def wait_until_expired(gpg: GnuPG, fingerprint: str) -> str:
    """What is said of a key that lives for a second, once that has passed."""
    content, deadline = gpg.export(fingerprint), time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            parse(content, moment=now())
        except ValueError:
            return refused(content)
    raise AssertionError("the key lives on")


def test_a_revoked_subkey_gives_way_to_another_or_refuses_the_key(gpg: GnuPG) -> None:
    fingerprint = gpg.make(RSA.format(2048, 2048))
    first = accepted(gpg.export(fingerprint))
    gpg.run("--quick-add-key", fingerprint, "rsa2048", "encr", "30d")
    gpg.edit(fingerprint, "key 1", "revkey", "y", "0", "", "y")
    second = accepted(gpg.export(fingerprint))
    assert first.expires is None
    assert second.expires
    assert gpg.run("--decrypt", stdin=sent(second)).stdout == ROWS
    gpg.edit(fingerprint, "key 2", "revkey", "y", "0", "", "y")
    message = refused(gpg.export(fingerprint))
    assert message.startswith("found a key whose encryption subkey is revoked")
    [command] = re.findall("`gpg (.*?)`", message)
    gpg.run(*command.split())
    assert accepted(gpg.export(fingerprint))


def test_a_revoked_key_is_refused(gpg: GnuPG) -> None:
    fingerprint = gpg.make(GOOD["Curve25519"])
    gpg.edit(fingerprint, "revkey", "y", "0", "", "y")
    assert f"found the key {fingerprint}, which its owner has revoked" in refused(gpg.export(fingerprint))


def test_the_subkey_that_lives_longest_is_encrypted_to(gpg: GnuPG) -> None:
    fingerprint = gpg.make(f"{RSA.format(2048, 2048)}\nExpire-Date: 60d")
    for days in ("30d", "40d"):
        gpg.run("--quick-add-key", fingerprint, "cv25519", "encr", days)
    key = accepted(gpg.export(fingerprint))
    assert key.expires
    assert 59 <= (key.expires - now()).days <= 60
    assert gpg.run("--decrypt", stdin=sent(key)).stderr.count(b"ENC_TO") == 1


def test_a_shortened_life_is_the_shorter_one(gpg: GnuPG) -> None:
    fingerprint = gpg.make(f"{RSA.format(2048, 2048)}\nExpire-Date: 2y")
    gpg.run("--quick-set-expire", fingerprint, "30d", "*")
    key = accepted(gpg.export(fingerprint))
    assert key.expires
    assert 29 <= (key.expires - now()).days <= 30


def test_a_whole_keyring_is_refused_with_its_keys_named(gpg: GnuPG) -> None:
    gpg.make(GOOD["Curve25519"])
    gpg.make(GOOD["Curve25519"])
    assert re.match(r"found \d+ keys in one file: [0-9A-F]{40}, [0-9A-F]{40}", refused(gpg.export()))
    assert refused((gpg.home / "pubring.kbx").read_bytes()).startswith("found GnuPG's own keyring (pubring.kbx)")


@pytest.mark.parametrize("options", [[], ["--armor"]])
@pytest.mark.parametrize("kind", ["--export-secret-keys", "--export-secret-subkeys"])
def test_a_secret_key_is_refused(gpg: GnuPG, kind: str, options: list[str]) -> None:
    fingerprint = gpg.make(GOOD["Curve25519"])
    assert refused(gpg.run(*options, kind, fingerprint).stdout).startswith("found a secret key")


def test_a_message_and_a_signature_are_refused_by_their_name(gpg: GnuPG) -> None:
    fingerprint = gpg.make(GOOD["Curve25519"])
    for options in ([], ["--armor"]):
        message = gpg.run(*options, "-r", fingerprint, "--encrypt", stdin=b"rows").stdout
        signature = gpg.run(*options, "-u", fingerprint, "--detach-sign", stdin=b"rows").stdout
        assert refused(message).startswith("found an OpenPGP message, not a key")
        assert refused(signature).startswith("found an OpenPGP signature, not a key")
