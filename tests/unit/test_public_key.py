"""Public keys: which kinds are accepted, and what is said of the others."""

import base64

import pytest

from referral_delivery.public_key import parse
from tests.support import ecdsa_key, ed25519_key, rsa_key

# A published key and its fingerprint: GitHub's ED25519 host key.
# https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
GITHUB_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
GITHUB_FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


@pytest.fixture(scope="module")
def good_keys() -> list[str]:
    return [ed25519_key(), ecdsa_key(), rsa_key(2048)]


def test_every_kind_that_transfer_family_takes_is_accepted(good_keys: list[str]) -> None:
    assert [parse(key).body for key in good_keys] == good_keys


def test_the_comment_is_dropped(good_keys: list[str]) -> None:
    assert parse(f"  {good_keys[0]} crm @ acme\n").body == good_keys[0]


def test_the_fingerprint_is_the_one_that_openssh_prints() -> None:
    assert parse(GITHUB_KEY).fingerprint == GITHUB_FINGERPRINT


def test_a_short_rsa_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"RSA of 1024 bits; use ssh-ed25519, or RSA of at least 2048 bits"):
        parse(rsa_key(1024))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            "this is PEM; convert it with `ssh-keygen",
        ),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "this is a certificate, which Transfer Family refuses"),
        ("sk-ssh-ed25519@openssh.com AAAA", r"this is a hardware \(sk-\) key, which Transfer Family refuses"),
        ("ssh-dss AAAA", "unknown key type; expected one of ssh-ed25519, "),
        ("", "unknown key type"),
        ("ssh-ed25519", "the base64 part is no ssh-ed25519 key; copy the .pub file again"),
        ("ssh-ed25519 AAAA", "the base64 part is no ssh-ed25519 key"),
        ("ssh-ed25519 !!!!", "the base64 part is no ssh-ed25519 key"),
        (f"{GITHUB_KEY}\n{GITHUB_KEY}", "more than one line; give each key an entry of its own"),
        (f"no-pty,command=x {GITHUB_KEY}", "options stand before the key type; remove them"),
        (f"ssh-rsa {GITHUB_KEY.split()[1]}", "the base64 part is no ssh-rsa key"),
        (f"{GITHUB_KEY} {'x' * 2048}", "2,129 characters; Transfer Family takes at most 2,048"),
    ],
)
def test_a_bad_key_is_refused_with_what_it_is(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text)


def test_a_truncated_key_is_refused() -> None:
    type_, blob = GITHUB_KEY.split()
    short = base64.b64encode(base64.b64decode(blob)[:-8]).decode()
    with pytest.raises(ValueError, match="the base64 part is no ssh-ed25519 key"):
        parse(f"{type_} {short}")
