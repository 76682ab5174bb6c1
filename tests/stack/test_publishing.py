"""What is sealed becomes visible once: its upload lost, its name taken, its answer lost."""

import pytest

from referral_delivery.delivery.report import Status
from referral_delivery.errors import UnreadableObject
from referral_delivery.file.upload import NotCompleted, UploadedParts, Uploads
from referral_delivery.ledger.records import Sealed
from referral_delivery.ledger.table import Ledger
from tests.stack.conftest import Lab, sweep
from tests.stack.test_recovery import DUE, LEASE, run_until_death, with_part
from tests.support import utc

pytestmark = pytest.mark.ledger


def test_a_file_whose_name_an_object_that_is_not_ours_has_taken_takes_another(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    name = f"referrals_{lab.client}_20261120T100000Z_000001.csv"
    lab.stack.s3.put_object(Bucket=lab.stack["delivery_bucket"], Key=f"downloads/{lab.client}/{name}", Body=b"not ours")
    told: list[tuple[Sealed, str]] = []
    report = lab.deliver(due=DUE, taken_back=lambda *what: told.append(what))
    assert report.status is Status.DELIVERED
    assert lab.files() == {name: b"not ours", name.replace(".csv", "_2.csv"): b"referral_id\na\n"}
    assert [why for _, why in told] == [
        f"an object that no delivery wrote has taken the name 'downloads/{lab.client}/{name}'"
    ]
    assert (lab.uploads_in_progress(), "pending" in lab.cursor()) == ([], False)


def test_a_seal_whose_upload_and_rows_are_gone_is_taken_back_and_the_window_delivered_afresh(lab: Lab) -> None:
    lost = lab.put_referrals("2026-11-20 09", "lost")
    lab.put_referrals("2026-11-20 08", "kept")
    run_until_death(lab, Ledger, "seal", before=False)
    sweep(lab)
    lab.stack.s3.delete_object(Bucket=lab.stack["lake_bucket"], Key=lost)
    lab.now += LEASE
    told: list[str] = []
    lab.deliver(due=DUE, taken_back=lambda _, why: told.append(why))
    assert lab.delivered() == ["kept"]
    assert told == ["its upload is gone, and the lake gives other rows than those that were sealed"]


def test_a_seal_whose_upload_is_gone_and_whose_rows_cannot_be_read_is_taken_back_and_says_so(lab: Lab) -> None:
    key = lab.put_referrals("2026-11-20 09", "a")
    run_until_death(lab, Ledger, "seal", before=False)
    sweep(lab)
    lab.stack.s3.put_object(Bucket=lab.stack["lake_bucket"], Key=key, Body=b"no parquet any more")
    lab.now += LEASE
    told: list[str] = []
    with pytest.raises(UnreadableObject):
        lab.deliver(due=DUE, taken_back=lambda _, why: told.append(why))
    (why,) = told
    assert why.startswith(f"its upload is gone, and the lake no longer gives its rows: client {lab.client}, window ")
    assert (lab.files(), lab.uploads_in_progress(), "pending" in lab.cursor()) == ({}, [], False)


def test_a_lost_sealed_upload_is_made_again_with_the_rows_of_objects_that_were_read_before(lab: Lab) -> None:
    rows = [{"referral_id": f"m{n:02d}", "received_at": f"2026-11-20 09:{n:02d}:00"} for n in (10, 40)]
    lab.put("2026-11-20 09", rows)
    lab.deliver(due=utc("2026-11-20 09:30"))
    run_until_death(lab, Ledger, "seal", before=False)
    sweep(lab)
    lab.now += LEASE
    lab.deliver(due=DUE)
    assert [content for _, content in sorted(lab.files().items())] == [b"referral_id\nm10\n", b"referral_id\nm40\n"]


def test_an_upload_that_was_completed_behind_a_lost_answer_is_recognised_though_s3_says_no_such_upload(
    lab: Lab,
) -> None:
    lab.put_referrals("2026-11-20 09", "a")

    class Forgetful(Uploads):
        def complete(self, key: str, parts: UploadedParts) -> str | NotCompleted:
            super().complete(key, parts)
            return NotCompleted.NO_SUCH_UPLOAD

    lab.__dict__["exporter"] = with_part(lab, Forgetful(lab.stack.s3, lab.stack["delivery_bucket"]))
    assert lab.deliver(due=DUE).status is Status.DELIVERED
    assert (lab.delivered(), len(lab.files())) == (["a"], 1)


def test_a_conflict_of_conditional_requests_is_answered_with_a_new_upload_of_the_same_bytes(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    asked: list[str] = []

    class Conflicting(Uploads):
        def complete(self, key: str, parts: UploadedParts) -> str | NotCompleted:
            asked.append(parts.upload_id)
            return NotCompleted.CONFLICT if len(asked) == 1 else super().complete(key, parts)

    lab.__dict__["exporter"] = with_part(lab, Conflicting(lab.stack.s3, lab.stack["delivery_bucket"]))
    assert lab.deliver(due=DUE).status is Status.DELIVERED
    assert (lab.delivered(), len(set(asked)), lab.uploads_in_progress()) == (["a"], 2, [])
