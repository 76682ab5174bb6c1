"""Email addresses, as client files have them; tests/unit/client_file_cases.yaml has what is said of slips."""

import pytest

from referral_delivery.agreement.address import one_address
from referral_delivery.agreement.refusal import Refused

DOMAIN = f"{'a' * 63}.{'b' * 63}.{'c' * 58}.au"


def test_an_address_has_at_most_254_characters_and_64_before_the_at() -> None:
    longest = f"{'x' * 64}@{DOMAIN}"
    assert len(longest) == 254
    assert one_address(longest) == longest
    for longer in (f"{'x' * 63}@{DOMAIN}us", f"{'x' * 65}@acme.example"):
        with pytest.raises(Refused) as refused:
            one_address(longer)
        assert refused.value.expected == "an address of at most 254 characters, 64 of them before the @"
