"""Durations, as client files say them."""

from datetime import timedelta

import pytest

from referral_delivery.agreement import duration
from referral_delivery.agreement.refusal import Refused


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10m", timedelta(minutes=10)),
        ("90m", timedelta(minutes=90)),
        ("36h", timedelta(hours=36)),
        ("2d", timedelta(days=2)),
        ("366d", timedelta(days=366)),
        ("8784h", timedelta(days=366)),
    ],
)
def test_minutes_hours_and_days_are_taken_from_ten_minutes_to_a_leap_year(text: str, value: timedelta) -> None:
    assert duration.parse(text) == duration.parse(value) == value


@pytest.mark.parametrize("text", ["9m", "1m", "367d", "8785h"])
def test_what_is_shorter_or_longer_is_refused_with_both_limits(text: str) -> None:
    with pytest.raises(Refused) as refused:
        duration.parse(text)
    assert (refused.value.expected, refused.value.do) == ("10m to 366d", "write it like `36h`")


@pytest.mark.parametrize(
    ("value", "do"),
    [
        ("36 hours", "did you mean `36h`?"),
        (" 2 D", "did you mean `2d`?"),
        ("90min", "did you mean `90m`?"),
        ("two days", "write it like `36h`"),
        ("036h", "write it like `36h`"),
        ("10000m", "write it like `36h`"),
        ("36", "write it like `36h`"),
        (36, "write it like `36h`"),
        (None, "write it like `36h`"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_one_that_was_meant(value: object, do: str) -> None:
    with pytest.raises(Refused) as refused:
        duration.parse(value)
    assert (refused.value.expected, refused.value.do) == (
        "a number of minutes, hours or days, such as 90m, 36h or 2d",
        do,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(minutes=90), "90m"),
        (timedelta(minutes=120), "2h"),
        (timedelta(hours=36), "36h"),
        (timedelta(hours=48), "2d"),
    ],
)
def test_a_duration_is_written_in_its_largest_whole_unit(value: timedelta, text: str) -> None:
    assert duration.text(value) == text
    assert duration.parse(text) == value
