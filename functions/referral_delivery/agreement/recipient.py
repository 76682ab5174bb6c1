"""Whom a client's files are encrypted to, as a contract carries it: nothing here parses OpenPGP."""

from base64 import b64decode
from datetime import datetime
from typing import Annotated, Any, Protocol

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from referral_delivery.agreement import spellings
from referral_delivery.agreement.refusal import Refused
from referral_delivery.agreement.spellings import YesOrNo

# With a certificate's limit, what is left of an event beside the largest attributes (contract.py).
MAX_RECIPIENTS = 5
_KEY_FILE = r"(?:keys/)?[A-Za-z0-9][A-Za-z0-9_.@-]*"
_FINGERPRINT = r"(?:0x)?(?:[0-9A-Fa-f]{4}\s*){10}(?:(?:[0-9A-Fa-f]{4}\s*){6})?"


class Recipient(BaseModel):
    """One OpenPGP key of a client; `certificate` is, in base64, what is needed to encrypt to it and no more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str  # in capitals, as GnuPG prints it
    user_id: str
    expires: AwareDatetime | None = None
    certificate: str

    def has_expired(self, moment: datetime) -> bool:
        """Whether nothing may be encrypted to the key any more."""
        return self.expires is not None and self.expires <= moment

    @property
    def octets(self) -> bytes:
        """The certificate itself."""
        return b64decode(self.certificate)

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.fingerprint} ({self.user_id})" if self.user_id else self.fingerprint

    @classmethod
    def recalled(cls, plain: dict[str, Any]) -> "Recipient":
        """A recipient as a contract in the ledger has it, unchecked."""
        expires = plain.get("expires")
        return cls.model_construct(
            fingerprint=plain["fingerprint"],
            user_id=plain["user_id"],
            expires=datetime.fromisoformat(expires) if expires else None,
            certificate=plain["certificate"],
        )


class KeyFiles(Protocol):
    """The key files beside a client file, which its recipients name."""

    def recipient(self, name: str) -> Recipient:
        """The key in a file, or of a fingerprint; Refused where there is none that can be used."""


def _of_key_file(value: Any, info: ValidationInfo) -> Any:
    """A client file names a key; a contract holds it."""
    files: KeyFiles | None = (info.context or {}).get("key_files")
    if files is None:
        return value
    if not isinstance(value, str):
        raise Refused(
            expected="the name of a key file, or a fingerprint", do="write it like `recipients: [keys/acme.asc]`"
        )
    return files.recipient(value)


class Pgp(BaseModel):
    """OpenPGP: who alone can read a client's files, and whether the platform signs them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipients: Annotated[
        tuple[Annotated[Recipient, BeforeValidator(_of_key_file)], ...],
        BeforeValidator(
            spellings.listed,
            json_schema_input_type=spellings.input_type(rf"(?:{_KEY_FILE}|{_FINGERPRINT})", least=1),
        ),
    ] = Field(
        min_length=1,
        max_length=MAX_RECIPIENTS,
        description="Key files in the folder keys beside this file, or fingerprints of keys there; several in rotation",
    )
    sign: YesOrNo = Field(default=False, description="Sign with the platform's key (the setting pgp_signing_secret)")

    @field_validator("recipients")
    @classmethod
    def _each_once(cls, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
        fingerprints = [each.fingerprint for each in recipients]
        for position, each in enumerate(recipients):
            if each.fingerprint in fingerprints[:position]:
                raise Refused(found=f"the key {each} twice", expected="each key once", do="remove one of the two")
        return recipients

    @classmethod
    def recalled(cls, plain: dict[str, Any]) -> "Pgp":
        """What a contract in the ledger says, unchecked."""
        recipients = tuple(Recipient.recalled(each) for each in plain.get("recipients", ()))
        return cls.model_construct(recipients=recipients, sign=bool(plain.get("sign")))
