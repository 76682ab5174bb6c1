"""Timezones: those that EventBridge Scheduler knows, and the one that was meant."""

import pytest

from referral_delivery.agreement import timezones
from referral_delivery.agreement.refusal import Refused


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Sydney", "Australia/Sydney"),
        ("sydney, NSW", "Australia/Sydney"),
        ("Australia/Sidney", "Australia/Sydney"),
        ("posix/Europe/Paris", "Europe/Paris"),
        ("right/Europe/Paris", "Europe/Paris"),
        ("Buenos Aires", "America/Argentina/Buenos_Aires"),  # of two zones of that city, the first
    ],
)
def test_the_zone_that_was_meant_is_named(name: str, meant: str) -> None:
    with pytest.raises(Refused) as refused:
        timezones.check(name)
    assert refused.value.expected == "a timezone by the name of a place, such as Australia/Sydney, or UTC"
    assert refused.value.do == f"did you mean `{meant}`?"


@pytest.mark.parametrize("name", ["localtime", "Factory", "posixrules", "AEST", "Europe/Sydney-on-Sea", ""])
def test_what_is_like_no_zone_is_refused_without_a_guess(name: str) -> None:
    with pytest.raises(Refused) as refused:
        timezones.check(name)
    assert refused.value.do == "name the client's nearest large city as in IANA's list"


def test_places_and_utc_are_taken_as_they_are() -> None:
    assert [timezones.check(name) for name in ("UTC", "Australia/Sydney")] == ["UTC", "Australia/Sydney"]
