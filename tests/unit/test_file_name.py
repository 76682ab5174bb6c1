"""File name templates."""

import pytest

from referral_delivery import file_name
from tests.support import utc


def test_the_default_names_client_end_and_sequence() -> None:
    name = file_name.render(
        file_name.DEFAULT_TEMPLATE,
        client="acme",
        start=utc("2026-11-01 00:00"),
        end=utc("2026-11-02 06:30"),
        sequence=42,
    )
    assert name == "referrals_acme_20261102T063000Z_000042"


@pytest.mark.parametrize("template", ["{sequence}", "{client}-{end:%Y%m%d%H%M%S}", "x_{start:%s}_{end:%Y-%j-%H%M%S}"])
def test_a_template_that_tells_deliveries_apart_is_accepted(template: str) -> None:
    assert file_name.check(template) == template


@pytest.mark.parametrize("template", ["referrals", "{client}_{end:%Y%m%d}", "{start:%H%M%S}", "{end:%Y%m%dT%H%M}"])
def test_a_template_that_can_repeat_a_name_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"can give two deliveries the same name; add \{sequence:06d\}"):
        file_name.check(template)


@pytest.mark.parametrize("template", ["{date}", "{0}", "{}", "{end.year}_{sequence}", "{client!r}_{sequence}"])
def test_an_unknown_field_is_refused_with_those_that_exist(template: str) -> None:
    with pytest.raises(ValueError, match=r"unknown field \{.*\} in the template; expected \{client\}, \{start\}"):
        file_name.check(template)


@pytest.mark.parametrize("template", ["{sequence", "sequence}", "{sequence:%Y}", "{client:06d}_{sequence}"])
def test_a_malformed_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"the template (is malformed|cannot be rendered)"):
        file_name.check(template)
