"""`referralctl deliver`, `deliveries` and `audit`."""

import hashlib
from datetime import UTC, datetime, timedelta

from tests.stack.conftest import Command, Lab


def test_deliver_in_a_dry_run_does_nothing(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-11-05 03", "a")
    said = command("deliver", quiet.client, "--dry-run")
    assert said["would"] == f"deliver to {quiet.client} what arrived from 2026-11-01T00:00:00Z until now"
    assert (quiet.files(), quiet.cursor()) == ({}, {})


def test_deliveries_lists_the_ledger_and_whether_files_are_still_there(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-11-05 03", "a", "b")
    command("deliver", quiet.client)
    ((name, content),) = quiet.csv_files().items()
    (listed,) = command("deliveries", quiet.client)
    assert (listed["sequence"], listed["occasion"], listed["rows"], listed["file"]) == (1, "manual", 2, name)
    assert (listed["sha256"], listed["state"]) == (hashlib.sha256(content).hexdigest(), "there")
    quiet.stack.s3.delete_object(Bucket=quiet.stack["delivery_bucket"], Key=f"downloads/{quiet.client}/{name}")
    assert command("deliveries", quiet.client)[0]["state"] == "expired"


def test_audit_names_what_landed_beyond_the_reach_and_a_backfill_settles_it(quiet: Lab, command: Command) -> None:
    day = datetime.now(UTC) - timedelta(days=5)
    quiet.put_sources(f"{day:%Y-%m-%d} 03", "in-time")
    command("deliver", quiet.client)
    assert command("audit", quiet.client) == {"client": quiet.client, "objects": 1, "unread": []}
    lost = quiet.put_sources(f"{day:%Y-%m-%d} 03", "beyond-reach")
    pending = quiet.put_sources(f"{datetime.now(UTC) - timedelta(hours=5):%Y-%m-%d %H}", "late-but-in-reach")
    found = command("audit", quiet.client, code=1)
    assert (found["unread"], pending in found["unread"]) == ([lost], False)
    asked = ("--from", f"{day:%Y-%m-%d}T03:00", "--to", f"{day:%Y-%m-%d}T04:00", "--overlap")
    command("backfill", quiet.client, *asked)
    assert command("audit", quiet.client)["unread"] == []


def test_a_backfill_of_part_of_an_hour_does_not_hide_the_rest_from_the_audit(quiet: Lab, command: Command) -> None:
    day = datetime.now(UTC) - timedelta(days=5)
    command("deliver", quiet.client)
    lost = quiet.put_sources(f"{day:%Y-%m-%d} 03", "beyond-reach")
    asked = ("backfill", quiet.client, "--overlap", "--from", f"{day:%Y-%m-%d}T03:00", "--to")
    command(*asked, f"{day:%Y-%m-%d}T03:30")
    assert command("audit", quiet.client, code=1)["unread"] == [lost]
    command(*asked, f"{day:%Y-%m-%d}T04:00")
    assert command("audit", quiet.client)["unread"] == []
