"""Public keys: which kinds are accepted, and what is said of the others."""

import base64
import re
import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from referral_delivery.agreement.public_key import parse
from tests.support import ecdsa_key, ed25519_key, rsa_key

# A published key and its fingerprint: GitHub's ED25519 host key.
# https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
GITHUB_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
GITHUB_FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
RSA = rsa.generate_private_key(65537, 2048)


def openssh(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.fixture(scope="module")
def good_keys() -> list[str]:
    return [ed25519_key(), ecdsa_key(), rsa_key(2048)]


def test_every_kind_that_transfer_family_takes_is_accepted(good_keys: list[str]) -> None:
    assert [parse(key).body for key in good_keys] == good_keys


def test_the_comment_is_dropped(good_keys: list[str]) -> None:
    for comment in ("crm @ acme", "@", "@ -"):
        assert parse(f"  {good_keys[0]} {comment}\n").body == good_keys[0]


def test_the_fingerprint_is_the_one_that_openssh_prints() -> None:
    assert parse(GITHUB_KEY).fingerprint == GITHUB_FINGERPRINT


def test_a_short_rsa_key_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"found an RSA key of 1,024 bits; expected at least 2,048 bits; ask the client"
    ):
        parse(rsa_key(1024))


@pytest.mark.parametrize("key", [Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1()), RSA])
def test_a_pem_public_key_is_the_same_key(
    key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert parse(pem).body == openssh(key)
    assert parse(" ".join(pem.split("\n"))).body == openssh(key)


def test_a_pkcs1_public_key_is_the_same_key() -> None:
    assert parse(RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()).body == openssh(RSA)


def test_an_rfc_4716_public_key_is_the_same_key() -> None:
    blob = "\n".join(textwrap.wrap(openssh(RSA).split()[1], 70))
    comment = 'Comment: "2048-bit RSA, made by\\\n crm@acme on a Monday"\nSubject: crm'
    ssh2 = f"---- BEGIN SSH2 PUBLIC KEY ----\n{comment}\n{blob}\n---- END SSH2 PUBLIC KEY ----\n"
    assert parse(ssh2).body == openssh(RSA)


def test_a_pem_public_key_that_is_too_short_is_refused_as_any() -> None:
    key = rsa.generate_private_key(65537, 1024)
    with pytest.raises(ValueError, match="found an RSA key of 1,024 bits"):
        parse(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (ec.generate_private_key(ec.SECP256K1()), "found a PEM public key on a curve that SSH does not use"),
        (X25519PrivateKey.generate(), "found a PEM public key of a kind that SSH does not use"),
    ],
)
def test_a_pem_public_key_that_ssh_does_not_know_is_refused(
    key: ec.EllipticCurvePrivateKey | X25519PrivateKey, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        parse(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "x", "a b c"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"found (no public key|a damaged ssh-ed25519 key); expected one line such as"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "PuTTY-User-Key-File-3: ssh-ed25519",
        "Private-Lines: 1",
        "-----BEGIN ENCRYPTED PRIVATE" + " KEY-----",
        base64.b64encode(b"openssh-key-v1\0\0\0\0\4none")
        .decode()
        .rstrip("="),  # how the base64 of OpenSSH's own format begins
    ],
)
def test_any_part_of_a_private_key_is_refused_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"found a private key; expected .*; have the client destroy it"):
        parse(text)


def test_a_pem_public_key_with_a_stray_character_is_refused_as_damaged() -> None:
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="found a damaged PEM public key"):
        parse(pem.replace("MII", "MI!I", 1))


def test_a_truncated_key_is_refused() -> None:
    type_, blob = GITHUB_KEY.split()
    short = base64.b64encode(base64.b64decode(blob)[:-8]).decode()
    with pytest.raises(ValueError, match="found a damaged ssh-ed25519 key; expected one line such as"):
        parse(f"{type_} {short}")


def test_a_line_of_2048_characters_is_accepted_and_a_longer_one_is_not() -> None:
    longest = GITHUB_KEY + " " + "x" * (2_048 - len(GITHUB_KEY) - 1)
    assert parse(longest).body == GITHUB_KEY
    with pytest.raises(ValueError, match=r"found 2,049 characters; expected at most 2,048"):
        parse(longest + "x")


def test_a_resources_name_has_the_fingerprints_first_16_digits() -> None:
    digest = base64.b64decode(GITHUB_FINGERPRINT.removeprefix("SHA256:") + "=").hex()
    assert parse(GITHUB_KEY).short_fingerprint == digest[:16]


INSIDE, BEHIND = len("AAAA"), len(GITHUB_KEY.split()[1])
JUNK = [
    (",", BEHIND, "`,` (U+002C) in the key, as its character 69"),
    (";", BEHIND, "`;` (U+003B) in the key, as its character 69"),
    ("\u200b", BEHIND, "an invisible character (U+200B) in the key, as its character 69"),
    ("\u200b", INSIDE, "an invisible character (U+200B) in the key, as its character 5"),
    ("\x07", INSIDE, "an invisible character (U+0007) in the key, as its character 5"),
    ("!", INSIDE, "`!` (U+0021) in the key, as its character 5"),
    ("-", INSIDE, "`-` (U+002D) in the key, as its character 5"),
    ("=", INSIDE, "`=` (U+003D) in the key, as its character 5"),
    ("=", BEHIND, "an `=` too many at the key's end"),
    ("==", BEHIND, "an `=` too many at the key's end"),
]


@pytest.mark.parametrize(("junk", "at", "found"), JUNK)
@pytest.mark.parametrize("comment", ["", " crm@acme"])
def test_what_is_no_base64_in_a_key_is_refused_by_its_name(junk: str, at: int, found: str, comment: str) -> None:
    type_, encoded = GITHUB_KEY.split()
    with pytest.raises(ValueError, match=f"^found {re.escape(found)}; expected .*; remove it, or copy the .pub file's"):
        parse(f"{type_} {encoded[:at]}{junk}{encoded[at:]}{comment}")


def test_an_equals_sign_that_fills_a_key_up_stays() -> None:
    key = ecdsa_key()
    assert parse(key).body == key
    assert key.endswith("=")
    with pytest.raises(ValueError, match="found an `=` too many at the key's end"):
        parse(f"{key}=")


def test_a_key_whose_last_bits_say_nothing_is_written_in_one_way_only() -> None:
    key = ecdsa_key()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = last[last.index(key[-2]) + 1]
    with pytest.raises(ValueError, match="found a damaged ecdsa-sha2-nistp256 key"):
        parse(f"{key[:-2]}{other}=")


def test_a_key_whose_numbers_have_zeros_in_front_is_written_in_one_way_only() -> None:
    numbers = RSA.public_key().public_numbers()
    fields = (b"ssh-rsa", numbers.e.to_bytes(4), numbers.n.to_bytes(258))
    blob = b"".join(len(field).to_bytes(4) + field for field in fields)
    with pytest.raises(ValueError, match="found a damaged ssh-rsa key"):
        parse(f"ssh-rsa {base64.b64encode(blob).decode()}")


def test_a_point_in_its_short_form_is_refused_as_damaged_and_is_no_crash() -> None:
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    fields = (b"ecdsa-sha2-nistp256", b"nistp256", point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    blob = b"".join(len(field).to_bytes(4) + field for field in fields)
    with pytest.raises(ValueError, match="found a damaged ecdsa-sha2-nistp256 key"):
        parse(f"ecdsa-sha2-nistp256 {base64.b64encode(blob).decode()}")


@pytest.mark.parametrize("between", ["\t", "  ", " \t "])
def test_what_is_deployed_of_a_key_is_its_type_and_its_base64_with_one_blank_between(between: str) -> None:
    type_, encoded = GITHUB_KEY.split()
    assert parse(f" {type_}{between}{encoded}{between}crm @ acme ").body == GITHUB_KEY


@pytest.mark.parametrize("before", ["no-pty", "sftp.acme.example", 'from="203.0.113.7",no-pty of our office'])
def test_what_stands_before_a_keys_type_is_named(before: str) -> None:
    with pytest.raises(ValueError, match="found something before the key's type"):
        parse(f"{before} {GITHUB_KEY}")


def test_a_second_key_is_no_comment_of_the_first() -> None:
    with pytest.raises(ValueError, match="found 2 keys, one a line, as in an authorized_keys file"):
        parse(f"{GITHUB_KEY} one {ed25519_key()} two")
