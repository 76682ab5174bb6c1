"""What a client's first day means: nothing before it is listed, read or delivered, and the audit looks back to it."""

from datetime import date, timedelta

import pytest

from benchmarks.aws_calls import AwsCalls
from referral_delivery.delivery.backfill import backfill
from referral_delivery.delivery.report import Status
from referral_delivery.lake.objects import LakeObject
from referral_delivery.window import Window
from referralctl.commands.history import spans, unread_objects
from tests.stack.conftest import Lab
from tests.support import utc


def test_no_listing_reaches_back_behind_the_first_day(lab: Lab) -> None:
    calls = AwsCalls()
    calls.watch(lab.stack.s3.meta.events)
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver(lab.contract(deliver_from="2026-11-20"))
    assert calls.listed_from == [f"referrals/client={lab.client}/dt=2026-11-20/"]


def test_the_hours_from_48_before_a_window_to_its_end_are_listed_and_no_other(lab: Lab) -> None:
    window = Window(utc("2026-11-20 09:30"), utc("2026-11-20 11:00"))
    hours = ("2026-11-18 08", "2026-11-18 09", "2026-11-20 09", "2026-11-20 10", "2026-11-20 11")
    keys = {hour: lab.put(hour, b"not read") for hour in hours}
    marker = f"referrals/client={lab.client}/dt=2026-11-20/hr=10/"
    for key in (
        marker,
        f"{marker}_SUCCESS",
        f"{marker}.part.parquet",
        f"{marker}_temporary/0.parquet",
        f"{marker}a.txt",
    ):
        lab.stack.s3.put_object(Bucket=lab.stack["lake_bucket"], Key=key, Body=b"of a writer")
    found = lab.stack.lake.objects(lab.client, window, deliver_from=date(2026, 11, 1))
    assert [each.key for each in found] == [keys[hour] for hour in hours[1:4]]
    assert {(each.hour, each.size_bytes) for each in found[:1]} == {(utc("2026-11-18 09:00"), 8)}


def test_a_bad_object_of_the_time_before_the_first_day_fails_nobody(lab: Lab) -> None:
    lab.put("2026-11-19 23", b"no parquet")
    lab.put_referrals("2026-11-20 00", "a")
    assert lab.deliver(lab.contract(deliver_from="2026-11-20")).status is Status.DELIVERED
    assert lab.delivered() == ["a"]


def test_a_client_that_comes_back_later_with_a_new_first_day_lists_nothing_of_its_absence(lab: Lab) -> None:
    lab.put_referrals("2026-11-02 09", "a")
    lab.deliver(due=utc("2026-11-03 00:00"))
    lab.put_referrals("2026-11-10 09", "while-it-was-away")
    lab.put_referrals("2026-11-20 09", "b")
    calls = AwsCalls()
    calls.watch(lab.stack.s3.meta.events)
    lab.deliver(lab.contract(deliver_from="2026-11-20"))
    assert calls.listed_from == [f"referrals/client={lab.client}/dt=2026-11-20/"]
    assert lab.delivered() == ["a", "b"]


def test_a_first_day_that_is_still_to_come_delivers_nothing_and_leaves_no_lease(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    assert lab.deliver(lab.contract(deliver_from="2026-12-01")).status is Status.NOTHING_TO_DELIVER
    assert (lab.files(), "lease_owner" in lab.cursor()) == ({}, False)


def test_the_audit_names_what_a_first_day_that_was_moved_back_leaves_out_and_its_advice_settles_it(lab: Lab) -> None:
    lab.put_referrals("2026-11-15 09", "after-all")
    lab.put_referrals("2026-11-15 11", "after-all-too")
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver(lab.contract(deliver_from="2026-11-20"))
    earlier = lab.contract(deliver_from="2026-11-15")

    def unread() -> list[str]:
        found, _ = unread_objects(lab.stack, lab.client, date(2026, 11, 15), now=lab.now, days=None)
        return [f"{each.hour:%d %H}" for each in found]

    assert unread() == ["15 09", "15 11"]
    found, _ = unread_objects(lab.stack, lab.client, date(2026, 11, 15), now=lab.now, days=None)
    windows = spans(each.hour for each in found)
    assert [(each.start.hour, each.end - each.start) for each in windows] == [
        (9, timedelta(hours=1)),
        (11, timedelta(hours=1)),
    ]
    exporter = lab.exporter
    for window in windows:
        backfill(lab.ledger, exporter.writer, earlier, window, overlap=True, run="run", now=exporter.now)
    assert (unread(), lab.delivered()) == ([], ["a", "after-all", "after-all-too"])


@pytest.mark.parametrize("due", ["2026-11-19 09:30", "2026-11-19 10:00"])
def test_the_audit_names_what_was_left_out_while_the_first_day_was_later_and_its_advice_settles_it(
    lab: Lab, due: str
) -> None:
    """An object that was read up to the middle of its hour is not read on from there before a later first day."""
    stamps = {"before": "09:10:00", "left-out": "09:40:00"}
    rows = [{"referral_id": name, "received_at": f"2026-11-19 {stamp}"} for name, stamp in stamps.items()]
    lab.put("2026-11-19 09", rows)
    lab.deliver(due=utc(due))
    lab.deliver(lab.contract(deliver_from="2026-11-20"))
    whole = due.endswith("10:00")

    def unread() -> list[LakeObject]:
        return unread_objects(lab.stack, lab.client, date(2026, 11, 1), now=lab.now, days=None)[0]

    assert [f"{each.hour:%d %H}" for each in unread()] == ([] if whole else ["19 09"])
    exporter = lab.exporter
    for window in spans(each.hour for each in unread()):
        backfill(lab.ledger, exporter.writer, lab.contract(), window, overlap=True, run="run", now=exporter.now)
    assert unread() == []
    assert set(lab.delivered()) == {"before", "left-out"}
