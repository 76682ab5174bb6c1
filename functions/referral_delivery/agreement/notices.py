"""Notices: what a client is told beside its files, and where to."""

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from referral_delivery.agreement import spellings
from referral_delivery.agreement.address import ADDRESS, one_address
from referral_delivery.agreement.refusal import Refused

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_PARAMETER = r"/(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+"
# Whoever sends notices may read what lies below, and nothing else; each client has a folder of its own.
SECRETS = "/referrals"
MAX_URL_CHARACTERS, MAX_ADDRESSES = 2_048, 10


class Occurrence(StrEnum):
    """What a client, or the platform team, may be told of."""

    FILE_AVAILABLE = "file_available"
    FILE_LATE = "file_late"
    NOT_COLLECTED = "not_collected"
    KEY_EXPIRING = "key_expiring"
    KEY_EXPIRED = "key_expired"
    PGP_KEY_EXPIRING = "pgp_key_expiring"
    PGP_KEY_EXPIRED = "pgp_key_expired"


class MailRhythm(StrEnum):
    """How often files that are available are mailed about."""

    EACH = "each"
    DAILY = "daily"


def _https(url: str) -> str:
    try:
        parts = urlsplit(url)
        # Asking for a port refuses one that is none.
        plain = parts.scheme == "https" and bool(parts.hostname) and not (parts.fragment or parts.port == 0)
        plain = plain and "@" not in parts.netloc and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        plain = False
    if not plain or len(url) > MAX_URL_CHARACTERS:
        raise Refused(
            expected="an https:// address of at most 2,048 characters, without a user or a #fragment",
            do="write it like `url: https://hooks.acme.example/referrals`",
        )
    return url


def _parameter(name: str) -> str:
    if not re.fullmatch(_PARAMETER, name):
        raise Refused(
            expected="the name of an SSM parameter, which starts with `/`",
            do="write it like `secret_parameter: /referrals/acme/webhook`; the secret itself is never in this file",
        )
    return name


_Occurrences = Annotated[
    tuple[Occurrence, ...],
    BeforeValidator(
        spellings.listed, json_schema_input_type=spellings.input_type(f"(?:{'|'.join(Occurrence)})", names=Occurrence)
    ),
]


class Webhook(BaseModel):
    """A signed POST for each occurrence (https://www.standardwebhooks.com)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(_https)] = Field(
        description="Where to, https only", json_schema_extra={"pattern": "^https://", "maxLength": MAX_URL_CHARACTERS}
    )
    secret_parameter: Annotated[str, AfterValidator(_parameter)] = Field(
        description="SSM SecureString of the signing secret `whsec_…`; two of them, a blank between, during rotation",
        json_schema_extra={"pattern": f"^{_PARAMETER}$"},
    )
    on: _Occurrences = Field(default=(Occurrence.FILE_AVAILABLE,), min_length=1, description="What is told")


class Mail(BaseModel):
    """Mail, without any referral in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[
        tuple[Annotated[str, AfterValidator(one_address)], ...],
        BeforeValidator(spellings.listed, json_schema_input_type=spellings.input_type(ADDRESS, least=1)),
    ] = Field(min_length=1, max_length=MAX_ADDRESSES, description="Who is told")
    on: _Occurrences = Field(default=(Occurrence.FILE_AVAILABLE,), min_length=1, description="What is told")
    files: MailRhythm = Field(default=MailRhythm.EACH, description="A mail for each file, or one a day for all of them")


class Notices(BaseModel):
    """Where a client is told of its files and keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: Webhook | None = None
    email: Mail | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "Notices":
        if not (self.webhook or self.email):
            raise Refused(found="neither `webhook` nor `email`", expected="one of them, or both", do="remove `notices`")
        return self
