"""More than one delivery in a run: what is too much for one, and what a run does that has no time for it."""

import dataclasses
from datetime import timedelta

import pytest

from referral_delivery.delivery.export import SPARE_SECONDS
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Status
from referral_delivery.errors import UnreadableObject
from referral_delivery.ledger.records import Delivery
from tests.stack.conftest import Lab
from tests.stack.test_recovery import DUE
from tests.support import utc

pytestmark = pytest.mark.ledger


def test_a_long_backlog_is_delivered_in_several_files_by_one_run(lab: Lab) -> None:
    _read_at_most(lab, 2)
    for hour in ("2026-11-03 01", "2026-11-03 02", "2026-11-07 05", "2026-11-19 23", "2026-11-20 09"):
        lab.put_referrals(hour, hour.replace(" ", "T"))
    report = lab.deliver(due=DUE)
    assert [delivery.rows for delivery in report.deliveries] == [2, 2, 1]
    assert report.deliveries[-1].window.end == DUE
    assert len(lab.delivered()) == 5


def test_an_hour_that_is_too_much_is_delivered_in_several_files_by_one_run(lab: Lab) -> None:
    _read_at_most(lab, 2)
    for name in "abcde":
        lab.put_referrals("2026-11-20 09", name)
    lab.now = utc("2026-11-20 10:00") + timedelta(seconds=2.5)
    report = lab.deliver(due=DUE)
    assert [delivery.rows for delivery in report.deliveries] == [2, 2, 1]
    assert (report.status, lab.delivered()) == (Status.DELIVERED, list("abcde"))


def test_a_run_whose_time_is_up_ends_with_more_to_do_and_gives_its_lease_back(lab: Lab) -> None:
    _read_at_most(lab, 1)
    lab.put_referrals("2026-11-03 01", "a")
    lab.put_referrals("2026-11-07 05", "b")
    report = lab.deliver(due=DUE, seconds_left=lambda: 100.0)
    assert (report.status, len(report.deliveries), "lease_owner" in lab.cursor()) == (Status.MORE_TO_DO, 1, False)
    assert lab.deliver(due=utc("2026-11-08 00:00"), seconds_left=lambda: 100.0).status is Status.DELIVERED
    assert (lab.delivered(), lab.ledger.position(lab.client).cursor) == (["a", "b"], DUE)


def test_a_run_that_fails_after_a_first_delivery_has_told_of_it(lab: Lab) -> None:
    _read_at_most(lab, 1)
    lab.put_referrals("2026-11-03 01", "a")
    lab.put("2026-11-07 05", b"no parquet")
    told: list[Delivery] = []
    with pytest.raises(UnreadableObject):
        lab.deliver(due=DUE, delivered=told.append)
    assert [each.rows for each in told] == [1]
    assert "lease_owner" not in lab.cursor()


def _read_at_most(lab: Lab, objects: int) -> None:
    """A laboratory whose deliveries read no more than that many objects."""
    seconds = 900 - SPARE_SECONDS
    pace = Pace(objects_per_second=(objects + 0.5) / seconds, bytes_per_second=1e12)
    exporter = dataclasses.replace(lab.exporter, pace=pace, sleep=lambda seconds: _pass(lab, seconds))
    lab.__dict__["exporter"] = exporter


def _pass(lab: Lab, seconds: float) -> None:
    lab.now += timedelta(seconds=seconds)
