"""The catalogue of referral attributes, and which of them may be delivered to whom.

Names, personal data and campaign types follow what Rokt's public pages list for referral exports. Postcodes,
phone numbers and ids are text: as numbers they lose leading zeros, or digits beyond 2^53.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class AttributeType(StrEnum):
    """What a column holds; lake/values.py says how each is stored and written."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    TIMESTAMP = "timestamp"


class CampaignType(StrEnum):
    """The kind of campaign that a client runs; it decides which personal data may leave."""

    EMAIL_SUBSCRIPTION = "email_subscription"
    WEBSITE_TRAFFIC = "website_traffic"


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One column of the lake that a client may ask for."""

    name: str
    type: AttributeType
    personal: bool
    description: str


def _attribute(
    name: str, description: str, type_: AttributeType = AttributeType.TEXT, *, personal: bool = False
) -> Attribute:
    return Attribute(name=name, type=type_, personal=personal, description=description)


CATALOGUE: dict[str, Attribute] = {
    attribute.name: attribute
    for attribute in (
        _attribute("referral_id", "Identity of the referral; the same in every file that repeats it"),
        _attribute("received_at", "When the referral arrived in the lake, UTC", AttributeType.TIMESTAMP),
        _attribute("opted_in_at", "When the customer accepted the offer, UTC", AttributeType.TIMESTAMP),
        _attribute("source", "Partner site on which the offer was accepted"),
        _attribute("email", "Email address", personal=True),
        _attribute("first_name", "First name", personal=True),
        _attribute("last_name", "Last name", personal=True),
        _attribute("mobile", "Mobile number, text: leading zeros count", personal=True),
        _attribute("address_line_1", "Street address, first line", personal=True),
        _attribute("address_line_2", "Street address, second line", personal=True),
        _attribute("ip_address", "IP address from which the offer was accepted", personal=True),
        _attribute("birth_date", "Date of birth", AttributeType.DATE, personal=True),
        _attribute("age", "Age in years", AttributeType.INTEGER),
        _attribute("gender", "Gender"),
        _attribute("suburb", "Suburb or city"),
        _attribute("state", "State or province"),
        _attribute("postcode", "Postal or ZIP code, text: leading zeros count"),
        _attribute("country", "Country"),
        _attribute("bid_price", "Price bid for the referral", AttributeType.DECIMAL),
        _attribute("ad_response", "What the customer answered to the ad"),
        _attribute("ad_text", "The ad's text"),
        _attribute("ad_text_html", "The ad's text as HTML"),
        _attribute("audience_id", "Id of the audience, text: 19 digits do not fit a double"),
        _attribute("audience_name", "Name of the audience"),
        _attribute("browser", "Browser"),
        _attribute("browser_version", "Browser version"),
    )
}

# Beside what is not personal, which every campaign may receive. A hash of personal data is personal data.
_PERSONAL_ALLOWED: dict[CampaignType, frozenset[str]] = {
    CampaignType.EMAIL_SUBSCRIPTION: frozenset({"email", "first_name", "last_name"}),
    CampaignType.WEBSITE_TRAFFIC: frozenset(),
}


def allowed(campaign_type: CampaignType) -> list[str]:
    """Names of the attributes that a campaign of this type may receive, in the catalogue's order."""
    return [
        attribute.name
        for attribute in CATALOGUE.values()
        if not attribute.personal or attribute.name in _PERSONAL_ALLOWED[campaign_type]
    ]


def refused(names: Iterable[str], campaign_type: CampaignType) -> list[str]:
    """Those of `names` that a campaign of this type may not receive, in their order."""
    may_leave = set(allowed(campaign_type))
    return [name for name in names if name not in may_leave]
