"""Private host keys of the SFTP server: read, checked, and known by the fingerprint that clients see.

No message quotes a key's text.
"""

from dataclasses import dataclass, field
from typing import Any

import pulumi
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from referral_delivery.agreement.public_key import PublicKey
from referral_delivery.errors import ContractError

# https://docs.aws.amazon.com/transfer/latest/APIReference/API_CreateServer.html#TransferFamily-CreateServer-request-HostKey
MAX_PEM_CHARACTERS = 4_096
# The least that SSH clients of today still accept, and the most that Transfer Family does.
# https://docs.aws.amazon.com/transfer/latest/userguide/edit-server-config.html#configuring-servers-change-host-key
MIN_RSA_BITS, MAX_RSA_BITS = 2_048, 4_096
CURVES = ("secp256r1", "secp384r1", "secp521r1")

# Their names in the stack's configuration.
FIRST, FURTHER = "sftp_host_key", "sftp_further_host_keys"

MAKE_ONE = 'make one with `ssh-keygen -t ed25519 -N "" -f host_key`, and give the file without .pub'

_BEGIN = "-----BEGIN "
_OPENSSH = f"{_BEGIN}OPENSSH PRIVATE KEY" + "-----"


@dataclass(frozen=True)
class HostKey:
    """One key: `pem` as Transfer Family documents it, `type` as SSH names it, `fingerprint` as clients show it."""

    pem: str = field(repr=False)
    type: str
    fingerprint: str


def from_config(config: pulumi.Config) -> list[HostKey]:
    """The stack's host keys, the server's own first; none where AWS is to make them.

    Raises ContractError where a setting is wrong, or would have no effect.
    """
    first, further = config.get(FIRST), config.get_object(FURTHER) or []
    if further and not first:
        raise ContractError(
            f"{FURTHER} is set and {FIRST} is not: AWS would make keys of its own, and a given "
            f"key of a type that the server has stays inactive: set {FIRST} too"
        )
    if not isinstance(further, list):
        raise ContractError(
            f"{FURTHER} is no list; set each key with `pulumi config set --secret --path '{FURTHER}[0]' < FILE`"
        )
    keys = [parse(first, setting=FIRST)] if first else []
    keys += [parse(text, setting=f"{FURTHER}[{number}]") for number, text in enumerate(further)]
    types = [key.type for key in keys]
    if again := next((type_ for type_ in types if types.count(type_) > 1), None):
        # https://docs.aws.amazon.com/transfer/latest/userguide/server-host-key-add.html
        raise ContractError(
            f"{FURTHER}: two of the server's keys are {again}, and clients are shown the oldest "
            "of a type alone: give one key of each type"
        )
    return keys


def parse(text: Any, *, setting: str) -> HostKey:
    """Read a private key in OpenSSH's or a PKCS form; ContractError says what is wrong with the setting."""
    lines = "\n".join(line.strip() for line in str(text).strip().splitlines()) + "\n"
    try:
        _refuse_what_is_no_private_key(lines)
        pem, public_key = _loaded(lines)
    except ValueError as error:
        raise ContractError(f"{setting}: {error}; {MAKE_ONE}") from None
    return HostKey(pem, public_key.body.partition(" ")[0], public_key.fingerprint)


def _refuse_what_is_no_private_key(text: str) -> None:
    if not text.strip():
        raise ValueError("it is empty, expected a private key in PEM")
    if text.startswith(("ssh-", "ecdsa-sha2-", "sk-")):
        what = "an SSH certificate" if "-cert-v01@" in text.split(maxsplit=1)[0] else "a public key"
        raise ValueError(f"it is {what}, expected a private key in PEM")
    if text.startswith("PuTTY-User-Key-File"):
        raise ValueError("it is a PuTTY key (.ppk), expected PEM: PuTTYgen, Conversions, Export OpenSSH key")
    if not text.startswith(_BEGIN):
        raise ValueError(f"it does not begin with {_BEGIN.strip()!r}, expected a private key in PEM")
    kind = text.partition("\n")[0].removeprefix(_BEGIN).rstrip("-")
    if not kind.endswith("PRIVATE KEY"):
        raise ValueError(f"it is a {kind.lower()}, expected a private key")
    if text.count(_BEGIN) > 1:
        raise ValueError("it holds more than one block, expected one private key alone")


def _loaded(text: str) -> tuple[str, PublicKey]:
    """The key's PEM as it is deployed, and its public key."""
    openssh = text.startswith(_OPENSSH)
    try:
        key = (load_ssh_private_key if openssh else load_pem_private_key)(text.encode(), None)
    except (TypeError, UnsupportedAlgorithm, ValueError) as error:
        if isinstance(error, TypeError) or "password" in str(error).lower():
            raise ValueError("it is encrypted with a passphrase, expected one without") from None
        raise ValueError("it is damaged, or of a type that nobody here can read, expected a whole PEM file") from None
    match key:
        case RSAPrivateKey() if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise ValueError(f"it is RSA of {key.key_size:,} bits, expected {MIN_RSA_BITS:,} to {MAX_RSA_BITS:,}")
        case EllipticCurvePrivateKey() if key.curve.name not in CURVES:
            raise ValueError(f"it is ECDSA on {key.curve.name}, expected one of {', '.join(CURVES)}")
        case RSAPrivateKey() | EllipticCurvePrivateKey():
            # What `ssh-keygen -m PEM` writes, which AWS's page asks for with these two types.
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        case Ed25519PrivateKey() if not openssh:
            # Converting is no choice: OpenSSH's form holds random bytes, and would differ at each deployment.
            raise ValueError(
                "it is ED25519 in PKCS#8, expected OpenSSH's form: `ssh-keygen -p -N '' -f FILE` rewrites it"
            )
        case Ed25519PrivateKey():
            pem = text
        case _:
            raise ValueError(f"it is {type(key).__name__.removesuffix('PrivateKey')}, expected RSA, ECDSA or ED25519")
    if len(pem) > MAX_PEM_CHARACTERS:
        raise ValueError(f"it has {len(pem):,} characters, expected at most {MAX_PEM_CHARACTERS:,}")
    return pem, PublicKey(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
