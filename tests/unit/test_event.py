"""The function's input."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from referral_delivery.delivery.event import ExportEvent
from referral_delivery.errors import ContractError
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.window import Window
from tests.support import contract, utc

START, END = "2026-11-01T05:00:01Z", "2026-11-01T05:00:02Z"
WINDOW = {"window_start": START, "window_end": END}


def refused(**fields: Any) -> str:
    """What is said of an event with these fields."""
    with pytest.raises(ValidationError) as error:
        ExportEvent.model_validate({"contract": contract().model_dump(), **fields})
    (detail,) = error.value.errors()
    return ".".join(map(str, detail["loc"])) + ": " + detail["msg"]


def test_an_event_survives_the_way_through_json() -> None:
    event = ExportEvent(contract=contract(attributes=["email", {"name": "h", "from": "email", "transform": "md5"}]))
    assert ExportEvent.model_validate_json(event.model_dump_json()) == event


def test_the_context_attributes_are_not_escaped() -> None:
    assert '"scheduled_time":"<aws.scheduler.scheduled-time>"' in ExportEvent(contract=contract()).model_dump_json()


def test_an_unsubstituted_scheduled_time_is_no_time() -> None:
    event = ExportEvent(contract=contract())
    assert (event.due, event.correlation_id, event.occasion) == (None, None, Occasion.SCHEDULED)


def test_an_event_of_a_schedule_that_was_deployed_before_the_function_is_understood() -> None:
    event = ExportEvent.model_validate({"contract": contract().model_dump(), "kind": "manual"})
    assert event.occasion is Occasion.MANUAL


def test_a_scheduled_time_is_utc() -> None:
    event = ExportEvent(contract=contract(), scheduled_time="2026-03-22T18:59:43+11:00", execution_id="x-1")
    assert (event.due, event.correlation_id) == (utc("2026-03-22 07:59:43"), "x-1")


def test_a_scheduled_time_without_an_offset_is_refused() -> None:
    assert refused(scheduled_time="2026-03-22T18:59:43") == (
        "scheduled_time: Value error, '2026-03-22T18:59:43' has no UTC offset; expected e.g. 2026-11-01T05:00:00Z"
    )


@pytest.mark.parametrize("text", ["tomorrow", "", "2026-02-30T00:00:00Z"])
def test_a_scheduled_time_that_is_no_instant_is_refused(text: str) -> None:
    assert refused(scheduled_time=text).startswith("scheduled_time: Value error, ")


@pytest.mark.parametrize("occasion", [each for each in Occasion if each is not Occasion.RESEND])
def test_a_sequence_goes_with_a_resend_only(occasion: Occasion) -> None:
    window = WINDOW if occasion is Occasion.BACKFILL else {}
    assert refused(occasion=occasion, sequence=1, **window) == (
        f": Value error, `sequence` goes with 'resend' and only with it; the occasion is '{occasion}'"
    )


def test_a_resend_names_its_sequence() -> None:
    assert refused(occasion="resend") == (
        ": Value error, `sequence` goes with 'resend' and only with it; the occasion is 'resend'"
    )
    assert ExportEvent(contract=contract(), occasion=Occasion.RESEND, sequence=1).sequence == 1
    assert refused(occasion="resend", sequence=0) == "sequence: Input should be greater than or equal to 1"


@pytest.mark.parametrize("occasion", [each for each in Occasion if each is not Occasion.BACKFILL])
@pytest.mark.parametrize("given", [WINDOW, {"window_start": START}, {"window_end": END}])
def test_a_window_goes_with_a_backfill_only(occasion: Occasion, given: dict[str, str]) -> None:
    sequence = {"sequence": 1} if occasion is Occasion.RESEND else {}
    assert refused(occasion=occasion, **given, **sequence) == (
        f": Value error, a window goes with 'backfill' and only with it; the occasion is '{occasion}'"
    )


@pytest.mark.parametrize("given", [{}, {"window_start": START}, {"window_end": END}])
def test_a_backfill_has_both_ends_of_its_window(given: dict[str, str]) -> None:
    assert refused(occasion="backfill", **given) == (
        ": Value error, a window goes with 'backfill' and only with it; the occasion is 'backfill'"
    )


@pytest.mark.parametrize("end", ["window_start", "window_end"])
@pytest.mark.parametrize("text", ["2026-11-01T05:00:00", "2026-11-01T05:00:00.5Z", "2026-11-01T05:00:00.000001+11:00"])
def test_a_windows_end_that_is_no_whole_second_of_a_known_offset_is_refused(end: str, text: str) -> None:
    said = refused(occasion="backfill", **(WINDOW | {end: text}))
    assert re.fullmatch(
        rf"{end}: Value error, 2026-11-01 05:00:00\S* must have a UTC offset and whole seconds, "
        "e.g. 2026-11-01T05:00:00Z",
        said,
    )


def test_a_window_that_starts_off_the_minute_is_kept_to_the_second_in_utc() -> None:
    event = ExportEvent.model_validate(
        {"contract": contract().model_dump(), "occasion": "backfill", "window_start": "2026-11-01T16:30:01+11:00"}
        | {"window_end": "2026-11-01T16:30:02+11:00"}
    )
    assert event.window == Window(utc("2026-11-01 05:30:01"), utc("2026-11-01 05:30:02"))
    assert event.window.start.utcoffset() == utc("2026-11-01 00:00").utcoffset()


@pytest.mark.parametrize("end", [START, "2026-11-01T05:00:00Z"])
def test_a_window_that_does_not_end_after_it_starts_is_refused(end: str) -> None:
    event = ExportEvent.model_validate(
        {"contract": contract().model_dump(), "occasion": "backfill", "window_start": START, "window_end": end}
    )
    with pytest.raises(ContractError) as error:
        _ = event.window
    shown = end.replace("T", " ").replace("Z", "+00:00")
    assert str(error.value) == (f"a backfill's window must end after it starts: 2026-11-01 05:00:01+00:00, {shown}")


def test_an_event_without_a_window_has_none() -> None:
    with pytest.raises(ContractError, match="must end after it starts: None, None"):
        _ = ExportEvent(contract=contract()).window


def test_a_field_that_is_not_known_is_refused() -> None:
    assert refused(sequnce=1) == "sequnce: Extra inputs are not permitted"


def test_an_event_asks_for_no_overlap_unless_it_says_so() -> None:
    assert not ExportEvent(contract=contract()).overlap
