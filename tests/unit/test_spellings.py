"""Other spellings of days, times and intervals; tests/unit/client_file_cases.yaml has them in client files."""

import pytest
from pydantic import TypeAdapter

from referral_delivery.agreement import spellings
from referral_delivery.agreement.refusal import Refused


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("6am", "06:00"),
        ("6 p.m.", "18:00"),
        ("12am", "00:00"),
        ("12pm", "12:00"),
        ("11pm", "23:00"),
        ("6", "06:00"),
        ("6.30", "06:30"),
        ("0600", "06:00"),
        (" 06:05:00 ", "06:05"),
        ("18h45", "18:45"),
        ("24:00", "00:00"),
        ("0:59", "00:59"),
        ("25:00", None),
        ("6:60", None),
        ("noon", None),
    ],
)
def test_a_time_of_day_is_understood_as_people_write_it(text: str, meant: str | None) -> None:
    assert spellings.time_of_day(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("15 minutes", "15m"),
        ("15", "15m"),
        ("every 60m", "1h"),
        ("120 min", "2h"),
        ("3600m", "60h"),
        ("90m", "90m"),
        ("hourly", "1h"),
        ("0", "0m"),
        ("2 hours", "2h"),
        ("60h", "60h"),
        ("daily", None),
    ],
)
def test_an_interval_is_understood_as_people_write_it(text: str, meant: str | None) -> None:
    assert spellings.interval(text) == meant


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ("mon-fri", ["mon", "tue", "wed", "thu", "fri"]),
        ("fri - mon", ["fri", "sat", "sun", "mon"]),
        ("SUN-sat", ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
        ("mon-mon", ["mon"]),
        ("Wednesday", ["wed"]),
        ("sun, Thursday-fri,", ["sun", "thu", "fri"]),
        (["mon,", "sat"], ["mon", "sat"]),
    ],
)
def test_days_are_understood_long_in_capitals_and_as_ranges(value: object, short: list[str]) -> None:
    assert spellings.days(value) == short


@pytest.mark.parametrize(
    ("value", "found", "meant"),
    [
        ("weekdays", "`weekdays`", "mon-fri"),
        ("Weekends", "`Weekends`", "sat-sun"),
        ("mon \u2013 fri", "`mon \u2013 fri`", "mon-fri"),
        ("Mon to Fri", "`Mon to Fri`", "mon-fri"),
        ("tuseday", "`tuseday`", "tue"),
        (["mondy", "mondy", "daily", "fri"], "`mondy`, `mondy`, `daily`", "mon, mon-sun"),
    ],
)
def test_days_that_are_none_are_met_with_those_that_were_meant(value: object, found: str, meant: str) -> None:
    with pytest.raises(Refused) as refused:
        spellings.days(value)
    assert (refused.value.found, refused.value.do) == (found, f"did you mean `{meant}`?")


@pytest.mark.parametrize(
    ("value", "found"),
    [(["lundi"], "`lundi`"), (["mondy", "lundi"], "`mondy`, `lundi`"), ([["mon"]], "fields or lists of their own")],
)
def test_where_no_day_was_meant_the_list_is_shown_as_it_is_written(value: object, found: str) -> None:
    with pytest.raises(Refused) as refused:
        spellings.days(value)
    assert (refused.value.found, refused.value.do) == (found, "write them like `days: mon-fri` or `days: [mon, thu]`")


@pytest.mark.parametrize("value", ["1-7", "7", "1, 2, 3, 4, 5, 6, 7"])
def test_numbers_for_days_that_cron_may_know_as_those_of_the_week_are_met_with_both(value: str) -> None:
    with pytest.raises(Refused) as refused:
        spellings.days(value)
    assert refused.value.do == (
        f"write them like `days: mon-fri` or `days: [mon, thu]`; days of the month are written `days_of_month: {value}`"
    )


@pytest.mark.parametrize(
    ("value", "do"),
    [
        ("1-8", "did you mean `days_of_month: 1-8`?"),
        (["1", "last"], "did you mean `days_of_month: 1, last`?"),
        ("8, fri", "write them like `days: mon-fri` or `days: [mon, thu]`"),
    ],
)
def test_other_numbers_for_days_are_of_the_month_if_all_are(value: object, do: str) -> None:
    with pytest.raises(Refused) as refused:
        spellings.days(value)
    assert refused.value.do == do


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (["1", 15, "last"], [1, 15, "last"]),
        ("1 - 3, LAST,", [1, 2, 3, "last"]),
        ("30-31", [30, 31]),
        ("07", [7]),
        (31, [31]),
        (["5-5"], [5]),
    ],
)
def test_days_of_the_month_are_understood_as_numbers_texts_and_ranges(value: object, plain: list[object]) -> None:
    assert spellings.days_of_month(value) == plain


@pytest.mark.parametrize("value", [None, True, {}, " , "])
def test_what_is_no_list_of_days_of_the_month_is_left_to_its_field(value: object) -> None:
    assert spellings.days_of_month(value) == value


@pytest.mark.parametrize("value", [7, None, True, {}, " , "])
def test_what_is_no_list_is_left_to_the_field_that_it_stands_in(value: object) -> None:
    assert spellings.listed(value) == value
    assert spellings.days(value) == value


@pytest.mark.parametrize(
    ("value", "meant"),
    [("yes", True), ("on", True), ("no", False), ("off", False), (True, True), (False, False)],
)
def test_yes_and_no_are_understood_as_yaml_once_had_them(value: object, meant: bool) -> None:
    assert TypeAdapter(spellings.YesOrNo).validate_python(value) is meant
