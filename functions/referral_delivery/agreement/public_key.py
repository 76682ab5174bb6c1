"""An SSH public key as AWS Transfer Family takes it, parsed for real.

Accepted: RSA of at least 2,048 bits, ECDSA and ED25519; no options, no certificates, no hardware keys. https://docs.aws.amazon.com/transfer/latest/userguide/key-management.html
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

from referral_delivery.agreement.key_formats import ONE_LINE, TYPES, one_line
from referral_delivery.agreement.refusal import Refused

# https://docs.aws.amazon.com/transfer/latest/APIReference/API_ImportSshPublicKey.html
MAX_KEY_CHARACTERS = 2_048
MIN_RSA_BITS = 2_048
_NO_BASE64 = re.compile("[^A-Za-z0-9+/]")


@dataclass(frozen=True)
class PublicKey:
    """One accepted key.

    `body` is `type base64` as OpenSSH writes it, so that one key has one body. It has no comment: the provider cuts
    a comment, which would show as a difference on every update.
    """

    body: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 fingerprint as OpenSSH prints it: `SHA256:` and unpadded base64."""
        digest = hashlib.sha256(self._blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def short_fingerprint(self) -> str:
        """The fingerprint's first 16 hex digits, for resource names."""
        return hashlib.sha256(self._blob).hexdigest()[:16]

    @property
    def _blob(self) -> bytes:
        return base64.b64decode(self.body.split()[1])


def parse(text: str) -> PublicKey:
    """Parse one public key, or raise ValueError saying what it is instead and what to do.

    The message never repeats the text: it may be a private key that was pasted by mistake.
    """
    line = one_line(text)
    if len(line) > MAX_KEY_CHARACTERS:
        raise Refused(
            found=f"{len(line):,} characters",
            expected=f"at most {MAX_KEY_CHARACTERS:,}, which is what Transfer Family takes",
            do="shorten the comment behind the key, or use ssh-ed25519",
        )
    type_, encoded, comment = (*line.split(maxsplit=2), "", "", "")[:3]
    _check_type(type_, f"{encoded} {comment}")
    _check_characters(encoded)
    try:
        key = load_ssh_public_key(f"{type_} {encoded}".encode())
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise _damaged(type_) from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise Refused(
            found=f"an RSA key of {key.key_size:,} bits",
            expected=f"at least {MIN_RSA_BITS:,} bits",
            do="ask the client for a new key: ssh-ed25519, or RSA of 3,072 bits",
        )
    body = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    # The loader passes over what is no base64, and takes numbers with leading zeros: the same key, in other words.
    if body != f"{type_} {encoded}":
        raise _damaged(type_)
    return PublicKey(body)


def _check_characters(encoded: str) -> None:
    """Refuse what cannot stand in base64, by its name; it may be invisible."""
    body = encoded.rstrip("=")
    if stranger := _NO_BASE64.search(body):
        character = stranger[0]
        shown = f"`{character}`" if character.isprintable() else "an invisible character"
        raise Refused(
            found=f"{shown} (U+{ord(character):04X}) in the key, as its character {stranger.start() + 1}",
            expected=f"letters, digits, + and / alone; {ONE_LINE}",
            do="remove it, or copy the .pub file's line again",
        )
    # Base64 is filled up with = to a multiple of four characters.
    if len(encoded) - len(body) > -len(body) % 4:
        raise Refused(
            found="an `=` too many at the key's end",
            expected=ONE_LINE,
            do="remove it, or copy the .pub file's line again",
        )


def _damaged(type_: str) -> Refused:
    return Refused(
        found=f"a damaged {type_} key",
        expected=ONE_LINE,
        do="copy the .pub file's line again, whole; a character is missing or changed",
    )


def _check_type(type_: str, rest: str) -> None:
    if type_ in TYPES:
        return
    if "-cert-v01@" in type_:
        found, do = "an SSH certificate, which Transfer Family refuses", "ask the client for the plain public key"
    elif type_.startswith("sk-"):
        found, do = "a hardware (sk-) key, which Transfer Family refuses", "ask the client for an ssh-ed25519 key"
    elif type_ == "ssh-dss":
        found, do = "a DSA key, which Transfer Family refuses", "ask the client for an ssh-ed25519 key"
    elif type_.startswith("AAAA"):
        found, do = "the key without its type", "put the type in front, as in the .pub file: ssh-ed25519, ssh-rsa …"
    elif any(type_.startswith(f"{known}AAAA") for known in TYPES):
        found, do = "the key's type and the key without a blank between them", "put a blank before AAAA"
    elif any(f" {known} " in f" {rest} " for known in TYPES):
        found, do = "something before the key's type (options, or a host's name)", "remove what stands before the type"
    else:
        found, do = (
            "no public key",
            f"paste the line of the client's .pub file; it begins with one of {', '.join(TYPES)}",
        )
    raise Refused(found=found, expected=ONE_LINE, do=do)
