"""A lake that is not as its contract says: a clear error, nothing moved, nothing visible."""

import traceback
from collections.abc import Mapping
from typing import Any

import pytest

from referral_delivery.delivery.report import Status
from referral_delivery.errors import DataError, MissingAttribute, MissingLake, UnreadableObject, WrongType
from referral_delivery.lake.objects import Lake
from tests.stack.conftest import Lab
from tests.support import parquet, utc

ROW: Mapping[str, Any] = {"referral_id": "a", "received_at": "2026-11-20 09:00:00"}


def refused(lab: Lab, kind: type[DataError], **contract: Any) -> str:
    """The message of a run that must fail, once it is sure that nothing came of it."""
    with pytest.raises(kind) as failed:
        lab.deliver(lab.contract(**contract))
    assert lab.files() == {}
    assert lab.uploads_in_progress() == []
    assert "position" not in lab.cursor()
    return str(failed.value)


def test_an_attribute_that_no_object_has_is_named(lab: Lab) -> None:
    lab.put("2026-11-20 09", [ROW])
    said = refused(lab, MissingAttribute, attributes=["referral_id", "gender"])
    assert said.startswith(f"client {lab.client}, window 2026-11-01T00:00:00Z to 2026-11-20T12:00:00Z: ")
    assert "none of the window's 1 objects has a column 'gender' (the first is s3://" in said


def test_an_object_that_is_no_parquet_is_named(lab: Lab) -> None:
    lab.put("2026-11-20 08", [{**ROW, "received_at": "2026-11-20 08:00:00"}])
    key = lab.put("2026-11-20 09", b"this is no parquet at all")
    said = refused(lab, UnreadableObject)
    assert key in said
    assert "have the lake's writer replace the object" in said


def test_an_object_with_a_damaged_page_is_named(lab: Lab) -> None:
    rows = [{"referral_id": f"{n:09d}", "received_at": "2026-11-20 09:00:00"} for n in range(5_000)]
    body = bytearray(parquet(rows))
    for position in range(100, 4_000):
        body[position] ^= 0x5A
    key = lab.put("2026-11-20 09", bytes(body))
    assert key in refused(lab, UnreadableObject)


def test_a_text_that_is_no_utf_8_is_refused_with_its_object_and_without_itself(lab: Lab) -> None:
    body = parquet([{"referral_id": "secret-e-mail@example.com", "received_at": "2026-11-20 09:00:00"}])
    key = lab.put("2026-11-20 09", body.replace(b"secret-e-mail", b"secret\xe9e-mail"))
    with pytest.raises(UnreadableObject) as failed:
        lab.deliver()
    # All that a log would print, with the errors that this one came of.
    logged = "".join(traceback.format_exception(failed.value))
    assert key in logged
    assert "secret" not in logged
    assert "example.com" not in logged


def test_received_at_of_a_wrong_type_is_named(lab: Lab) -> None:
    key = lab.put("2026-11-20 09", [ROW], {"received_at": "VARCHAR"})
    said = refused(lab, WrongType)
    assert f"column 'received_at' of s3://{lab.stack['lake_bucket']}/{key} is VARCHAR, expected timestamp" in said


def test_one_object_with_received_at_of_a_wrong_type_among_good_ones_is_named(lab: Lab) -> None:
    lab.put("2026-11-20 09", [ROW])
    key = lab.put("2026-11-20 09", [ROW], {"received_at": "VARCHAR"})
    assert key in refused(lab, WrongType)


def test_an_id_that_is_stored_as_a_number_is_refused_before_it_loses_digits(lab: Lab) -> None:
    lab.put("2026-11-20 09", [{**ROW, "audience_id": 1.2e18}], {"audience_id": "DOUBLE"})
    assert "column 'audience_id' of " in refused(lab, WrongType, attributes=["audience_id"])


def test_an_object_without_received_at_is_named(lab: Lab) -> None:
    lab.put("2026-11-20 09", [ROW])
    key = lab.put("2026-11-20 09", parquet([{"referral_id": "a"}]))
    assert f"{key} has no column 'received_at'" in refused(lab, MissingAttribute)


def test_a_row_of_another_hour_than_its_objects_is_refused_and_not_lost(lab: Lab) -> None:
    key = lab.put("2026-11-20 09", [ROW, {**ROW, "received_at": "2026-11-20 10:00:00"}])
    said = refused(lab, UnreadableObject)
    assert f"{key} holds a received_at of 2026-11-20 10:00:00" in said


def test_a_row_without_received_at_is_refused_and_not_lost(lab: Lab) -> None:
    lab.put("2026-11-20 09", [{**ROW, "received_at": None}])
    assert "holds a received_at of NULL" in refused(lab, UnreadableObject)


def test_a_key_outside_the_layout_is_named(lab: Lab) -> None:
    key = f"referrals/client={lab.client}/dt=2026-11-20/stray.parquet"
    lab.stack.s3.put_object(Bucket=lab.stack["lake_bucket"], Key=key, Body=parquet([ROW]))
    assert f"object '{key}' is outside the lake's layout" in refused(lab, UnreadableObject)


def test_a_lake_that_does_not_exist_is_named(lab: Lab) -> None:
    object.__setattr__(lab.exporter.writer, "lake", Lake(lab.stack.s3, "no-such-lake"))
    assert "lake bucket 'no-such-lake' does not exist; check the stack's `lake_bucket` setting" in refused(
        lab, MissingLake
    )


def test_a_message_never_repeats_a_rows_content(lab: Lab) -> None:
    lab.put("2026-11-20 09", [{**ROW, "age": "secret-value"}])
    assert "secret-value" not in refused(lab, WrongType, attributes=["age"])


def test_a_zoned_timestamp_is_read_as_the_instant_that_it_is(lab: Lab) -> None:
    row = {**ROW, "received_at": "2026-11-20 20:00:00+11:00"}
    lab.put("2026-11-20 09", [row], {"received_at": "TIMESTAMP WITH TIME ZONE"})
    lab.deliver(lab.contract(attributes=["received_at"]), due=utc("2026-11-20 10:00"))
    assert lab.delivered() == ["2026-11-20T09:00:00.000000Z"]


def test_what_lies_beside_the_days_of_a_client_is_no_part_of_the_lake(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    folder = lab.stack.lake.client_prefix(lab.client)
    for beside in ("dt=2026-11-19.bak/x", "dt=2026-11-19_old/hr=00/x", "dt=2026-11-2/x", "notes", "zz/x"):
        lab.stack.s3.put_object(Bucket=lab.stack["lake_bucket"], Key=f"{folder}/{beside}.parquet", Body=b"")
    assert lab.deliver().status is Status.DELIVERED
    assert lab.delivered() == ["a"]
