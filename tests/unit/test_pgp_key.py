"""PGP keys of clients: which are accepted in which form, and what is said of the others. GnuPG's are in readers/."""

import base64
import re
import textwrap
import warnings
from itertools import count

import pysequoia
import pytest
from pysequoia import Cert, CipherSuite, Profile, Tsk
from pysequoia.packet import Packet, PacketPile, SignatureType, Tag

from referral_delivery.agreement.pgp_armour import MAX_FILE_BYTES
from referral_delivery.agreement.pgp_key import MAX_CERTIFICATE_BYTES, parse
from tests.pgp import USER_ID, later, now, secret_key

ACME, OTHER = secret_key(days=400), secret_key("Other <o@other.example>")
CERTIFICATE = ACME.extract_certificate()
BINARY, ARMOURED = bytes(CERTIFICATE), str(CERTIFICATE)
FINGERPRINT = CERTIFICATE.fingerprint.upper()


def packets(key: Cert = CERTIFICATE) -> list[Packet]:
    return list(PacketPile.from_bytes(bytes(key)))


def joined(*parts: Packet) -> bytes:
    return b"".join(map(bytes, parts))


def said(content: bytes, **moment: int) -> str:
    with pytest.raises(ValueError, match=r"^found .*; expected .*; .+") as refused:
        parse(content, moment=later(moment.get("days", 0)))
    return str(refused.value)


def quoted(text: str, prefix: str) -> str:
    return textwrap.indent(text, prefix, lambda _: True)


FORMS: dict[str, bytes] = {
    "armoured": ARMOURED.encode(),
    "binary": BINARY,
    "with CRLF": ARMOURED.replace("\n", "\r\n").encode(),
    "with a BOM": b"\xef\xbb\xbf" + ARMOURED.encode(),
    "in UTF-16, as PowerShell writes": ARMOURED.replace("\n", "\r\n").encode("utf-16"),
    "in a mail": f"Évidemment!\nHere is our key:\n\n{ARMOURED}\n-- \nCRM team\n".encode(),
    "in a quoted mail": f"On Monday you wrote:\n{quoted(ARMOURED, '> ')}".encode(),
    "indented": quoted(ARMOURED, "    ").encode(),
    "in a signed mail": (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{ARMOURED.replace('-----BEGIN', '- -----BEGIN')}"
    ).encode(),
    "with its blank lines doubled": ARMOURED.replace("\n", "\n\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_read_from_every_form_that_it_is_sent_in(form: str) -> None:
    key = parse(FORMS[form], moment=now())
    assert (key.fingerprint, key.user_ids) == (FINGERPRINT, (USER_ID,))


@pytest.mark.parametrize("profile", [Profile.RFC4880, Profile.RFC9580])
@pytest.mark.parametrize("suite", ["Cv25519", "Cv448", "P256", "P384", "P521", "RSA2k"])
def test_every_strong_kind_of_key_is_accepted(suite: str, profile: Profile) -> None:
    made = Tsk.generate(USER_ID, profile=profile, cipher_suite=getattr(CipherSuite, suite))
    key = parse(bytes(made.extract_certificate()), moment=now())
    message = pysequoia.encrypt(b"rows", recipients=[Cert.from_bytes(key.certificate)])
    assert pysequoia.decrypt(message, made.decryptor()).bytes == b"rows"


def test_what_is_kept_is_the_primary_key_one_user_id_and_one_subkey() -> None:
    more = CERTIFICATE.add_user_id("A second <2@acme.example>", ACME.certifier())
    key = parse(bytes(more), moment=now())
    kept = packets(Cert.from_bytes(key.certificate))
    assert [str(each.tag) for each in kept if each.tag != Tag.Signature] == [
        "Tag.PublicKey",
        "Tag.UserID",
        "Tag.PublicSubkey",
    ]
    assert set(key.user_ids) == {USER_ID, "A second <2@acme.example>"}
    assert len(key.certificate) < len(BINARY)


def test_a_user_id_is_shown_in_one_line_of_a_readable_length() -> None:
    for user_id, shown in (("a\x1b[2J\nb", "a?[2J?b"), ("x" * 100, "x" * 100), ("x" * 101, "x" * 100 + "…")):
        assert parse(bytes(secret_key(user_id).extract_certificate()), moment=now()).user_ids == (shown,)


def test_the_end_is_that_of_the_primary_key() -> None:
    key = parse(BINARY, moment=now())
    assert key.expires == CERTIFICATE.expiration
    assert parse(bytes(OTHER.extract_certificate()), moment=now()).expires is None


def test_an_expired_key_is_refused_and_the_client_told_how_to_extend_it() -> None:
    assert parse(BINARY, moment=later(399)).expires == CERTIFICATE.expiration
    day, subkey = f"{CERTIFICATE.expiration:%Y-%m-%d}", str(packets()[-2].fingerprint).upper()
    assert said(BINARY, days=401) == (
        f"found a key that expired on {day}; expected a key that files can be encrypted to now; ask the client to "
        f"extend it, `gpg --quick-set-expire {FINGERPRINT} 1y` and `gpg --quick-set-expire {FINGERPRINT} 1y {subkey}`, "
        "and to export it again; or for a new key"
    )


def test_a_key_of_which_only_the_primary_key_was_extended_ends_with_its_subkey() -> None:
    extended = bytes(CERTIFICATE.set_expiration(later(800), ACME.certifier()))
    assert parse(extended, moment=now()).expires == CERTIFICATE.expiration
    subkey, day = str(packets()[-2].fingerprint).upper(), f"{CERTIFICATE.expiration:%Y-%m-%d}"
    assert (
        f"found a key whose encryption subkey expired on {day}, though the key itself lives "
        "on; expected a key that files can be encrypted to now; ask the client to extend it, "
        f"`gpg --quick-set-expire {FINGERPRINT} 1y {subkey}`, and"
    ) in said(extended, days=401)


def test_a_key_of_the_future_is_refused() -> None:
    assert f"found a key that was made on {now():%Y-%m-%d}, which is yet to come" in said(BINARY, days=-3)


def test_a_revoked_key_is_refused() -> None:
    revoked = BINARY + bytes(CERTIFICATE.revoke(ACME.certifier()))
    assert f"found the key {FINGERPRINT}, which its owner has revoked" in said(revoked)


def test_a_key_that_only_signs_is_refused() -> None:
    without_subkey = joined(*packets()[:-2])
    assert said(without_subkey) == (
        "found a key that signs only: no part of it encrypts; expected a key with an encryption subkey; ask the client "
        f"to add one, `gpg --quick-add-key {FINGERPRINT} rsa3072 encr`, and to export the key again"
    )


def test_a_subkey_of_another_key_is_not_encrypted_to() -> None:
    primary, foreign = packets()[:4], packets(OTHER.extract_certificate())[-2:]
    assert "found a key that signs only" in said(joined(*primary, *foreign))


def test_a_subkey_whose_binding_was_changed_is_not_encrypted_to() -> None:
    *kept, binding = packets()
    changed = bytearray(bytes(binding))
    changed[-5] ^= 1
    assert "its own signatures do not prove; expected" in said(joined(*kept) + bytes(changed))


def test_a_key_whose_own_signature_was_changed_is_refused() -> None:
    changed = [bytearray(bytes(each)) for each in packets()]
    for each, packet in zip(changed, packets(), strict=True):
        if packet.signature_type in (SignatureType.DirectKey, SignatureType.PositiveCertification):
            each[-5] ^= 1
    assert f"found a key whose part {FINGERPRINT} its own signatures do not prove" in said(b"".join(changed))


def test_a_secret_key_is_refused_and_never_quoted() -> None:
    with warnings.catch_warnings(action="ignore"):
        secrets = {"armoured": str(ACME).encode(), "binary": bytes(ACME), "after a public one": BINARY + bytes(OTHER)}
    secrets["after an armoured public one"] = ARMOURED.encode() + secrets["armoured"]
    secrets["in UTF-16"] = secrets["armoured"].decode().encode("utf-16")
    body = secrets["armoured"].decode().splitlines()[4:]
    for form, content in secrets.items():
        message = said(content)
        assert message.startswith("found a secret key, which nobody but the client may ever hold;"), form
        assert not [line for line in body if line in message]


def test_several_keys_in_a_file_are_named_and_refused() -> None:
    other = OTHER.extract_certificate()
    for content in (BINARY + bytes(other), (ARMOURED + str(other)).encode()):
        assert f"found 2 keys in one file: {FINGERPRINT}, {other.fingerprint.upper()}; expected one key a file" in said(
            content
        )


def checked(binary: bytes, checksum: str) -> bytes:
    """Armour with a checksum, as GnuPG writes it and Sequoia does not."""
    lines = "\n".join(textwrap.wrap(base64.b64encode(binary).decode(), 64))
    return (
        f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{lines}\n={checksum}\n-----END PGP PUBLIC KEY BLOCK-----\n".encode()
    )


@pytest.mark.parametrize(
    "content",
    [
        BINARY[:-20],
        BINARY[: len(BINARY) // 2],
        ARMOURED[: len(ARMOURED) // 2].encode(),
        ARMOURED.replace("\n", "\n!", 8).encode(),
        ARMOURED.replace("-----BEGIN", "----BEGIN").encode(),
        checked(BINARY, "AAAA"),
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n",
        b"\xff\xd8\xff" + bytes(range(256)),
    ],
)
def test_a_damaged_key_is_refused(content: bytes) -> None:
    assert said(content).startswith("found a damaged OpenPGP key; expected the client's OpenPGP public key")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b" \r\n\xef\xbb\xbf", "an empty file"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1 crm@acme", "an SSH key"),
        (b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----", "an SSH key"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "an X.509 certificate"),
        (b"-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----", "a PKCS #7 file"),
        (b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", "a bare PEM public key"),
        (b"-----BEGIN DH PARAMETERS-----\nMIIB\n-----END DH PARAMETERS-----", "a PEM file that is no OpenPGP key"),
        (b"\x30\x82\x01\x02\x30", "an X.509 certificate or PKCS #7 file"),
        (b"  <!DOCTYPE html>\n<html>", "a web page, not the key that it shows"),
        (b"\x00\x00\x00\x20\x01\x01\x00\x02KBXf\x00\x00", "GnuPG's own keyring (pubring.kbx)"),
        (FINGERPRINT.encode(), "a key's fingerprint or number, not the key"),
        (b"6078 7F64 72A9 ADEC 0CC8  6508 A190 3241 4D5C AD6E\n", "a key's fingerprint or number, not the key"),
        (b"crm@acme.example", "nothing of OpenPGP"),
        (b"x" * (MAX_FILE_BYTES + 1), "a file of more than 1,048,576 bytes"),
        (pysequoia.encrypt(b"x", recipients=[CERTIFICATE], armor=True), "an OpenPGP message, not a key"),
        (pysequoia.encrypt(b"x", recipients=[CERTIFICATE], armor=False), "an OpenPGP message, not a key"),
        (pysequoia.sign(ACME.signer(), b"x", mode=pysequoia.SignatureMode.DETACHED), "an OpenPGP signature"),
        (bytes(CERTIFICATE.revoke(ACME.certifier())), "an OpenPGP signature, not a key"),
        (
            pysequoia.sign(ACME.signer(), b"x", mode=pysequoia.SignatureMode.CLEAR),
            "a signed OpenPGP message, not a key",
        ),
    ],
    ids=count(),  # the keys are new in each process
)
def test_what_is_no_key_is_refused_by_its_name(content: bytes, found: str) -> None:
    message = said(content)
    assert message.startswith(f"found {found}")
    assert re.search(r"; ask the client for what `gpg --armor .*--export` prints for its key$", message)


def test_a_key_that_is_too_large_for_a_contract_is_refused() -> None:
    large = Tsk.generate(USER_ID, profile=Profile.RFC9580, cipher_suite=CipherSuite.MLDSA87_Ed448)
    assert f"expected at most {MAX_CERTIFICATE_BYTES:,} bytes" in said(bytes(large.extract_certificate()))


def test_a_file_with_much_that_is_not_needed_is_accepted() -> None:
    certificate = CERTIFICATE
    for number in range(100):
        certificate = certificate.add_user_id(f"{number} <{number}@acme.example>", ACME.certifier())
    assert len(bytes(certificate)) > MAX_CERTIFICATE_BYTES
    assert len(parse(bytes(certificate), moment=now()).certificate) < len(BINARY)
