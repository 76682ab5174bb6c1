"""A public key as people paste it → the one line that AWS Transfer Family takes.

RFC 4716 ("SSH2") and PEM public keys are converted: both hold the same numbers. What is no public key is refused
by its name. No message repeats the text: it may be a private key that was pasted by mistake.
"""

import base64
import binascii
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_ssh_public_key,
)

from referral_delivery.agreement.refusal import Refused

# https://docs.aws.amazon.com/transfer/latest/userguide/key-management.html
TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
ONE_LINE = "one line such as `ssh-ed25519 AAAA… comment`"
ASK_AGAIN = "ask the client for the content of the .pub file"
PRIVATE_KEY = "a private key"

# YAML folds lines that are pasted without `|` into one, so blanks stand for line ends.
_SSH2 = re.compile(r"----\s?BEGIN SSH2 PUBLIC KEY\s?----\s(.*?)\s----\s?END SSH2 PUBLIC KEY\s?----", re.DOTALL)
_PEM = re.compile(r"-----BEGIN (?:RSA )?PUBLIC KEY-----(.*?)-----END (?:RSA )?PUBLIC KEY-----", re.DOTALL)
# An RSA key of 16,384 bits, in lines of 64 characters, has fewer.
_MAX_LINES = 50
_SSH2_HEADER = re.compile(r"^[A-Za-z0-9-]{1,64}: (?:.*\\\n)*.*$", re.MULTILINE)
_FINGERPRINT = re.compile(r"(?:^|\s)(?:SHA256:[A-Za-z0-9+/]{43}|(?:MD5:)?(?:[0-9a-f]{2}:){15}[0-9a-f]{2})")
_KEY = re.compile(rf"(?:^|\s)(?:{'|'.join(TYPES)})\s+AAAA")
_PATH = re.compile(r"[~./\\]?\S*\.(?:pub|pem|ppk|key)|~\S*|/\S+|[A-Z]:\\\S+")


def one_line(text: str) -> str:
    """`type base64 comment`: as given, or converted from RFC 4716 or PEM; ValueError names everything else."""
    _refuse_private(text)
    text = text.strip()
    if ssh2 := _SSH2.fullmatch(text):
        return _line_of_blob(_joined(_SSH2_HEADER.sub("", ssh2[1]), "RFC 4716"), "RFC 4716")
    if pem := _PEM.fullmatch(text):
        return _line_of_pem(_joined(pem[1], "PEM"))
    _refuse_other_files(text)
    # Lines that are pasted without `|` are one line, whose second key would be taken for the first one's comment.
    if (count := len(_KEY.findall(text))) > 1:
        raise Refused(
            found=f"{count} keys, one a line, as in an authorized_keys file",
            expected=f"one key; {ONE_LINE}",
            do="give each key an entry of its own under `keys:`, with its own label",
        )
    if len(text.splitlines()) > 1 or _is_wrapped(text):
        _refuse_lines(text)
    return text


def _refuse_private(text: str) -> None:
    if "PuTTY-User-Key-File" in text or "Private-Lines" in text:
        raise Refused(
            found=PRIVATE_KEY,
            expected=f"a public key, and this is PuTTY's .ppk file, which holds the private one; {ONE_LINE}",
            do="have the client destroy it, make a new pair with PuTTYgen, and send the text that PuTTYgen shows under "
            "“Public key for pasting into OpenSSH authorized_keys file”",
        )
    if "PRIVATE KEY" in text or "b3BlbnNzaC1rZXktdjE" in text:
        raise Refused(
            found=PRIVATE_KEY,
            expected=f"the public one; {ONE_LINE}",
            do="have the client destroy it, make a new pair, and send the .pub file's content only",
        )


def _refuse_other_files(text: str) -> None:
    for sign, found, do in (
        (
            "BEGIN SSH2 PUBLIC KEY",
            "an RFC 4716 (SSH2) public key that is not whole",
            "paste it whole, from BEGIN to END, below `public_key: |`",
        ),
        (
            "PUBLIC KEY-----",
            "a PEM public key that is not whole",
            "paste it whole, from BEGIN to END, below `public_key: |`",
        ),
        ("BEGIN PGP", "a PGP key, which encrypts files and logs nobody in", ASK_AGAIN),
        ("BEGIN CERTIFICATE", "an X.509 certificate", ASK_AGAIN),
        ("-----BEGIN", "a PEM file that is no public key", ASK_AGAIN),
    ):
        if sign in text:
            raise Refused(found=found, expected=ONE_LINE, do=do)
    if _FINGERPRINT.search(text) and "AAAA" not in text:
        raise Refused(found="a key's fingerprint, not the key", expected=ONE_LINE, do=ASK_AGAIN)
    if _PATH.fullmatch(text):
        raise Refused(found="the name of a file, not its content", expected=ONE_LINE, do="paste the file's content")


def _refuse_lines(text: str) -> None:
    if any(line.lstrip().startswith("#") for line in text.splitlines()):
        raise Refused(found="a key with lines of comment", expected=ONE_LINE, do="remove the lines that begin with #")
    raise Refused(
        found="one key, broken over several lines",
        expected=ONE_LINE,
        do="join its lines without blanks between them",
    )


def _is_wrapped(text: str) -> bool:
    """Whether blanks stand inside the base64: the parts make a key only when joined."""
    type_, _, rest = text.partition(" ")
    parts = rest.split()[:_MAX_LINES]
    return (
        type_ in TYPES
        and any(_is_blob("".join(parts[:count]), type_) for count in range(2, len(parts) + 1))
        and not _is_blob(parts[0], type_)
    )


def _is_blob(text: str, type_: str) -> bool:
    try:
        load_ssh_public_key(f"{type_} {text}".encode())
    except (ValueError, UnsupportedAlgorithm, NotImplementedError):
        return False
    return True


def _joined(body: str, name: str) -> bytes:
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error as error:
        raise _broken(name) from error


def _line_of_blob(blob: bytes, name: str) -> str:
    """RFC 4716 holds what an OpenSSH line holds; the key's type is its first field, after 4 bytes of length."""
    type_ = blob[4 : 4 + int.from_bytes(blob[:4])]
    if not re.fullmatch(rb"[a-z0-9@.-]+", type_):
        raise _broken(name)
    return f"{type_.decode()} {base64.b64encode(blob).decode()}"


def _line_of_pem(der: bytes) -> str:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _broken("PEM") from error
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise Refused(found="a PEM public key of a kind that SSH does not use", expected=ONE_LINE, do=ASK_AGAIN)
    try:
        return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    except ValueError as error:
        raise Refused(
            found="a PEM public key on a curve that SSH does not use", expected=ONE_LINE, do=ASK_AGAIN
        ) from error


def _broken(name: str) -> Refused:
    return Refused(
        found=f"a damaged {name} public key",
        expected=f"the whole text from BEGIN to END, below `public_key: |`; or {ONE_LINE}",
        do="paste it again",
    )
