"""Client: everything agreed with one client, as its YAML file says it."""

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from referral_delivery import public_key
from referral_delivery.attributes import CampaignType, allowed, refused
from referral_delivery.contract import Contract
from referral_delivery.public_key import PublicKey
from referral_delivery.schedule import Schedule

# https://docs.aws.amazon.com/transfer/latest/userguide/transfer-quotas.html
MAX_KEYS_PER_USER = 50


def _accepted_key(text: str) -> str:
    public_key.parse(text)
    return text


class Key(BaseModel):
    """One SSH public key with which the client may log in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1, max_length=64, description="For people: whose key this is")
    public_key: Annotated[str, AfterValidator(_accepted_key)] = Field(description="The .pub file's one line")
    expires: date | None = Field(default=None, description="First day, UTC, on which the key is not deployed")

    def parsed(self) -> PublicKey:
        """The key itself, without its comment."""
        return public_key.parse(self.public_key)


class Client(Contract):
    """One outside party: its keys, its times, and the contract of its files."""

    contact: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="Who is told about keys and late files")
    campaign_type: CampaignType = Field(description="Decides which personal data may leave")
    keys: tuple[Key, ...] = Field(max_length=MAX_KEYS_PER_USER, description="Add the new one, later remove the old")
    schedule: Schedule

    @field_validator("client")
    @classmethod
    def _not_root(cls, client: str) -> str:
        # https://docs.aws.amazon.com/transfer/latest/userguide/create-user.html
        if client == "root":
            raise ValueError("Transfer Family refuses the user name 'root'; choose another")
        return client

    @model_validator(mode="after")
    def _may_receive_its_attributes(self) -> Self:
        sources = [column.source for column in self.attributes]
        if personal := refused(dict.fromkeys(sources), self.campaign_type):
            raise ValueError(
                f"attributes: a {self.campaign_type} campaign may not receive {', '.join(personal)}, hashed or "
                f"not; it may receive {', '.join(allowed(self.campaign_type))}"
            )
        return self

    @property
    def contract(self) -> Contract:
        """What the function needs to know."""
        return Contract(client=self.client, deliver_from=self.deliver_from, attributes=self.attributes, file=self.file)

    def keys_on(self, day: date) -> list[Key]:
        """The keys that are valid on a day, in the file's order."""
        return [key for key in self.keys if key.expires is None or day < key.expires]
