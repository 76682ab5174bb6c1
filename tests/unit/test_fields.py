"""A client file's text as fields: texts, truths and nothing, to a depth and a length."""

import pytest

from referral_delivery.agreement.client_file.fields import parse
from referral_delivery.agreement.client_file.unreadable import TOO_DEEP, UNKNOWN, UnreadableFile


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_a_truth_is_understood_in_each_of_yamls_spellings(text: str) -> None:
    assert parse(f"manifest: {text}").values == {"manifest": text.casefold() == "true"}
    assert parse(f"manifest: '{text}'").values == {"manifest": text}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_understood_in_each_of_yamls_spellings(text: str) -> None:
    assert parse(f"file: {text}").values == {"file": None}


def test_a_value_has_at_most_6144_characters() -> None:
    assert parse(f"a: {'x' * 6_144}").values == {"a": "x" * 6_144}
    with pytest.raises(UnreadableFile) as refused:
        parse(f"a: {'x' * 6_145}")
    assert refused.value.cause.expected == "at most 6,144 characters in a value, and found 6,145"


def test_values_are_nested_ten_deep_at_most() -> None:
    assert parse("a: " + "[" * 9 + "x" + "]" * 9).line(("a",)) == 1
    with pytest.raises(UnreadableFile) as refused:
        parse("a: " + "[" * 10 + "x" + "]" * 10)
    assert refused.value.cause is TOO_DEEP


def test_what_no_parser_takes_is_told_with_the_first_line() -> None:
    with pytest.raises(UnreadableFile) as refused:
        parse("a: x\nb: \x07\n")
    assert (refused.value.line, refused.value.found, refused.value.cause) == (1, "`a: x`", UNKNOWN)
