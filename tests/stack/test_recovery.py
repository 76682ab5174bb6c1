"""Runs that die, that are overtaken, and that meet each other."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from referral_delivery.errors import ForeignObject
from referral_delivery.export import Exporter, Status
from referral_delivery.lake import drawn_in
from referral_delivery.ledger import Ledger
from referral_delivery.upload import Uploads
from tests.stack.conftest import Lab
from tests.support import utc


class Died(BaseException):
    """A process that ends: no handler of ours may see it."""


DUE = utc("2026-11-20 10:00")
STEPS: list[tuple[type[Any], str, bool]] = [
    (Ledger, "claim", False),
    (Ledger, "begin", True),
    (Ledger, "begin", False),
    (Uploads, "upload", False),
    (Ledger, "seal", True),
    (Ledger, "seal", False),
    (Uploads, "complete", True),
    (Uploads, "complete", False),
    (Ledger, "commit", True),
    (Ledger, "commit", False),
]


def dying(part: Any, method: str, *, before: bool) -> Any:
    """A copy of a ledger or of uploads, in which a method dies before or after it has done its work."""
    original: Callable[..., Any] = getattr(part, method)

    def die(*args: Any, **kwargs: Any) -> Any:
        if not before:
            original(*args, **kwargs)
        raise Died(method)

    copy = object.__new__(type(part))
    copy.__dict__.update(part.__dict__)
    setattr(copy, method, die)
    return copy


def with_part(lab: Lab, part: Any) -> Exporter:
    if isinstance(part, Ledger):
        return dataclasses.replace(lab.exporter, ledger=part)
    return dataclasses.replace(lab.exporter, writer=dataclasses.replace(lab.exporter.writer, uploads=part))


def run_until_death(lab: Lab, kind: type[Any], method: str, *, before: bool, owner: str = "first") -> None:
    healthy = lab.exporter
    part = healthy.ledger if kind is Ledger else healthy.writer.uploads
    lab.__dict__["exporter"] = with_part(lab, dying(part, method, before=before))
    try:
        with pytest.raises(Died):
            lab.deliver(due=DUE, owner=owner)
    finally:
        lab.__dict__["exporter"] = healthy


@pytest.mark.parametrize(("kind", "method", "before"), STEPS)
def test_a_run_that_died_at_a_step_is_finished_by_the_next_once_its_lease_has_ended(
    lab: Lab, kind: type[Any], method: str, before: bool
) -> None:
    lab.put_referrals("2026-11-20 09", "a", "b")
    run_until_death(lab, kind, method, before=before)
    seen = lab.files()
    lab.now += timedelta(seconds=931)
    lab.put_referrals("2026-11-20 10", "c")
    lab.deliver(due=utc("2026-11-20 11:00"))
    lab.deliver(due=utc("2026-11-20 11:00"))
    assert lab.delivered() == ["a", "b", "c"]
    # Before its window is written down, a run has left nothing to finish: the next window is the longer one.
    rows = [3] if (method, before) in (("claim", False), ("begin", True)) else [2, 1]
    assert [name[-10:-4] for name in lab.files()] == ["000001", "000002"][: len(rows)]
    assert {name: lab.files()[name] for name in seen} == seen
    recorded = lab.ledger.deliveries(lab.client)
    assert [(each.sequence, each.rows) for each in recorded] == list(enumerate(rows, start=1))
    assert {str(each.key).rsplit("/", 1)[1]: each.size_bytes for each in recorded} == {
        name: len(content) for name, content in lab.files().items()
    }


def test_the_same_request_takes_its_own_lease_over_at_once(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    run_until_death(lab, Ledger, "seal", before=True, owner="request-1")
    assert lab.deliver(due=DUE, owner="request-1").status is Status.DELIVERED
    assert lab.delivered() == ["a"]


def test_another_request_finds_the_lease_held_and_ends_as_in_progress(lab: Lab) -> None:
    run_until_death(lab, Ledger, "seal", before=True)
    report = lab.deliver(due=DUE, owner="request-2")
    assert (report.status, lab.files()) == (Status.IN_PROGRESS, {})


def test_a_pending_delivery_is_finished_under_the_contract_that_it_began_with(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    run_until_death(lab, Ledger, "seal", before=True)
    lab.now += timedelta(hours=1)
    changed = lab.contract(attributes=[{"name": "renamed", "from": "referral_id"}])
    lab.deliver(changed, due=utc("2026-11-20 11:00"))
    assert list(lab.files().values()) == [b"referral_id\na\n", b"renamed\n"]


def test_what_lands_after_a_seal_goes_with_the_next_delivery_though_the_upload_was_lost(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "sealed")
    run_until_death(lab, Ledger, "seal", before=False)
    for upload_id in lab.uploads_in_progress():
        lab.exporter.writer.uploads.abort(
            f"downloads/{lab.client}/referrals_{lab.client}_20261120T100000Z_000001.csv", upload_id
        )
    lab.put_referrals("2026-11-20 09", "landed-later")
    lab.now += timedelta(hours=1)
    lab.deliver(due=utc("2026-11-20 11:00"))
    assert [content for _, content in sorted(lab.files().items())] == [
        b"referral_id\nsealed\n",
        b"referral_id\nlanded-later\n",
    ]


def test_a_run_that_was_overtaken_before_its_seal_keeps_nothing(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    healthy = lab.exporter

    class Slow(Ledger):
        def seal(self, *args: Any, **kwargs: Any) -> Any:
            lab.now += timedelta(hours=1)
            lab.__dict__["exporter"] = healthy
            assert lab.deliver(due=DUE, owner="second").status is Status.DELIVERED
            return super().seal(*args, **kwargs)

    slow = Slow(lab.stack.dynamodb, lab.stack["ledger_table"])
    lab.__dict__["exporter"] = dataclasses.replace(healthy, ledger=slow)
    report = lab.deliver(due=DUE, owner="first")
    assert report.status is Status.OVERTAKEN
    assert (lab.delivered(), len(lab.ledger.deliveries(lab.client))) == (["a"], 1)
    assert "pending" not in lab.cursor()


def test_a_run_that_was_overtaken_after_its_seal_completes_the_same_bytes(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    healthy = lab.exporter

    class Slow(Uploads):
        def complete(self, *args: Any, **kwargs: Any) -> Any:
            lab.now += timedelta(hours=1)
            lab.__dict__["exporter"] = healthy
            assert lab.deliver(due=DUE, owner="second").status is Status.DELIVERED
            return super().complete(*args, **kwargs)

    slow = Slow(lab.stack.s3, lab.stack["delivery_bucket"])
    lab.__dict__["exporter"] = with_part(lab, slow)
    assert lab.deliver(due=DUE, owner="first").status is Status.OVERTAKEN
    assert (lab.delivered(), len(lab.ledger.deliveries(lab.client))) == (["a"], 1)
    assert "pending" not in lab.cursor()


def test_an_object_that_is_not_ours_under_the_files_name_fails_loudly_and_stays(lab: Lab) -> None:
    key = f"downloads/{lab.client}/referrals_{lab.client}_20261120T100000Z_000001.csv"
    lab.stack.s3.put_object(Bucket=lab.stack["delivery_bucket"], Key=key, Body=b"not ours")
    with pytest.raises(ForeignObject, match=rf"sequence 1: '{key}' exists in bucket .* remove or rename it"):
        lab.deliver(due=DUE)
    assert list(lab.files().values()) == [b"not ours"]
    assert "position" not in lab.cursor()


def test_a_long_backlog_is_delivered_in_several_files_by_one_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral_delivery.export.drawn_in", _drawn_in_at(2))
    for hour in ("2026-11-03 01", "2026-11-03 02", "2026-11-07 05", "2026-11-19 23", "2026-11-20 09"):
        lab.put_referrals(hour, hour.replace(" ", "T"))
    report = lab.deliver(due=DUE)
    assert [delivery.rows for delivery in report.deliveries] == [2, 2, 1]
    assert report.deliveries[-1].window.end == DUE
    assert len(lab.delivered()) == 5


def test_a_run_begins_no_further_delivery_without_the_time_for_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral_delivery.export.drawn_in", _drawn_in_at(1))
    monkeypatch.setattr("referral_delivery.export._SPARE_SECONDS", 1_000)
    lab.put_referrals("2026-11-03 01", "a")
    lab.put_referrals("2026-11-07 05", "b")
    assert len(lab.deliver(due=DUE).deliveries) == 1
    assert len(lab.deliver(due=DUE).deliveries) == 1
    assert lab.delivered() == ["a", "b"]


def test_runs_at_once_make_one_file_between_them(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a", "b")
    assert lab.exporter.writer.lake.bucket  # made before the threads ask for it
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda n: lab.deliver(due=DUE, owner=f"run-{n}"), range(8)))
    statuses = [report.status for report in reports]
    assert statuses.count(Status.DELIVERED) == 1
    assert set(statuses) <= {Status.DELIVERED, Status.IN_PROGRESS, Status.NOTHING_TO_DELIVER}
    assert (lab.delivered(), len(lab.files())) == (["a", "b"], 1)


def _drawn_in_at(limit: int) -> Callable[..., Any]:
    return lambda *args, **kwargs: drawn_in(*args, **kwargs, limit=limit)
