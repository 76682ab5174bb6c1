"""`referralctl resend`: a delivery made again from the lake."""

import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from referral_delivery.delivery.report import Report, Status
from referral_delivery.delivery.resend import find, resend
from referral_delivery.errors import ContractError
from referral_delivery.file import pack
from referral_delivery.file.upload import NotCompleted, UploadedParts, Uploads
from tests.stack.conftest import Command, Lab
from tests.stack.test_recovery import Died, dying
from tests.support import catalogue_without, utc


def test_a_delivery_is_made_again_byte_for_byte_though_the_lake_has_grown(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-11-05 03", "a")
    command("deliver", quiet.client)
    quiet.put_sources("2026-11-05 03", "landed-later")
    before, cursor = quiet.csv_files(), quiet.cursor()
    ((name, original),) = before.items()
    for number in (2, 3):
        report = command("resend", quiet.client, "1")
        again = name.replace(".csv", f"_r{number}.csv")
        assert (report["status"], report["deliveries"][0]["file"]) == ("resent", again)
        assert quiet.csv_files()[again] == original
    assert quiet.cursor() == cursor
    (listed,) = command("deliveries", quiet.client)
    assert [each["file"] for each in listed["resends"]] == [name.replace(".csv", f"_r{n}.csv") for n in (2, 3)]


def test_an_expired_delivery_is_made_again_under_its_own_name(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-11-05 03", "a")
    command("deliver", quiet.client)
    ((name, original),) = quiet.csv_files().items()
    quiet.stack.s3.delete_object(Bucket=quiet.stack["delivery_bucket"], Key=f"downloads/{quiet.client}/{name}")
    assert command("resend", quiet.client, "1", "--dry-run")["would"] == f"publish 1 rows again as {name}"
    command("resend", quiet.client, "1")
    assert quiet.csv_files() == {name: original}


def test_a_delivery_that_the_lake_no_longer_gives_is_not_published_and_marked(quiet: Lab, command: Command) -> None:
    key = quiet.put_sources("2026-11-05 03", "a")
    quiet.put_sources("2026-11-05 04", "b")
    command("deliver", quiet.client)
    before = quiet.files()
    quiet.stack.s3.delete_object(Bucket=quiet.stack["lake_bucket"], Key=key)
    report = command("resend", quiet.client, "1", code=1)
    assert report["status"] == "lake_changed"
    assert (quiet.files(), quiet.uploads_in_progress()) == (before, [])
    (marked,) = command("deliveries", quiet.client)[0]["resends"]
    assert (marked["file"], marked["sha256"]) == (None, report["deliveries"][0]["sha256"])


def test_a_later_delivery_is_made_again_with_its_late_and_its_shared_referrals(lab: Lab) -> None:
    rows = [{"referral_id": f"m{n:02d}", "received_at": f"2026-11-20 10:{n:02d}:00"} for n in range(60)]
    lab.put("2026-11-20 10", rows)
    lab.deliver(due=utc("2026-11-20 10:30"))
    lab.put_referrals("2026-11-20 09", "late")
    (second,) = lab.deliver(due=utc("2026-11-20 11:00")).deliveries
    lab.put_referrals("2026-11-20 10", "later")
    lab.deliver(due=utc("2026-11-20 11:30"))
    report = resend(lab.ledger, lab.exporter.writer, lab.client, 2, request="one", now=lab.exporter.now)
    (again,) = report.deliveries
    assert (again.sha256, again.rows) == (second.sha256, 31)


def test_a_delivery_that_was_never_made_cannot_be_made_again(quiet: Lab, command: Command) -> None:
    said = command("resend", quiet.client, "7", code=1)
    assert f"client {quiet.client} has no delivery 7; it has none yet" in said


def test_a_resend_is_logged_as_what_it_is_and_not_measured_as_a_delivery(
    quiet: Lab, command: Command, system: dict[str, Any], eventually: Any
) -> None:
    quiet.put_sources("2026-11-05 03", "a")
    command("deliver", quiet.client)
    command("resend", quiet.client, "1")
    log = Path(system["clients"]["acme"]["private_key"]).parents[1] / "emulator.log"

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{" and quiet.client in line]

    eventually(lambda: sum("_aws" in line for line in lines()) == 2, seconds=20, what="two sets of metrics")
    messages = [line.get("message") for line in lines()]
    assert [each for each in messages if each and each.startswith("delivery")] == [
        "delivery published",
        "delivery published again",
    ]
    assert ["WindowLag" in line for line in lines() if "_aws" in line] == [True, False]


@pytest.mark.parametrize(("made", "has"), [(0, "none yet"), (1, "1 to 1"), (2, "1 to 2")])
def test_a_number_that_no_delivery_has_is_told_with_those_that_there_are(lab: Lab, made: int, has: str) -> None:
    for number in range(made):
        lab.deliver(due=utc(f"2026-11-20 1{number}:00"))
    with pytest.raises(ContractError, match=f"client {lab.client} has no delivery 3; it has {has}$"):
        find(lab.ledger, lab.client, 3)


def test_the_manifest_of_a_resend_names_the_delivery_before_the_one_that_is_made_again(lab: Lab) -> None:
    told = lab.contract(file={"manifest": True})
    for number in range(3):
        lab.deliver(told, due=utc(f"2026-11-20 1{number}:00"))
    (made,) = resend(lab.ledger, lab.exporter.writer, lab.client, 3, request="one", now=lab.exporter.now).deliveries
    manifest = json.loads(lab.files()[f"{str(made.key).rpartition('/')[2]}.manifest.json"])
    assert (manifest["occasion"], manifest["sequence"], manifest["previous_sequence"]) == ("resend", 3, 2)


def again(lab: Lab, *, request: str = "one", uploads: Uploads | None = None) -> Report:
    writer = dataclasses.replace(lab.exporter.writer, uploads=uploads or lab.exporter.writer.uploads)
    return resend(lab.ledger, writer, lab.client, 1, request=request, now=lab.exporter.now)


def test_the_same_request_publishes_once_however_often_it_comes(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver()
    assert [again(lab).status, again(lab).status] == [Status.RESENT, Status.RESENT_BEFORE]
    assert len(lab.files()) == 2
    assert again(lab, request="another").status is Status.RESENT
    assert len(lab.files()) == 3


def test_a_resend_whose_answer_was_lost_publishes_no_second_file(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver()

    class Forgetful(Uploads):
        def complete(self, key: str, parts: UploadedParts) -> str | NotCompleted:
            super().complete(key, parts)
            return NotCompleted.NO_SUCH_UPLOAD

    forgetful = Forgetful(lab.stack.s3, lab.stack["delivery_bucket"])
    assert again(lab, uploads=forgetful).status is Status.RESENT
    assert sorted(name[-7:] for name in lab.files()) == ["001.csv", "_r2.csv"]


def test_a_resend_that_died_before_its_mark_is_finished_by_the_same_request(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver()
    with pytest.raises(Died):
        resend(
            dying(lab.ledger, "mark_resend", before=True),
            lab.exporter.writer,
            lab.client,
            1,
            request="one",
            now=lab.exporter.now,
        )
    assert again(lab).status is Status.RESENT
    assert len(lab.files()) == 2
    ((marked,),) = [each.resends for each in lab.ledger.deliveries(lab.client)]
    assert marked.key is not None


def test_another_compressor_is_told_from_another_lake(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = lab.contract(file={"compression": "gzip"})
    lab.put_referrals("2026-11-20 09", *(f"r{number}" for number in range(500)))
    lab.deliver(packed)
    ((name, first),) = lab.files().items()
    lab.stack.s3.delete_object(Bucket=lab.stack["delivery_bucket"], Key=f"downloads/{lab.client}/{name}")
    monkeypatch.setattr(pack, "_GZIP_LEVEL", 0)
    report = again(lab)
    assert report.status is Status.RESENT
    # The client may have kept the first file: other bytes are not given its name.
    ((other, second),) = lab.files().items()
    assert (other, second != first) == (name.replace(".csv", "_r2.csv"), True)
    assert gzip.decompress(second) == gzip.decompress(first)


def test_a_delivery_is_made_again_after_its_attribute_has_left_the_catalogue(lab: Lab) -> None:
    lab.put_sources("2026-11-20 09", "a")
    lab.deliver(lab.contract(attributes=["referral_id", "source"]))
    fresh = dataclasses.replace(lab)
    with catalogue_without("source"):
        assert again(fresh).status is Status.RESENT
    assert set(lab.files().values()) == {b"referral_id,source\na,site\n"}
