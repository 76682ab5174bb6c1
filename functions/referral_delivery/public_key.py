"""An SSH public key as AWS Transfer Family takes it, parsed for real.

Accepted: RSA of at least 2,048 bits, ECDSA and ED25519; one line, no options, no certificates, no hardware
keys. https://docs.aws.amazon.com/transfer/latest/userguide/key-management.html
"""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

# https://docs.aws.amazon.com/transfer/latest/APIReference/API_ImportSshPublicKey.html
MAX_KEY_CHARACTERS = 2_048
MIN_RSA_BITS = 2_048
_TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_WANTED = "expected one line such as 'ssh-ed25519 AAAA… comment'"


@dataclass(frozen=True)
class PublicKey:
    """One accepted key.

    `body` is `type base64` without the comment: the provider cuts a comment, which would show as a difference
    on every update.
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
    line = text.strip()
    if "PRIVATE KEY" in line:
        raise ValueError(f"this is a private key: destroy it, make a new pair, and give the .pub file; {_WANTED}")
    if line.startswith("-----BEGIN"):
        raise ValueError(f"this is PEM; convert it with `ssh-keygen -i -m PKCS8 -f FILE`; {_WANTED}")
    if len(line.splitlines()) > 1:
        raise ValueError(f"more than one line; give each key an entry of its own; {_WANTED}")
    if len(line) > MAX_KEY_CHARACTERS:
        raise ValueError(f"{len(line):,} characters; Transfer Family takes at most {MAX_KEY_CHARACTERS:,}")
    type_, _, rest = line.partition(" ")
    if "-cert-v01@" in type_:
        raise ValueError("this is a certificate, which Transfer Family refuses; give the plain public key")
    if type_.startswith("sk-"):
        raise ValueError("this is a hardware (sk-) key, which Transfer Family refuses; use ssh-ed25519")
    if type_ not in _TYPES:
        if any(f" {known} " in f" {rest} " for known in _TYPES):
            raise ValueError(f"options stand before the key type; remove them; {_WANTED}")
        raise ValueError(f"unknown key type; expected one of {', '.join(_TYPES)}; {_WANTED}")
    body = f"{type_} {rest.split()[0] if rest.split() else ''}"
    try:
        key = load_ssh_public_key(body.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"the base64 part is no {type_} key; copy the .pub file again; {_WANTED}") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"RSA of {key.key_size} bits; use ssh-ed25519, or RSA of at least {MIN_RSA_BITS} bits")
    return PublicKey(body)
