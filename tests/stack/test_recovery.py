"""Runs that die, that are overtaken, and that meet each other."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.lease import LEASE_SECONDS
from referral_delivery.delivery.report import Status
from referral_delivery.errors import CursorMovedBack, MissingAttribute
from referral_delivery.file.upload import Uploads
from referral_delivery.ledger.records import Claim, Sealed
from referral_delivery.ledger.table import Ledger
from tests.stack.conftest import Lab, sweep
from tests.support import utc

pytestmark = pytest.mark.ledger


class Died(BaseException):
    """A process that ends: no handler of ours may see it."""


DUE = utc("2026-11-20 10:00")
STEPS: list[tuple[type[Any], str, bool]] = [
    (Ledger, "claim", False),
    (Uploads, "upload", False),
    (Ledger, "keep", False),
    (Ledger, "seal", True),
    (Ledger, "seal", False),
    (Uploads, "complete", True),
    (Uploads, "complete", False),
    (Ledger, "commit", True),
    (Ledger, "commit", False),
]
LEASE = timedelta(seconds=LEASE_SECONDS + 1)


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


def run_until_death(
    lab: Lab, kind: type[Any], method: str, *, before: bool, owner: str = "first", contract: Contract | None = None
) -> None:
    healthy = lab.exporter
    part = healthy.ledger if kind is Ledger else healthy.writer.uploads
    lab.__dict__["exporter"] = with_part(lab, dying(part, method, before=before))
    try:
        with pytest.raises(Died):
            lab.deliver(contract, due=DUE, owner=owner)
    finally:
        lab.__dict__["exporter"] = healthy


@pytest.mark.parametrize(("kind", "method", "before"), STEPS)
def test_a_run_that_died_at_a_step_is_followed_by_the_next_once_its_lease_has_ended(
    lab: Lab, kind: type[Any], method: str, before: bool
) -> None:
    lab.put_referrals("2026-11-20 09", "a", "b")
    run_until_death(lab, kind, method, before=before)
    seen = lab.files()
    lab.now += LEASE
    lab.put_referrals("2026-11-20 10", "c")
    lab.deliver(due=utc("2026-11-20 11:00"))
    lab.deliver(due=utc("2026-11-20 11:00"))
    assert lab.delivered() == ["a", "b", "c"]
    # Before its seal, a run has promised nothing: the next window is the longer one.
    promised = (method, before) in [("seal", False), ("complete", True), ("complete", False), ("commit", True)]
    rows = [2, 1] if promised or method == "commit" else [3]
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


def test_a_run_that_comes_second_takes_the_place_of_a_dead_one_though_its_clock_never_reaches_the_leases_end(
    lab: Lab,
) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    run_until_death(lab, Ledger, "seal", before=True)
    assert lab.deliver(due=DUE, owner="second").status is Status.DELIVERED
    assert lab.delivered() == ["a"]


def test_a_run_that_comes_second_hands_its_due_time_to_a_holder_that_lives(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    lab.put_referrals("2026-11-20 10", "b")
    healthy = lab.exporter
    seconds: list[Status] = []

    class Busy(Ledger):
        def seal(self, claim: Claim, sealed: Sealed) -> Claim:
            """While the first run is at work, a second one comes, and the first renews its lease."""
            if not seconds:
                lab.__dict__["exporter"] = dataclasses.replace(healthy, sleep=lambda _: self.renew(claim, expires=1e10))
                seconds.append(lab.deliver(due=utc("2026-11-20 11:00"), owner="second").status)
            return super().seal(claim, sealed)

    busy = Busy(lab.stack.dynamodb, lab.stack["ledger_table"])
    lab.__dict__["exporter"] = dataclasses.replace(healthy, ledger=busy)
    report = lab.deliver(due=DUE, owner="first")
    assert seconds == [Status.IN_PROGRESS]
    assert [made.window.end for made in report.deliveries] == [DUE, utc("2026-11-20 11:00")]
    assert lab.delivered() == ["a", "b"]
    assert "lease_owner" not in lab.cursor()


def test_a_due_time_that_a_failed_run_was_asked_for_is_met_by_the_next_however_early_its_own(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    run_until_death(lab, Ledger, "seal", before=True)
    lab.now += LEASE
    lab.deliver(due=utc("2026-11-20 09:00"))
    assert lab.delivered() == ["a"]
    assert lab.ledger.position(lab.client).cursor == DUE


def test_a_contract_that_could_not_be_met_wedges_nobody_once_it_is_mended(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    with pytest.raises(MissingAttribute):
        lab.deliver(lab.contract(attributes=["referral_id", "gender"]), due=DUE)
    assert lab.deliver(due=utc("2026-11-20 11:00")).status is Status.DELIVERED
    assert list(lab.files().values()) == [b"referral_id\na\n"]


def test_an_attribute_that_was_withdrawn_leaves_with_no_file_though_a_run_had_begun_under_it(lab: Lab) -> None:
    lab.put_sources("2026-11-20 09", "a")
    wider = lab.contract(attributes=["referral_id", "source"])
    run_until_death(lab, Ledger, "seal", before=True, contract=wider)
    lab.now += timedelta(days=3)
    lab.deliver(due=utc("2026-11-23 10:00"))
    assert list(lab.files().values()) == [b"referral_id\na\n"]


def test_a_sealed_delivery_is_published_under_the_contract_that_it_was_sealed_under(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    run_until_death(lab, Ledger, "seal", before=False)
    lab.now += timedelta(hours=1)
    changed = lab.contract(attributes=[{"name": "renamed", "from": "referral_id"}])
    lab.deliver(changed, due=utc("2026-11-20 11:00"))
    assert list(lab.files().values()) == [b"referral_id\na\n", b"renamed\n"]


def test_what_lands_after_a_seal_goes_with_the_next_delivery_though_the_upload_was_lost(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "sealed")
    run_until_death(lab, Ledger, "seal", before=False)
    sweep(lab)
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


def test_runs_at_once_make_one_file_between_them(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a", "b")
    assert lab.exporter.writer.lake.bucket  # made before the threads ask for it
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda n: lab.deliver(due=DUE, owner=f"run-{n}"), range(8)))
    statuses = [report.status for report in reports]
    assert statuses.count(Status.DELIVERED) == 1
    assert set(statuses) <= {Status.DELIVERED, Status.IN_PROGRESS, Status.NOTHING_TO_DELIVER}
    assert (lab.delivered(), len(lab.files())) == (["a", "b"], 1)


def test_a_cursor_that_somebody_has_moved_back_is_told_as_that_and_not_as_another_run(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 08", "a")
    assert lab.deliver(due=utc("2026-11-20 09:00"), owner="first").status is Status.DELIVERED
    lab.stack.dynamodb.update_item(
        TableName=lab.stack["ledger_table"],
        Key={"client": {"S": lab.client}, "record": {"S": "cursor"}},
        UpdateExpression="SET #position = :earlier",
        ExpressionAttributeNames={"#position": "position"},
        ExpressionAttributeValues={":earlier": {"S": "2026-11-20T08:00:00Z"}},
    )
    with pytest.raises(CursorMovedBack, match="a delivery up to 2026-11-20T09:00:00Z is in the ledger"):
        lab.deliver(due=utc("2026-11-20 09:00"), owner="second")
