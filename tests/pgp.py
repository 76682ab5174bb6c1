"""OpenPGP keys, made when a test runs, and messages read back by Sequoia."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pysequoia
from pysequoia import Tsk

from referral_delivery.agreement import pgp_key
from referral_delivery.agreement.recipient import Recipient

USER_ID = "Acme CRM <crm@acme.example>"


def secret_key(user_id: str = USER_ID, *, days: int | None = None) -> Tsk:
    """A new Curve25519 key, which ends after so many days."""
    return Tsk.generate(user_id, validity_seconds=days and days * 86_400)


def now() -> datetime:
    """This moment: keys are made by Sequoia's clock, which no test can set."""
    return datetime.now(UTC)


def recipient(key: Tsk | bytes) -> Recipient:
    """A key, or a key file's content, as a contract carries it."""
    content = bytes(key.extract_certificate()) if isinstance(key, Tsk) else key
    read = pgp_key.parse(content, moment=now())
    return Recipient(
        fingerprint=read.fingerprint,
        user_id=read.user_ids[0],
        expires=read.expires,
        certificate=b64encode(read.certificate).decode(),
    )


def decrypted(message: bytes, key: Tsk, *, signed_by: Tsk | None = None) -> bytes:
    """What Sequoia reads; where a signer is given, its one good signature is required."""
    store = (lambda _: [signed_by.extract_certificate()]) if signed_by else None
    read = pysequoia.decrypt(message, key.decryptor(), store)
    assert [each.certificate for each in read.valid_sigs] == (
        [signed_by.extract_certificate().fingerprint] if signed_by else []
    )
    assert read.bytes is not None
    return read.bytes


def later(days: int) -> datetime:
    """A moment so many days from now."""
    return now() + timedelta(days=days)
