"""Operators' commands: deliveries, resend, backfill, audit, status, and the manifest beside a file."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from referral_delivery.backfill import key_of
from referral_delivery.errors import ContractError
from referral_delivery.ledger import Ledger
from referral_delivery.manifest import Manifest, json_schema
from referral_delivery.window import Window
from referralctl.again import split
from referralctl.history import client_status, next_due
from referralctl.main import app
from tests.stack.conftest import Lab
from tests.stack.test_recovery import run_until_death
from tests.support import utc

Command = Callable[..., Any]


@pytest.fixture
def command(system: dict[str, Any], tmp_path: Path) -> Command:
    """Runs a command with `--json`; its facts, or its message where it printed none."""
    outputs = tmp_path / "stack.json"
    outputs.write_text(json.dumps(system))

    def run(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--outputs", str(outputs), "--json"])
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return json.loads(done.stdout) if done.stdout else done.stderr

    return run


def put(lab: Lab, hour: str, *identities: str) -> str:
    stamp = f"{hour}:00:00"
    return lab.put(hour, [{"referral_id": each, "source": "site", "received_at": stamp} for each in identities])


def csv_files(lab: Lab) -> dict[str, bytes]:
    return {name: content for name, content in lab.files().items() if name.endswith(".csv")}


def test_deliver_in_a_dry_run_does_nothing(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-11-05 03", "a")
    said = command("deliver", quiet.client, "--dry-run")
    assert said["would"] == f"deliver to {quiet.client} what arrived from 2026-11-01T00:00:00Z until now"
    assert (quiet.files(), quiet.cursor()) == ({}, {})


def test_deliveries_lists_the_ledger_and_whether_files_are_still_there(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-11-05 03", "a", "b")
    command("deliver", quiet.client)
    ((name, content),) = csv_files(quiet).items()
    (listed,) = command("deliveries", quiet.client)
    assert (listed["sequence"], listed["kind"], listed["rows"], listed["file"]) == (1, "manual", 2, name)
    assert (listed["sha256"], listed["state"]) == (hashlib.sha256(content).hexdigest(), "there")
    quiet.stack.s3.delete_object(Bucket=quiet.stack["delivery_bucket"], Key=f"downloads/{quiet.client}/{name}")
    assert command("deliveries", quiet.client)[0]["state"] == "expired"


def test_a_manifest_describes_the_file_beside_it(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-11-05 03", "a", "b")
    command("deliver", quiet.client)
    ((name, content),) = csv_files(quiet).items()
    manifest = Manifest.model_validate_json(quiet.files()[f"{name}.manifest.json"])
    assert (manifest.file, manifest.sequence, manifest.previous_sequence) == (name, 1, None)
    assert (manifest.rows, manifest.size_bytes, manifest.columns) == (2, len(content), ["referral_id", "source"])
    assert manifest.sha256 == hashlib.sha256(content).hexdigest()
    assert b'"bytes": ' in quiet.files()[f"{name}.manifest.json"]


def test_the_committed_schema_of_the_manifest_is_current() -> None:
    committed = Path(__file__).parents[2] / "docs" / "manifest.schema.json"
    assert committed.read_text(encoding="utf-8") == json_schema()


def test_a_delivery_is_made_again_byte_for_byte_though_the_lake_has_grown(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-11-05 03", "a")
    command("deliver", quiet.client)
    put(quiet, "2026-11-05 03", "landed-later")
    before, cursor = csv_files(quiet), quiet.cursor()
    ((name, original),) = before.items()
    for number in (2, 3):
        report = command("resend", quiet.client, "1")
        again = name.replace(".csv", f"_r{number}.csv")
        assert (report["status"], report["deliveries"][0]["file"]) == ("resent", again)
        assert csv_files(quiet)[again] == original
    assert quiet.cursor() == cursor
    (listed,) = command("deliveries", quiet.client)
    assert [each["file"] for each in listed["resends"]] == [name.replace(".csv", f"_r{n}.csv") for n in (2, 3)]


def test_an_expired_delivery_is_made_again_under_its_own_name(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-11-05 03", "a")
    command("deliver", quiet.client)
    ((name, original),) = csv_files(quiet).items()
    quiet.stack.s3.delete_object(Bucket=quiet.stack["delivery_bucket"], Key=f"downloads/{quiet.client}/{name}")
    assert command("resend", quiet.client, "1", "--dry-run")["would"] == f"publish 1 rows again as {name}"
    command("resend", quiet.client, "1")
    assert csv_files(quiet) == {name: original}


def test_a_delivery_that_the_lake_no_longer_gives_is_not_published_and_marked(quiet: Lab, command: Command) -> None:
    key = put(quiet, "2026-11-05 03", "a")
    put(quiet, "2026-11-05 04", "b")
    command("deliver", quiet.client)
    before = quiet.files()
    quiet.stack.s3.delete_object(Bucket=quiet.stack["lake_bucket"], Key=key)
    report = command("resend", quiet.client, "1", code=1)
    assert report["status"] == "lake_changed"
    assert (quiet.files(), quiet.uploads_in_progress()) == (before, [])
    (marked,) = command("deliveries", quiet.client)[0]["resends"]
    assert (marked["file"], marked["sha256"]) == (None, report["deliveries"][0]["sha256"])


def test_a_later_delivery_is_made_again_with_its_late_and_its_shared_referrals(lab: Lab) -> None:
    from referral_delivery.resend import resend  # noqa: PLC0415

    rows = [{"referral_id": f"m{n:02d}", "received_at": f"2026-11-20 10:{n:02d}:00"} for n in range(60)]
    lab.put("2026-11-20 10", rows)
    lab.deliver(due=utc("2026-11-20 10:30"))
    lab.put_referrals("2026-11-20 09", "late")
    (second,) = lab.deliver(due=utc("2026-11-20 11:00")).deliveries
    lab.put_referrals("2026-11-20 10", "later")
    lab.deliver(due=utc("2026-11-20 11:30"))
    report = resend(lab.ledger, lab.exporter.writer, lab.client, 2, now=lab.exporter.now)
    (again,) = report.deliveries
    assert (again.sha256, again.rows) == (second.sha256, 31)


def test_a_delivery_that_was_never_made_cannot_be_made_again(quiet: Lab, command: Command) -> None:
    said = command("resend", quiet.client, "7", code=1)
    assert f"client {quiet.client} has no delivery 7; it has none yet" in said


def test_a_backfill_makes_a_file_for_each_window_and_leaves_the_cursor(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-10-05 03", "a")
    put(quiet, "2026-10-06 03", "b")
    asked = ("backfill", quiet.client, "--from", "2026-10-05", "--to", "2026-10-07", "--every", "1d")
    names = [f"referrals_{quiet.client}_backfill_2026100{n}T000000Z_2026100{n + 1}T000000Z.csv" for n in (5, 6)]
    assert command(*asked, "--dry-run")["would"] == f"publish 2 files: {', '.join(names)}"
    assert quiet.files() == {}
    command(*asked)
    assert csv_files(quiet) == {
        names[0]: b"referral_id,source\na,site\n",
        names[1]: b"referral_id,source\nb,site\n",
    }
    assert quiet.cursor() == {}
    assert [each["kind"] for each in command("deliveries", quiet.client)] == ["backfill", "backfill"]


def test_a_backfill_that_is_started_again_doubles_no_file(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-10-05 03", "a")
    asked = ("backfill", quiet.client, "--from", "2026-10-05", "--to", "2026-10-07", "--every", "1d")
    command(*asked)
    before = quiet.files()
    assert [each["status"] for each in command(*asked)["windows"]] == ["backfilled_before"] * 2
    assert quiet.files() == before


@pytest.mark.parametrize("method", ["seal_backfill", "finish_backfill"])
@pytest.mark.parametrize("before", [True, False])
def test_a_backfill_that_died_is_finished_with_the_same_bytes(lab: Lab, method: str, before: bool) -> None:
    from referral_delivery.backfill import backfill  # noqa: PLC0415
    from tests.stack.test_recovery import Died, dying  # noqa: PLC0415

    lab.put_referrals("2026-10-05 03", "a")
    window = Window(utc("2026-10-05 00:00"), utc("2026-10-06 00:00"))
    exporter = lab.exporter

    def run(ledger: Any) -> Any:
        return backfill(ledger, exporter.writer, lab.contract(), window, overlap=False, now=exporter.now)

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
    put(quiet, "2026-11-05 03", "a")
    command("deliver", quiet.client)
    asked = ("backfill", quiet.client, "--from", "2026-11-05", "--to", "2026-11-06")
    said = command(*asked, code=1)
    assert "deliveries 1 to 1 already cover part of 2026-11-05T00:00:00Z to 2026-11-06T00:00:00Z; use `resend`" in said
    assert len(csv_files(quiet)) == 1
    command(*asked, "--overlap")
    assert len(csv_files(quiet)) == 2


def test_the_function_too_refuses_a_backfill_of_what_was_delivered(lab: Lab) -> None:
    from referral_delivery.backfill import backfill  # noqa: PLC0415

    lab.put_referrals("2026-11-05 03", "a")
    lab.deliver()
    window = Window(utc("2026-11-05 00:00"), utc("2026-11-06 00:00"))
    with pytest.raises(ContractError, match="already cover part of"):
        backfill(lab.ledger, lab.exporter.writer, lab.contract(), window, overlap=False, now=lab.exporter.now)


def test_a_range_is_split_into_windows_of_which_the_last_may_be_shorter() -> None:
    windows = split(utc("2026-10-05 00:00"), utc("2026-10-05 15:00"), "6h")
    assert [f"{each.start:%H}-{each.end:%H}" for each in windows] == ["00-06", "06-12", "12-15"]


@pytest.mark.parametrize(("every", "said"), [("5m", "is no interval"), ("0d", "is no interval")])
def test_an_interval_that_is_none_is_refused(every: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        split(utc("2026-10-05 00:00"), utc("2026-10-06 00:00"), every)


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ContractError, match="must be after --from"):
        split(utc("2026-10-05 00:00"), utc("2026-10-05 00:00"), None)


def test_audit_names_what_landed_beyond_the_reach_and_a_backfill_settles_it(quiet: Lab, command: Command) -> None:
    day = datetime.now(UTC) - timedelta(days=5)
    put(quiet, f"{day:%Y-%m-%d} 03", "in-time")
    command("deliver", quiet.client)
    assert command("audit", quiet.client) == {"client": quiet.client, "objects": 1, "unread": []}
    lost = put(quiet, f"{day:%Y-%m-%d} 03", "beyond-reach")
    pending = put(quiet, f"{datetime.now(UTC) - timedelta(hours=5):%Y-%m-%d %H}", "late-but-in-reach")
    found = command("audit", quiet.client, code=1)
    assert (found["unread"], pending in found["unread"]) == ([lost], False)
    asked = ("--from", f"{day:%Y-%m-%d}T03:00", "--to", f"{day:%Y-%m-%d}T04:00", "--overlap")
    command("backfill", quiet.client, *asked)
    assert command("audit", quiet.client)["unread"] == []


def test_status_says_what_is_due_and_that_nobody_is_overdue(quiet: Lab, command: Command) -> None:
    put(quiet, "2026-11-05 03", "a")
    command("deliver", quiet.client)
    mine = next(row for row in command("status") if row["client"] == quiet.client)
    assert (mine["overdue"], mine["state"], mine["rows"]) == (False, "ok", 1)
    assert mine["next_due"].endswith(" UTC")


def test_next_due_is_in_the_schedules_timezone_and_skips_a_time_that_does_not_exist() -> None:
    assert next_due("cron(30 2 * * ? *)", "Australia/Sydney", utc("2026-10-03 12:00")) == utc("2026-10-04 15:30")
    assert next_due("cron(0/15 * * * ? *)", "UTC", utc("2026-10-03 12:00")) == utc("2026-10-03 12:15")
    assert next_due("cron(0 6 ? * MON,FRI *)", "UTC", utc("2026-11-23 06:00")) == utc("2026-11-27 06:00")


def test_a_client_whose_due_time_passed_without_a_file_is_overdue_after_a_grace(quiet: Lab, command: Command) -> None:
    command("deliver", quiet.client)
    due = datetime.now(UTC) + timedelta(hours=12)
    early, late = (client_status(quiet.stack, quiet.client, due + timedelta(minutes=n)) for n in (10, 45))
    assert (early["overdue"], late["overdue"], late["state"]) == (False, True, "overdue")


def test_a_pending_delivery_shows_in_the_status(quiet: Lab) -> None:
    put(quiet, "2026-11-05 03", "a")
    run_until_death(quiet, Ledger, "seal", before=True)
    at = datetime.now(UTC)
    assert client_status(quiet.stack, quiet.client, at)["state"] == "pending"
    quiet.ledger.claim(quiet.client, owner="other", now=at.timestamp(), expires=at.timestamp() + 60)
    assert client_status(quiet.stack, quiet.client, at)["state"] == "running"


def test_a_backfill_of_part_of_an_hour_does_not_hide_the_rest_from_the_audit(quiet: Lab, command: Command) -> None:
    day = datetime.now(UTC) - timedelta(days=5)
    command("deliver", quiet.client)
    lost = put(quiet, f"{day:%Y-%m-%d} 03", "beyond-reach")
    asked = ("backfill", quiet.client, "--overlap", "--from", f"{day:%Y-%m-%d}T03:00", "--to")
    command(*asked, f"{day:%Y-%m-%d}T03:30")
    assert command("audit", quiet.client, code=1)["unread"] == [lost]
    command(*asked, f"{day:%Y-%m-%d}T04:00")
    assert command("audit", quiet.client)["unread"] == []


def test_a_resend_is_logged_as_what_it_is_and_not_measured_as_a_delivery(
    quiet: Lab, command: Command, system: dict[str, Any], eventually: Any
) -> None:
    put(quiet, "2026-11-05 03", "a")
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
