"""A recipient's OpenPGP certificate, parsed for real, and cut down to what is needed to encrypt to it.

Accepted: what Sequoia can use, without SHA-1, and RSA from 2,048 bits up. Sequoia proves the signatures. Of a key that
it is to encrypt to it asks neither whether it has expired nor whether it is revoked: so that is asked here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pysequoia
from pysequoia.packet import Packet, PacketPile, Tag

from referral_delivery.agreement.pgp_armour import ASK_FOR_EXPORT, PUBLIC_KEY_FILE, damaged, packets, secret_key
from referral_delivery.agreement.pgp_parts import MIN_RSA_BITS, Part, encrypts, parts, rank, strong
from referral_delivery.agreement.refusal import Refused

# A contract travels in a schedule's input and is one item of the ledger, of 400 KB at most, with up to a few keys.
MAX_CERTIFICATE_BYTES = 16 * 1024
# How far a client's clock may be ahead of ours.
CLOCKS_DIFFER = timedelta(days=1)
ASK_FOR_NEW_KEY = "ask the client for a new key: Curve25519, or RSA of 3,072 bits"
_STRONG_KEY = f"a key on Curve25519 or a NIST curve, or RSA of at least {MIN_RSA_BITS:,} bits"
_USABLE_KEY = "a key that files can be encrypted to now"
_ADD_SUBKEY = "ask the client to add one, `gpg --quick-add-key {} rsa3072 encr`, and to export the key again"
_SHOWN_KEYS = 3
MAX_USER_ID_CHARACTERS = 100


@dataclass(frozen=True)
class PgpKey:
    """One accepted certificate: the primary key, one user ID, and the one key of it that files are encrypted to.

    `expires` is the earlier of the primary key's and that key's end, aware, UTC; None where neither ends.
    """

    fingerprint: str  # in capitals, as GnuPG prints it
    user_ids: tuple[str, ...]
    expires: datetime | None
    certificate: bytes


def parse(content: bytes, *, moment: datetime) -> PgpKey:
    """The one certificate in a key file, as it is at `moment`; Refused says what it is instead and what to do.

    No message repeats the content: it may be a secret key.
    """
    certificate = _certificate(packets(content))
    primary, *others = parts(certificate)
    _check(certificate, primary, moment)
    head = _head(primary, [each for each in others if each.packet.tag == Tag.UserID])
    keys = [primary, *(each for each in others if each.packet.tag == Tag.PublicSubkey)]
    minimal, key, key_ends = _minimal(head, keys)
    expires = min((end for end in (minimal.expiration, key_ends) if end), default=None)
    if expires and expires <= moment:
        raise _expired(primary, key, minimal.expiration, key_ends, moment)
    if (size := len(bytes(minimal))) > MAX_CERTIFICATE_BYTES:
        raise Refused(
            found=f"a key of {size:,} bytes, without all that is not needed to encrypt",
            expected=f"at most {MAX_CERTIFICATE_BYTES:,} bytes, which go with every delivery's contract",
            do=ASK_FOR_NEW_KEY,
        )
    user_ids = tuple(_legible(str(each)) for each in certificate.user_ids)
    return PgpKey(primary.fingerprint, user_ids, expires, bytes(minimal))


def _legible(user_id: str) -> str:
    """A user ID in one line of a message: whoever makes a key writes into it what he likes."""
    shown = "".join(each if each.isprintable() else "?" for each in user_id[:MAX_USER_ID_CHARACTERS])
    return shown if len(user_id) <= MAX_USER_ID_CHARACTERS else f"{shown}…"


def _certificate(binary: bytes) -> pysequoia.Cert:
    """The file's one certificate; nothing of it is believed yet but its form."""
    try:
        found = list(PacketPile.from_bytes(binary))
    except RuntimeError as error:
        raise damaged() from error
    tags = [packet.tag for packet in found]
    if Tag.SecretKey in tags or Tag.SecretSubkey in tags:
        raise secret_key()
    if tags[:1] != [Tag.PublicKey]:
        raise Refused(found=_not_a_key(tags), expected=PUBLIC_KEY_FILE, do=ASK_FOR_EXPORT)
    keys = [str(packet.fingerprint).upper() for packet in found if packet.tag == Tag.PublicKey]
    if len(keys) > 1:
        raise Refused(
            found=f"{len(keys)} keys in one file: {', '.join(keys[:_SHOWN_KEYS])}{' …' * (len(keys) > _SHOWN_KEYS)}",
            expected="one key a file",
            do="export each by its fingerprint, `gpg --armor --export FINGERPRINT`, into a file of its own",
        )
    try:
        return pysequoia.Cert.from_packets(found)
    except RuntimeError as error:
        raise damaged() from error


def _not_a_key(tags: Sequence[Tag]) -> str:
    if Tag.SEIP in tags or Tag.PKESK in tags or Tag.SKESK in tags:
        return "an OpenPGP message, not a key"
    if tags[:1] == [Tag.Signature]:
        return "an OpenPGP signature, not a key"
    return "an OpenPGP file that is no key"


def _check(certificate: pysequoia.Cert, primary: Part, moment: datetime) -> None:
    """Refuse what no subkey can make good."""
    if certificate.is_revoked:
        raise Refused(
            found=f"the key {primary.fingerprint}, which its owner has revoked",
            expected=_USABLE_KEY,
            do="ask the client for the key that replaces it",
        )
    if weakness := primary.weakness:
        raise Refused(found=weakness, expected=_STRONG_KEY, do=ASK_FOR_NEW_KEY)
    made = primary.packet.key_created
    if made and made > moment + CLOCKS_DIFFER:
        raise Refused(
            found=f"a key that was made on {made:%Y-%m-%d}, which is yet to come",
            expected=_USABLE_KEY,
            do="ask the client to set its computer's clock right, and to make a new key",
        )


def _head(primary: Part, user_ids: list[Part]) -> list[Packet]:
    """The primary key and one user ID, with the newest signatures that say what the key is for and when it ends."""
    own = [*primary.bindings, *(each for user_id in user_ids for each in user_id.bindings)]
    if own and not strong(own):
        raise _weak_signatures(primary, "the key itself is")
    start = [primary.packet, *strong(primary.bindings)[:1]]
    ranked = [
        (rank(bindings[0]), [*start, each.packet, bindings[0]])
        for each in user_ids
        if not each.is_revoked and (bindings := strong(each.bindings))
    ]
    heads = [head for _, head in sorted(ranked, key=lambda pair: pair[0], reverse=True)]
    for head in [*heads, start]:
        if _is_proved(head):
            return head
    raise _unproved(primary)


def _minimal(head: list[Packet], keys: list[Part]) -> tuple[pysequoia.Cert, Part, datetime | None]:
    """The certificate with the one key that encrypts and lives longest, that key, and its end."""
    usable: list[tuple[Part, Sequence[Packet | None]]] = []
    refusals: list[Refused] = []
    for key in keys:
        is_primary = key.packet.tag == Tag.PublicKey
        bindings = [each for each in head if each.tag == Tag.Signature] if is_primary else key.bindings
        if not encrypts(bindings if is_primary else bindings[:1]):
            continue
        if key.is_revoked:
            refusals.append(_revoked_subkey(keys[0]))
        elif weakness := key.weakness:
            refusals.append(Refused(found=f"{weakness} to encrypt to", expected=_STRONG_KEY, do=ASK_FOR_NEW_KEY))
        elif not strong(bindings):
            refusals.append(_weak_signatures(keys[0], "its encryption subkey is"))
        else:
            usable.append((key, [None] if is_primary else strong(bindings)))
    usable.sort(key=lambda each: each[0].lifetime(each[1][0]), reverse=True)
    for key, binding in ((key, binding) for key, bindings in usable for binding in bindings):
        certificate = pysequoia.Cert.from_packets([*head, *([key.packet, binding] if binding else [])])
        if _is_encrypted_to(certificate):
            return certificate, key, key.ends(binding)
    if usable:
        raise _unproved(usable[0][0])
    raise refusals[0] if refusals else _signs_only(keys[0])


def _is_proved(head: list[Packet]) -> bool:
    """Whether Sequoia can check the primary key's own signatures, and finds them right."""
    try:
        # Asked for what it does, not for what it is: it fails where no signature holds.
        _ = pysequoia.Cert.from_packets(head).expiration
    except RuntimeError:
        return False
    return True


def _is_encrypted_to(certificate: pysequoia.Cert) -> bool:
    """Whether Sequoia does encrypt to a certificate: its subkey's binding is proved by that, too."""
    try:
        pysequoia.encrypt(b"", recipients=[certificate])
    except RuntimeError:
        return False
    return True


def _expired(
    primary: Part, key: Part, primary_ends: datetime | None, key_ends: datetime | None, now: datetime
) -> Refused:
    extend = f"gpg --quick-set-expire {primary.fingerprint} 1y"
    commands = []
    if primary_ends and primary_ends <= now:
        found = f"a key that expired on {primary_ends:%Y-%m-%d}"
        commands.append(f"`{extend}`")
    else:
        found = f"a key whose encryption subkey expired on {key_ends:%Y-%m-%d}, though the key itself lives on"
    if key_ends and key_ends <= now:
        commands.append(f"`{extend} {key.fingerprint}`")
    return Refused(
        found=found,
        expected=_USABLE_KEY,
        do=f"ask the client to extend it, {' and '.join(commands)}, and to export it again; or for a new key",
    )


def _revoked_subkey(primary: Part) -> Refused:
    return Refused(
        found="a key whose encryption subkey is revoked",
        expected=_USABLE_KEY,
        do=_ADD_SUBKEY.format(primary.fingerprint),
    )


def _signs_only(primary: Part) -> Refused:
    return Refused(
        found="a key that signs only: no part of it encrypts",
        expected="a key with an encryption subkey",
        do=_ADD_SUBKEY.format(primary.fingerprint),
    )


def _weak_signatures(primary: Part, what: str) -> Refused:
    sign = f"gpg --cert-digest-algo SHA256 --quick-set-expire {primary.fingerprint} 1y"
    return Refused(
        found=f"a key of which {what} proved by SHA-1 or MD5 only, which can be forged",
        expected="signatures that rest on SHA-256 or better",
        do=f"ask the client to sign it anew, `{sign}`, "
        "and again with '*' at the end for its subkeys, and to export it again; or for a new key",
    )


def _unproved(key: Part) -> Refused:
    return Refused(
        found=f"a key whose part {key.fingerprint} its own signatures do not prove",
        expected=f"{PUBLIC_KEY_FILE}, whole and unchanged; {_STRONG_KEY}",
        do="ask the client to export it again; where that is no better, for a new key",
    )
