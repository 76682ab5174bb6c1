"""The file that a client sends as its OpenPGP key → the packets in it, before anything is believed of them.

Binary or armoured, as mails have it: with a greeting above, quoted, with CRLF, a BOM, or in UTF-16 as PowerShell
writes. What is no public key is refused by its name. No message repeats the content: it may be a secret key.
"""

import base64
import binascii
import codecs
import re

from referral_delivery.agreement.refusal import Refused

PUBLIC_KEY_FILE = "the client's OpenPGP public key, as `gpg --armor --export` writes it"
ASK_FOR_EXPORT = "ask the client for what `gpg --armor --export` prints for its key"
# A key with every signature that others have put on it is larger only where somebody has flooded it.
MAX_FILE_BYTES = 1024 * 1024

_BEGIN = re.compile(r"^(?P<prefix>[ \t>|]*(?:- )?)-----BEGIN (?P<kind>[A-Z0-9 ]+?)-----[ \t]*$", re.MULTILINE)
_PUBLIC = "PGP PUBLIC KEY BLOCK"
_SECRET = re.compile(r"BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9 -]*: ")
_CHECKSUM = re.compile(r"=[A-Za-z0-9+/]{4}")
_FINGERPRINT = re.compile(r"(?:0x)?(?:[0-9A-Fa-f]{4}[ ]*){4,16}")
# https://www.rfc-editor.org/rfc/rfc9580#section-6.1
_CRC24_START, _CRC24_POLYNOMIAL, _CRC24_MASK = 0xB704CE, 0x1864CFB, 0xFFFFFF
# The first bit of every packet. https://www.rfc-editor.org/rfc/rfc9580#section-4.2
_PACKET = b"\x80"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def packets(content: bytes) -> bytes:
    """The binary packets of the one public key block in a file, or of a binary file; Refused for every other file."""
    if len(content) > MAX_FILE_BYTES:
        raise Refused(
            found=f"a file of more than {MAX_FILE_BYTES:,} bytes",
            expected=f"{PUBLIC_KEY_FILE}, alone",
            do="ask the client for what `gpg --armor --export-options export-minimal --export` prints for its key",
        )
    text = _text(content)
    if _SECRET.search(text):
        raise secret_key()
    begins = list(_BEGIN.finditer(text))
    kinds = [begin["kind"] for begin in begins]
    if _PUBLIC in kinds:
        return b"".join(_decoded(text, begin) for begin in begins if begin["kind"] == _PUBLIC)
    if not kinds and content[:1] >= _PACKET and not content.startswith((codecs.BOM_UTF8, *_UTF_16)):
        return content
    raise _other_file(content, text, kinds)


def secret_key() -> Refused:
    """What is said of any file with a secret key in it."""
    return Refused(
        found="a secret key, which nobody but the client may ever hold",
        expected=PUBLIC_KEY_FILE,
        do="have the client revoke it and make a new one, take the file out of the repository and its history, and "
        "ask for the public key only: `gpg --armor --export`, not `--export-secret-keys`",
    )


def damaged() -> Refused:
    """What is said of a public key that is not whole."""
    return Refused(
        found="a damaged OpenPGP key",
        expected=f"{PUBLIC_KEY_FILE}, whole and unchanged",
        do="copy the file again, as an attachment and not out of a mail's text; a part is missing or changed",
    )


def _text(content: bytes) -> str:
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    return "\n".join(content.decode(encoding, errors="replace").splitlines())


def _decoded(text: str, begin: re.Match[str]) -> bytes:
    """One armoured block's bytes; its checksum is held against them, which a reader may leave out (RFC 9580, 6.1)."""
    body, end, _ = text[begin.end() :].partition(f"-----END {_PUBLIC}-----")
    if not end:
        raise damaged()
    prefix = begin["prefix"].strip()
    lines = [line.strip().removeprefix(prefix).strip() for line in body.splitlines()]
    lines = [line for line in lines if line and not _HEADER.match(line)]
    checksum = lines.pop()[1:] if lines and _CHECKSUM.fullmatch(lines[-1]) else None
    try:
        decoded = base64.b64decode("".join(lines), validate=True)
        expected = base64.b64decode(checksum) if checksum else None
    except binascii.Error as error:
        raise damaged() from error
    if not decoded or (expected is not None and _crc24(decoded) != int.from_bytes(expected)):
        raise damaged()
    return decoded


def _crc24(octets: bytes) -> int:
    crc = _CRC24_START
    for octet in octets:
        crc = (crc << 8 & _CRC24_MASK) ^ _CRC24_TABLE[crc >> 16 ^ octet]
    return crc


def _crc24_of_octet(octet: int) -> int:
    crc = octet << 16
    for _ in range(8):
        crc = crc << 1 ^ (_CRC24_POLYNOMIAL if crc & 0x800000 else 0)
    return crc & _CRC24_MASK


_CRC24_TABLE = [_crc24_of_octet(octet) for octet in range(256)]

_KINDS = (
    ("PGP MESSAGE", "an OpenPGP message, not a key"),
    ("PGP SIGNED MESSAGE", "a signed OpenPGP message, not a key"),
    ("PGP SIGNATURE", "an OpenPGP signature, not a key"),
    ("PGP", "an OpenPGP file that is no key"),
    ("PKCS7", "a PKCS #7 file (S/MIME), which is no OpenPGP key"),
    ("CERTIFICATE", "an X.509 certificate (TLS or S/MIME), which is no OpenPGP key"),
    ("PUBLIC KEY", "a bare PEM public key, which is no OpenPGP key"),
)
_BEGINNINGS = (
    (re.compile(rb"(?:ssh-|ecdsa-sha2-|sk-)\S+ AAAA|---- BEGIN SSH2 PUBLIC"), "an SSH key, which encrypts no files"),
    (re.compile(rb"<(?:!doctype|html|\?xml)", re.IGNORECASE), "a web page, not the key that it shows"),
    (re.compile(rb"\x30[\x80-\x84]"), "an X.509 certificate or PKCS #7 file (S/MIME), which is no OpenPGP key"),
    (re.compile(rb".{8}KBXf", re.DOTALL), "GnuPG's own keyring (pubring.kbx), not a key that it has exported"),
)


def _other_file(content: bytes, text: str, kinds: list[str]) -> Refused:
    if not text.strip("\ufeff \n\t"):
        found = "an empty file"
    elif kinds:
        found = next((said for kind, said in _KINDS if kind in kinds[0]), "a PEM file that is no OpenPGP key")
    elif said := next((said for beginning, said in _BEGINNINGS if beginning.match(content.lstrip())), None):
        found = said
    elif _FINGERPRINT.fullmatch(text.strip()):
        found = "a key's fingerprint or number, not the key"
    elif "BEGIN PGP PUBLIC KEY" in text:
        return damaged()
    else:
        found = "nothing of OpenPGP"
    return Refused(found=found, expected=PUBLIC_KEY_FILE, do=ASK_FOR_EXPORT)
