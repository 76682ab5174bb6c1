"""Whom a client's files are encrypted to, as a contract carries it: nothing here parses OpenPGP."""

from datetime import datetime

from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict


class Recipient(BaseModel):
    """One OpenPGP key of a client; `certificate` is what is needed to encrypt to it and no more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str  # in capitals, as GnuPG prints it
    user_id: str
    expires: AwareDatetime | None
    certificate: Base64Bytes

    def has_expired(self, moment: datetime) -> bool:
        """Whether nothing may be encrypted to the key any more."""
        return self.expires is not None and self.expires <= moment

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.fingerprint} ({self.user_id})" if self.user_id else self.fingerprint
