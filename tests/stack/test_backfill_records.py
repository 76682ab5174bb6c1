"""What the ledger, the file's object and its manifest say of a backfill."""

import hashlib
import json
from datetime import date

import pytest

from referral_delivery.delivery.backfill import key_of
from referral_delivery.file.pack import Hashed
from referral_delivery.ledger.records import Delivery, Sealed
from referral_delivery.window import Window
from tests.stack.conftest import Lab
from tests.stack.test_backfill import WINDOW, make
from tests.stack.test_recovery import Died, dying
from tests.support import utc


def test_a_backfill_is_recorded_with_what_its_file_holds_and_leaves_no_upload(lab: Lab) -> None:
    lab.put_referrals("2026-10-05 03", "a", "b")
    (read,) = lab.stack.lake.objects(lab.client, WINDOW, deliver_from=WINDOW.start.date())
    make(lab, WINDOW)
    body = b"referral_id\na\nb\n"
    assert b"".join(plain := Hashed([body])) == body
    assert lab.ledger.backfill(lab.client, WINDOW) == Delivery(
        client=lab.client,
        sequence=None,
        occasion="backfill",
        window=WINDOW,
        key=key_of(lab.contract(), WINDOW),
        rows=2,
        size_bytes=16,
        sha256=hashlib.sha256(body).hexdigest(),
        plain_hash=plain.hash,
        late_rows=0,
        published_at=lab.now,
        contract=lab.contract(deliver_from="2026-10-05").hash,
        objects=frozenset({read.name_hash}),
    )
    assert lab.uploads_in_progress() == []


def test_a_backfills_object_says_of_which_window_and_of_which_run_it_is(lab: Lab) -> None:
    (made,) = make(lab, WINDOW).deliveries
    assert lab.exporter.writer.uploads.metadata(str(made.key)) == {
        "client": lab.client,
        "backfill": "2026-10-05T00:00:00Z/2026-10-06T00:00:00Z",
        "run": "run",
    }


def test_a_backfill_without_referrals_and_without_a_file_is_recorded_as_empty(lab: Lab) -> None:
    lab.put_referrals("2026-10-05 03", "a")
    earlier = Window(WINDOW.start, utc("2026-10-05 03:00"))
    (made,) = make(lab, earlier, file={"when_empty": "skip"}).deliveries
    assert (made.key, made.rows, made.size_bytes, made.late_rows) == (None, 0, 0, 0)
    assert (made.sha256, made.plain_hash, made.objects) == (None, None, frozenset())
    assert lab.ledger.backfill(lab.client, earlier) == made


def test_a_sealed_backfill_has_neither_number_nor_fence_nor_late_referrals(lab: Lab) -> None:
    lab.put_referrals("2026-10-05 03", "a")
    with pytest.raises(Died):
        make(lab, WINDOW, ledger=dying(lab.ledger, "seal_backfill", before=False))
    sealed = lab.ledger.backfill(lab.client, WINDOW)
    assert isinstance(sealed, Sealed)
    assert (sealed.sequence, sealed.fence, sealed.late_rows) == (0, 0, 0)


@pytest.mark.parametrize(
    ("start", "end", "whole"), [("09:00", "11:00", [9, 10]), ("09:00:01", "11:00", [10]), ("09:00", "10:59:59", [9])]
)
def test_a_backfill_has_read_for_good_the_objects_whose_hours_it_holds_whole(
    lab: Lab, start: str, end: str, whole: list[int]
) -> None:
    window = Window(utc(f"2026-10-05 {start}"), utc(f"2026-10-05 {end}"))
    for hour in ("09", "10"):
        lab.put_referrals(f"2026-10-05 {hour}", f"a-{hour}", minute=30)
    listed = lab.stack.lake.objects(lab.client, window, deliver_from=date(2026, 10, 1))
    (made,) = make(lab, window).deliveries
    assert (made.rows, [each.hour.hour for each in listed if each.name_hash in made.objects]) == (2, whole)


def test_the_manifest_of_a_backfill_has_no_number_and_names_no_delivery_before_it(lab: Lab) -> None:
    make(lab, WINDOW, file={"manifest": True})
    (manifest,) = [json.loads(body) for name, body in lab.files().items() if name.endswith(".json")]
    assert (manifest["occasion"], manifest["sequence"], manifest["previous_sequence"]) == ("backfill", None, None)
