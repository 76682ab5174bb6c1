"""The catalogue, pinned whole: what leaves, and to whom, changes only where somebody writes it here too."""

import pytest

from referral_delivery.agreement.attributes import CATALOGUE, AttributeType, CampaignType, allowed, refused

# Name, type, and whether it is personal data.
ATTRIBUTES = [
    ("referral_id", "text", False),
    ("received_at", "timestamp", False),
    ("opted_in_at", "timestamp", False),
    ("source", "text", False),
    ("email", "text", True),
    ("first_name", "text", True),
    ("last_name", "text", True),
    ("mobile", "text", True),
    ("address_line_1", "text", True),
    ("address_line_2", "text", True),
    ("ip_address", "text", True),
    ("birth_date", "date", True),
    ("age", "integer", False),
    ("gender", "text", False),
    ("suburb", "text", False),
    ("state", "text", False),
    ("postcode", "text", False),
    ("country", "text", False),
    ("bid_price", "decimal", False),
    ("ad_response", "text", False),
    ("ad_text", "text", False),
    ("ad_text_html", "text", False),
    ("audience_id", "text", False),
    ("audience_name", "text", False),
    ("browser", "text", False),
    ("browser_version", "text", False),
]
PERSONAL = {
    CampaignType.EMAIL_SUBSCRIPTION: ["email", "first_name", "last_name"],
    CampaignType.WEBSITE_TRAFFIC: [],
}


def test_the_catalogue_is_as_agreed() -> None:
    found = [(each.name, each.type.value, each.personal) for each in CATALOGUE.values()]
    assert found == ATTRIBUTES
    assert list(CATALOGUE) == [name for name, _, _ in ATTRIBUTES]
    assert all(each.description for each in CATALOGUE.values())
    assert {type_ for _, type_, _ in ATTRIBUTES} == set(AttributeType)


@pytest.mark.parametrize("campaign_type", CampaignType)
def test_a_campaign_may_receive_what_is_not_personal_and_what_its_type_names(campaign_type: CampaignType) -> None:
    may = [name for name, _, personal in ATTRIBUTES if not personal or name in PERSONAL[campaign_type]]
    may_not = [name for name, _, personal in ATTRIBUTES if name not in may]
    assert allowed(campaign_type) == may
    assert refused([name for name, _, _ in reversed(ATTRIBUTES)], campaign_type) == may_not[::-1]
