"""`referralctl backfill`: files of a past range, beside the scheduled ones."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from referral_delivery.delivery import backfill as backfills
from referral_delivery.delivery.backfill import backfill, key_of
from referral_delivery.delivery.report import Report, Status
from referral_delivery.errors import ContractError, ForeignObject, TooManyObjects
from referral_delivery.file.upload import NotCompleted, UploadedParts, Uploads
from referral_delivery.ledger.table import Ledger
from referral_delivery.window import Window
from tests.stack.conftest import Command, Lab, sweep
from tests.stack.test_recovery import Died, dying
from tests.support import utc


def test_a_backfill_makes_a_file_for_each_window_and_leaves_the_cursor(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-10-05 03", "a")
    quiet.put_sources("2026-10-06 03", "b")
    asked = ("backfill", quiet.client, "--from", "2026-10-05", "--to", "2026-10-07", "--every", "1d")
    names = [f"referrals_{quiet.client}_backfill_2026100{n}T000000Z_2026100{n + 1}T000000Z.csv" for n in (5, 6)]
    assert command(*asked, "--dry-run")["would"] == f"publish 2 files: {', '.join(names)}"
    assert quiet.files() == {}
    command(*asked)
    assert quiet.csv_files() == {
        names[0]: b"referral_id,source\na,site\n",
        names[1]: b"referral_id,source\nb,site\n",
    }
    assert quiet.cursor() == {}
    assert [each["occasion"] for each in command("deliveries", quiet.client)] == ["backfill", "backfill"]


def test_a_backfill_that_is_started_again_doubles_no_file(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-10-05 03", "a")
    asked = ("backfill", quiet.client, "--from", "2026-10-05", "--to", "2026-10-07", "--every", "1d")
    command(*asked)
    before = quiet.files()
    assert [each["status"] for each in command(*asked)["windows"]] == ["backfilled_before"] * 2
    assert quiet.files() == before


@pytest.mark.parametrize("method", ["seal_backfill", "finish_backfill"])
@pytest.mark.parametrize("before", [True, False])
def test_a_backfill_that_died_is_finished_with_the_same_bytes(lab: Lab, method: str, before: bool) -> None:
    lab.put_referrals("2026-10-05 03", "a")
    window = Window(utc("2026-10-05 00:00"), utc("2026-10-06 00:00"))
    exporter = lab.exporter

    def run(ledger: Any) -> Any:
        return backfill(ledger, exporter.writer, lab.contract(), window, overlap=False, run="run", now=exporter.now)

    with pytest.raises(Died):
        run(dying(lab.ledger, method, before=before))
    seen = lab.files()
    lab.put_referrals("2026-10-05 04", "landed-later")
    run(lab.ledger)
    run(lab.ledger)
    name = key_of(lab.contract(), window).rsplit("/", 1)[1]
    sealed = (method, before) != ("seal_backfill", True)
    assert lab.files() == {name: b"referral_id\na\n" if sealed else b"referral_id\na\nlanded-later\n"}
    assert seen.items() <= lab.files().items()


def test_a_backfill_of_what_was_delivered_is_refused_unless_overlap_is_meant(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-11-05 03", "a")
    command("deliver", quiet.client)
    asked = ("backfill", quiet.client, "--from", "2026-11-05", "--to", "2026-11-06")
    said = command(*asked, code=1)
    assert "deliveries 1 to 1 already cover part of 2026-11-05T00:00:00Z to 2026-11-06T00:00:00Z; use `resend`" in said
    assert len(quiet.csv_files()) == 1
    command(*asked, "--overlap")
    assert len(quiet.csv_files()) == 2


def test_the_function_too_refuses_a_backfill_of_what_was_delivered(lab: Lab) -> None:
    lab.put_referrals("2026-11-05 03", "a")
    lab.deliver()
    window = Window(utc("2026-11-05 00:00"), utc("2026-11-06 00:00"))
    with pytest.raises(ContractError, match="already cover part of"):
        make(lab, window)


WINDOW = Window(utc("2026-10-05 00:00"), utc("2026-10-06 00:00"))


def make(
    lab: Lab,
    window: Window,
    *,
    overlap: bool = False,
    ledger: Ledger | None = None,
    uploads: Uploads | None = None,
    **changed: Any,
) -> Report:
    exporter = lab.exporter
    writer = dataclasses.replace(exporter.writer, uploads=uploads or exporter.writer.uploads)
    return backfill(
        ledger or exporter.ledger,
        writer,
        lab.contract(**changed),
        window,
        overlap=overlap,
        run="run",
        now=exporter.now,
    )


def test_a_backfill_may_end_at_the_cursor_and_not_a_second_after_it(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 08", "a")
    lab.deliver(due=utc("2026-11-20 10:00"))
    beyond = Window(utc("2026-11-20 08:00"), utc("2026-11-20 10:00") + timedelta(seconds=1))
    with pytest.raises(ContractError, match="2026-11-20T10:00:01Z is after the cursor, 2026-11-20T10:00:00Z; what"):
        make(lab, beyond, overlap=True)
    assert make(lab, Window(beyond.start, utc("2026-11-20 10:00")), overlap=True).status is Status.BACKFILLED


def test_a_backfill_of_the_future_is_refused_though_nothing_was_delivered_yet(lab: Lab) -> None:
    with pytest.raises(
        ContractError, match="is after the cursor, 2026-11-01T00:00:00Z; what arrives from there on comes"
    ):
        make(lab, Window(utc("2027-01-01 00:00"), utc("2027-01-02 00:00")))
    assert lab.files() == {}


def test_a_window_that_ends_where_a_delivery_starts_is_not_covered_by_it(lab: Lab) -> None:
    lab.put_referrals("2026-11-05 03", "a")
    lab.deliver(lab.contract(deliver_from="2026-11-05"))
    assert make(lab, Window(utc("2026-11-04 00:00"), utc("2026-11-05 00:00"))).status is Status.BACKFILLED
    with pytest.raises(ContractError, match="already cover part of"):
        make(lab, Window(utc("2026-11-04 00:00"), utc("2026-11-05 00:00") + timedelta(seconds=1)))


def test_a_backfill_whose_file_has_expired_is_made_again(lab: Lab) -> None:
    lab.put_referrals("2026-10-05 03", "a")
    make(lab, WINDOW)
    ((name, body),) = lab.files().items()
    lab.stack.s3.delete_object(Bucket=lab.stack["delivery_bucket"], Key=f"downloads/{lab.client}/{name}")
    lab.now += timedelta(days=15)
    assert make(lab, WINDOW).status is Status.BACKFILLED
    assert lab.files() == {name: body}
    assert make(lab, WINDOW).status is Status.BACKFILLED_BEFORE


def test_a_backfill_under_another_contract_says_that_the_file_stays_until_it_expires(lab: Lab) -> None:
    lab.put_referrals("2026-10-05 03", "a")
    make(lab, WINDOW)
    ((name, body),) = lab.files().items()
    changed: dict[str, Any] = {"attributes": ["received_at", "referral_id"]}
    assert make(lab, WINDOW, **changed).status is Status.BACKFILLED_OTHERWISE
    assert make(lab, WINDOW, deliver_from="2026-10-05").status is Status.BACKFILLED_BEFORE
    assert lab.files() == {name: body}
    earlier = Window(WINDOW.start - timedelta(minutes=1), WINDOW.end)
    assert make(lab, earlier, **changed).status is Status.BACKFILLED
    lab.stack.s3.delete_object(Bucket=lab.stack["delivery_bucket"], Key=f"downloads/{lab.client}/{name}")
    assert make(lab, WINDOW, **changed).status is Status.BACKFILLED
    assert {each.split(b"\n")[0] for each in lab.files().values()} == {b"received_at,referral_id"}


def test_a_backfill_that_had_no_file_is_made_again_for_what_has_landed_since(lab: Lab) -> None:
    skip: dict[str, Any] = {"file": {"when_empty": "skip"}}
    assert make(lab, WINDOW, **skip).deliveries[0].key is None
    lab.put_referrals("2026-10-05 03", "a")
    assert make(lab, WINDOW, **skip).deliveries[0].rows == 1
    assert make(lab, WINDOW, **skip).status is Status.BACKFILLED_BEFORE


def test_two_backfills_at_once_whose_sealed_upload_is_gone_publish_one_file_between_them(lab: Lab) -> None:
    lab.put_referrals("2026-10-05 03", "a")
    with pytest.raises(Died):
        make(lab, WINDOW, ledger=dying(lab.ledger, "seal_backfill", before=False))
    sweep(lab)

    class Slow(Ledger):
        def seal_backfill(self, *args: Any, **kwargs: Any) -> bool:
            """Between this one's upload and its seal, another is started and ends."""
            assert make(lab, WINDOW).status is Status.BACKFILLED
            return super().seal_backfill(*args, **kwargs)

    report = make(lab, WINDOW, ledger=Slow(lab.stack.dynamodb, lab.stack["ledger_table"]))
    assert report.status is Status.BACKFILLED_BEFORE
    assert (list(lab.files().values()), lab.uploads_in_progress()) == ([b"referral_id\na\n"], [])


def test_a_backfill_names_the_first_and_the_last_of_the_deliveries_that_cover_it(lab: Lab) -> None:
    for hour in range(1, 6):
        lab.deliver(due=utc(f"2026-11-05 0{hour}:00"))
    with pytest.raises(ContractError, match="deliveries 2 to 4 already cover part of 2026-11-05T01:30:00Z to"):
        make(lab, Window(utc("2026-11-05 01:30"), utc("2026-11-05 03:30")))


def test_a_window_that_begins_where_a_file_ends_and_had_none_is_not_covered(lab: Lab) -> None:
    lab.deliver(due=utc("2026-11-05 01:00"))
    lab.deliver(lab.contract(file={"when_empty": "skip"}), due=utc("2026-11-05 02:00"))
    lab.put_referrals("2026-11-05 01", "landed-later")
    window = Window(utc("2026-11-05 01:00"), utc("2026-11-05 02:00"))
    assert [each.rows for each in make(lab, window).deliveries] == [1]


def test_a_backfill_reads_at_most_as_many_objects_as_its_record_can_name(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfills, "MAX_NAMED_OBJECTS", 2)
    for hour in ("03", "04", "05"):
        lab.put_referrals(f"2026-10-05 {hour}", hour)
    assert make(lab, Window(WINDOW.start, utc("2026-10-05 05:00"))).deliveries[0].rows == 2
    with pytest.raises(TooManyObjects, match="3 objects from 2026-10-05T00:00:00Z to 2026-10-06T00:00:00Z; a record"):
        make(lab, WINDOW)
    assert lab.uploads_in_progress() == []


def test_an_object_that_has_a_backfills_name_and_is_none_is_told_and_stays(lab: Lab) -> None:
    key = key_of(lab.contract(), WINDOW)
    lab.stack.s3.put_object(Bucket=lab.stack["delivery_bucket"], Key=key, Body=b"not ours")
    with pytest.raises(ForeignObject, match=f"{key!r} exists and is not the backfill that the ledger knows of; remove"):
        make(lab, WINDOW)
    assert list(lab.files().values()) == [b"not ours"]


def test_a_conflict_is_answered_with_another_upload_and_leaves_none_that_could_still_be_completed(lab: Lab) -> None:
    lab.put_referrals("2026-10-05 03", "a")
    asked: list[str] = []

    class Conflicting(Uploads):
        def complete(self, key: str, parts: UploadedParts) -> str | NotCompleted:
            asked.append(parts.upload_id)
            return NotCompleted.CONFLICT if len(asked) == 1 else super().complete(key, parts)

    make(lab, WINDOW, uploads=Conflicting(lab.stack.s3, lab.stack["delivery_bucket"]))
    assert (list(lab.files().values()), len(set(asked))) == ([b"referral_id\na\n"], 2)
    assert lab.uploads_in_progress() == []
