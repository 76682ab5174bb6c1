"""What of a client file a message repeats."""

import pytest

from referral_delivery.agreement.client_file.shown import described, masked, private_key_line, quoted, source_line

LONG = "Q" * 64
HIDDEN = "a line that is not shown, because it may be part of a key"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "nothing"),
        ("", "nothing"),
        ({}, "nothing"),
        (" \t", "blanks only"),
        ([], "an empty list"),
        (["a", "b"], "a list of 2"),
        (True, "`true`"),
        ("mon", "`mon`"),
        (7, "`7`"),
        (dict.fromkeys("abcd"), "fields of its own (a, b, c, d)"),
        (dict.fromkeys("abcde"), "fields of its own (a, b, c, d, …)"),
    ],
)
def test_a_value_is_named_as_its_writer_would(value: object, said: str) -> None:
    assert described(value) == said


def test_a_text_is_quoted_in_one_line_of_70_characters() -> None:
    assert quoted("a\n  b") == "`a b`"
    assert quoted("ab " * 23 + "x") == f"`{'ab ' * 23}x`"
    assert quoted("ab " * 23 + "xy") == f"`{'ab ' * 23}x…`"


def test_a_run_of_40_characters_and_all_behind_it_is_not_shown() -> None:
    assert masked(f"key {'Q' * 39} x") == f"key {'Q' * 39} x"
    assert masked(f"key {'Q' * 40} x") == "key …(42 characters not shown)"


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([LONG], 1),
        (["a", LONG], 2),
        ([LONG, "a"], 2),
        (["a", LONG], 1),
        (["x", "a", LONG], 2),
        ([LONG, "a", "x"], 2),
        ([LONG, "a", "x"], 1),
    ],
)
def test_a_line_is_not_shown_that_is_or_stands_beside_bare_key_material(lines: list[str], number: int) -> None:
    assert source_line(lines, number) == HIDDEN


@pytest.mark.parametrize(
    ("lines", "number", "said"),
    [
        (["a", "x", LONG], 1, "`a`"),
        ([LONG, "x", "a"], 3, "`a`"),
        ([f"label: {LONG}", "a"], 2, "`a`"),
        ([f"ssh-ed25519 {LONG}", "a"], 2, "`a`"),
        (["a", "b\tc"], 2, "`b⇥c`"),
        (["a", " "], 2, "the end of the file"),
        (["a"], 2, "the end of the file"),
    ],
)
def test_any_other_line_is_shown(lines: list[str], number: int, said: str) -> None:
    assert source_line(lines, number) == said


def test_the_line_of_a_private_key_is_that_of_its_first_mark() -> None:
    begin, end = (f"-----{word} PRIVATE" + " KEY-----" for word in ("BEGIN", "END"))
    assert private_key_line(f"a\nb\n{begin}\nx\n{end}") == 3
    assert private_key_line(begin) == 1
    assert private_key_line(f"\n{begin}") == 2
    assert private_key_line("a\nb") is None
