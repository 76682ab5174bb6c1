"""The function's input."""

import pytest
from pydantic import ValidationError

from referral_delivery.event import ExportEvent, Kind
from tests.support import contract, utc


def test_an_event_survives_the_way_through_json() -> None:
    event = ExportEvent(contract=contract(attributes=["email", {"name": "h", "from": "email", "transform": "md5"}]))
    assert ExportEvent.model_validate_json(event.model_dump_json()) == event


def test_the_context_attributes_are_not_escaped() -> None:
    assert '"scheduled_time":"<aws.scheduler.scheduled-time>"' in ExportEvent(contract=contract()).model_dump_json()


def test_an_unsubstituted_scheduled_time_is_no_time() -> None:
    event = ExportEvent(contract=contract())
    assert (event.due, event.correlation_id, event.kind) == (None, None, Kind.SCHEDULED)


def test_a_scheduled_time_is_utc() -> None:
    event = ExportEvent(contract=contract(), scheduled_time="2026-03-22T18:59:43+11:00", execution_id="x-1")
    assert (event.due, event.correlation_id) == (utc("2026-03-22 07:59:43"), "x-1")


@pytest.mark.parametrize("text", ["2026-03-22T18:59:43", "tomorrow", ""])
def test_a_scheduled_time_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="scheduled_time"):
        ExportEvent(contract=contract(), scheduled_time=text)
