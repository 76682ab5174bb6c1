"""Client: everything agreed with one client, as its YAML file says it."""

import calendar
import re
import unicodedata
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from referral_delivery.agreement import key_formats, public_key, spellings
from referral_delivery.agreement.address import ADDRESS, MAX_ADDRESS_CHARACTERS, one_address
from referral_delivery.agreement.attributes import CATALOGUE, CampaignType, allowed, refused
from referral_delivery.agreement.column import Column
from referral_delivery.agreement.contract import CLIENT_NAME, Contract
from referral_delivery.agreement.duration import Duration
from referral_delivery.agreement.notices import SECRETS, Notices
from referral_delivery.agreement.public_key import PublicKey
from referral_delivery.agreement.refusal import Refused
from referral_delivery.agreement.schedule import Schedule

# https://docs.aws.amazon.com/transfer/latest/userguide/transfer-quotas.html
MAX_KEYS_PER_USER = 50
# Time enough to ask a client for its next key.
WARN_BEFORE_EXPIRY = timedelta(days=30)
# The first version of any lake is younger: an earlier day is a slip of the pen.
FIRST_DAY = date(2015, 1, 1)
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DAY_LIKE = re.compile(r"([0-9]{4})[-/.]?([0-9]{1,2})[-/.]?([0-9]{1,2})(?:[T ].*)?")


def _client_name(name: str) -> str:
    # https://docs.aws.amazon.com/transfer/latest/userguide/create-user.html
    if name == "root":
        raise Refused(expected="another name: Transfer Family refuses the user name root", do="choose another")
    if not re.fullmatch(CLIENT_NAME, name):
        raise Refused(expected="3 to 32 small letters, digits and hyphens, a letter first", do=_client_name_meant(name))
    return name


def _client_name_meant(name: str) -> str:
    plain = unicodedata.normalize("NFKD", re.sub(r"\.ya?ml$", "", name.casefold()))
    plain = "".join(each for each in plain if each.isprintable() and not unicodedata.combining(each))
    if foreign := next((each for each in plain if each.isalpha() and not each.isascii()), None):
        return f"type it anew in the letters a to z: `{foreign}` is another one (U+{ord(foreign):04X})"
    near = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return f"did you mean `{near}`?" if re.fullmatch(CLIENT_NAME, near) else "write it like `client: acme`"


def _day_meant(text: str) -> str:
    parts = _DAY_LIKE.fullmatch(text)
    if not parts:
        return "write year, month and day as in 2026-11-01"
    year, month, day = (int(part) for part in parts.groups())
    if not (year and 1 <= month <= 12):  # noqa: PLR2004
        return "write year, month and day as in 2026-11-01"
    _, last = calendar.monthrange(year, month)
    if not 1 <= day <= last:
        return f"choose another day: the month ends on {year}-{month:02d}-{last}"
    return f"did you mean `{year}-{month:02d}-{day:02d}`?"


def _calendar_day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        day = date.fromisoformat(value if re.fullmatch(_DAY, value) else "")
    except ValueError as error:
        raise Refused(expected="a day that exists, as year-month-day", do=_day_meant(value)) from error
    if day < FIRST_DAY:
        raise Refused(expected=f"a day from {FIRST_DAY} on", do="correct the year")
    return day


def _legible(label: str) -> str:
    if not label.strip() or not label.isprintable():
        raise Refused(
            expected="1 to 64 characters that can be seen, in one line", do="type it anew, like `label: crm-2026`"
        )
    return label


def _parseable(line: str) -> str:
    public_key.parse(line)
    return line


_COLUMNS = spellings.input_type(f"(?:{'|'.join(CATALOGUE)})", names=CATALOGUE, least=1, or_item=Column)
CalendarDay = Annotated[
    date,
    BeforeValidator(
        _calendar_day,
        json_schema_input_type=Annotated[str, Field(pattern=f"^{_DAY}$", json_schema_extra={"format": "date"})],
    ),
]


class Key(BaseModel):
    """One SSH public key with which the client may log in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Annotated[str, AfterValidator(_legible)] = Field(
        min_length=1,
        max_length=64,
        description="For people: whose key this is",
        json_schema_extra={"type": ["string", "number"]},  # `label: 2026`
    )
    public_key: Annotated[str, AfterValidator(key_formats.one_line), AfterValidator(_parseable)] = Field(
        description="The .pub file's one line; below a `|` also an RFC 4716 (SSH2) or PEM public key"
    )
    expires: CalendarDay | None = Field(default=None, description="First day, UTC, on which the key is not deployed")

    def parsed(self) -> PublicKey:
        """The key itself, without its comment."""
        return public_key.parse(self.public_key)

    def has_ended(self, day: date) -> bool:
        """Whether it is not deployed on a day."""
        return self.expires is not None and self.expires <= day

    def ends_soon(self, day: date) -> bool:
        """Whether it is time to ask for the next one."""
        return self.has_ended(day + WARN_BEFORE_EXPIRY)


class Client(Contract):
    """One outside party: its keys, its times, and the contract of its files."""

    # What would make a contract in the ledger, or in a schedule's Input, unreadable is refused here, not there.

    client: Annotated[str, AfterValidator(_client_name)] = Field(
        description="SFTP user name and folder", json_schema_extra={"pattern": f"^(?!root$){CLIENT_NAME}$"}
    )
    deliver_from: CalendarDay = Field(description="First day, UTC, whose referrals are delivered")
    attributes: Annotated[
        tuple[Column, ...],
        BeforeValidator(spellings.listed, json_schema_input_type=_COLUMNS),
    ] = Field(min_length=1, description="The file's columns, in order")
    contact: Annotated[str, AfterValidator(one_address)] = Field(
        description="Who is told about keys and late files",
        json_schema_extra={"pattern": f"^{ADDRESS}$", "maxLength": MAX_ADDRESS_CHARACTERS},
    )
    campaign_type: CampaignType = Field(description="Decides which personal data may leave")
    keys: tuple[Key, ...] = Field(max_length=MAX_KEYS_PER_USER, description="Add the new one, later remove the old")
    schedule: Schedule
    expect_within: Duration | None = Field(
        default=None, description="How long the lake may be without a new referral before the platform team is told"
    )
    collect_within: Duration | None = Field(
        default=None, description="How long a file may lie there before it counts as not collected"
    )
    notices: Notices | None = Field(default=None, description="Where the client is told of its files and keys")

    @field_validator("keys")
    @classmethod
    def _distinct_labels(cls, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        labels = [key.label.casefold() for key in keys]
        for position, key in enumerate(keys):
            if key.label.casefold() in labels[:position]:
                raise Refused(
                    found=f"the label `{key.label}` twice",
                    expected="a label of its own for each key",
                    do="rename one of them",
                )
        return keys

    @field_validator("notices")
    @classmethod
    def _own_secret(cls, notices: Notices | None, info: ValidationInfo) -> Notices | None:
        """A file that was copied would sign with the other client's secret."""
        folder = f"{SECRETS}/{info.data.get('client')}/"
        if not (notices and notices.webhook) or "client" not in info.data:
            return notices
        if not notices.webhook.secret_parameter.startswith(folder):
            raise Refused(
                found=f"the secret parameter `{notices.webhook.secret_parameter}`",
                expected=f"one of the client's own, which begins with `{folder}`",
                do=f"write it like `secret_parameter: {folder}webhook`",
            )
        return notices

    @field_validator("campaign_type")
    @classmethod
    def _may_receive_its_attributes(cls, campaign_type: CampaignType, info: ValidationInfo) -> CampaignType:
        sources = [column.source for column in info.data.get("attributes", ()) if column.source]
        if personal := refused(dict.fromkeys(sources), campaign_type):
            names = ", ".join(f"`{name}`" for name in personal)
            raise Refused(
                found=f"{campaign_type}, and {names} among the attributes",
                expected=f"what such a campaign may receive, hashed or not: {', '.join(allowed(campaign_type))}",
                do=f"remove {names} from the attributes",
            )
        return campaign_type

    @property
    def contract(self) -> Contract:
        """What the function needs to know."""
        return Contract(client=self.client, deliver_from=self.deliver_from, attributes=self.attributes, file=self.file)

    def keys_on(self, day: date) -> list[Key]:
        """The keys that are valid on a day, in the file's order."""
        return [key for key in self.keys if not key.has_ended(day)]
