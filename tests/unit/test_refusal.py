"""A refused value in words, and the right name that is nearest to a wrong one."""

import pytest

from referral_delivery.agreement.refusal import Refused, nearest


def test_a_refusal_says_what_was_found_where_the_value_does_not_speak_for_itself() -> None:
    assert str(Refused(found="a", expected="b", do="c")) == "found a; expected b; c"
    assert str(Refused(expected="b", do="c")) == "expected b; c"
    assert Refused(expected="b", do="c").found is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [("First Name", "first_name"), ("e-mail", "e_mail"), ("  EMAIL ", "email"), ("emial", "email"), ("phone", None)],
)
def test_the_nearest_name_is_found_whatever_its_capitals_blanks_and_hyphens(name: str, meant: str | None) -> None:
    assert nearest(name, ["email", "e_mail", "first_name", "last_name"]) == meant


def test_the_nearest_of_several_that_are_near_is_taken() -> None:
    assert nearest("last_nam", ["lost_nams", "last_name", "lust_nums"]) == "last_name"


def test_a_name_that_is_less_than_six_tenths_alike_is_not_near() -> None:
    assert nearest("abcdefghij", ["abcdefxxxx"]) == "abcdefxxxx"
    assert nearest("abcdefghij", ["abcdexxxxx"]) is None
    assert nearest("abcdefghij", ["abcdefxxxx"], cutoff=0.8) is None
