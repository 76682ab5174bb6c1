"""Receipts: what clients fetch with OpenSSH's `sftp` stands in the records of their files."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from referral_delivery.ledger.items import record_key
from referral_delivery.ledger.records import Receipts
from referralctl.local_system import generate_key
from tests.stack.conftest import Command, Lab
from tests.support import utc

Eventually = Callable[..., Any]
Collect = Callable[..., None]
ADDRESS = "127.0.0.1"


def receipts(lab: Lab) -> Receipts:
    """Those of the client's one delivery."""
    (delivery,) = lab.ledger.deliveries(lab.client)
    return delivery.receipts


@pytest.fixture
def file(quiet: Lab, command: Command) -> str:
    """The name of a delivered file."""
    quiet.put_sources("2026-11-05 03", "a")
    command("deliver", quiet.client)
    (name,) = quiet.csv_files()
    return name


@pytest.fixture
def collect(quiet: Lab, sftp: Any, tmp_path: Path) -> Collect:
    """Fetches a file as the client, or with another private key."""

    def fetch(name: str, key: Path | None = None) -> None:
        done = sftp(quiet.client, key).run(f"get /downloads/{name}", folder=tmp_path)
        assert done.returncode == 0, done.stderr

    return fetch


def test_a_whole_fetch_leaves_a_receipt_and_the_second_one_is_counted_beside_it(
    quiet: Lab, file: str, collect: Collect, eventually: Eventually, command: Command
) -> None:
    assert receipts(quiet) == Receipts()
    (before,) = command("deliveries", quiet.client)
    assert (before["first_collected_at"], before["collections"], before["partial_collections"]) == (None, 0, 0)
    collect(file)
    first = eventually(lambda: receipts(quiet).complete and receipts(quiet), seconds=30, what="the receipt")
    assert (first.complete, first.partial, first.last_address) == (1, 0, ADDRESS)
    assert first.first == first.last is not None
    time.sleep(1)  # a record says whole seconds
    collect(file)
    second = eventually(lambda: receipts(quiet).complete == 2 and receipts(quiet), seconds=30, what="another receipt")
    assert second.first == first.first < second.last
    (shown,) = command("deliveries", quiet.client)
    assert (shown["collections"], shown["partial_collections"], shown["collected_from"]) == (2, 0, ADDRESS)
    assert shown["first_collected_at"] < shown["last_collected_at"]


def test_a_fetch_that_broke_off_is_counted_as_one_and_is_no_receipt(
    quiet: Lab, sftp: Any, eventually: Eventually, command: Command, tmp_path: Path
) -> None:
    quiet.put_sources("2026-11-05 03", *(f"{number:040000d}" for number in range(300)))
    command("deliver", quiet.client)
    (name,) = quiet.csv_files()
    session = sftp(quiet.client)
    # 2,000 kbit/s: the file would take most of a minute.
    slow = [*session.arguments, "-l", "2000", f"{session.user}@{session.host}:/downloads/{name}", str(tmp_path)]
    process = subprocess.Popen(slow, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(
            lambda: (tmp_path / name).exists() and (tmp_path / name).stat().st_size, seconds=30, what="its first bytes"
        )
    finally:
        process.kill()
        process.wait()
    found = eventually(lambda: receipts(quiet).partial and receipts(quiet), seconds=30, what="the broken fetch")
    assert found == Receipts(partial=1)
    assert session.run(f"get /downloads/{name}", folder=tmp_path).returncode == 0
    found = eventually(lambda: receipts(quiet).complete and receipts(quiet), seconds=60, what="the receipt")
    assert (found.complete, found.partial) == (1, 1)


def test_a_fetch_through_another_server_leaves_no_receipt(
    quiet: Lab, file: str, collect: Collect, eventually: Eventually, tmp_path: Path
) -> None:
    transfer = quiet.session.client("transfer", endpoint_url=quiet.stack.s3.meta.endpoint_url)
    user = transfer.describe_user(ServerId=quiet.stack["sftp_server_id"], UserName=quiet.client)["User"]
    other = transfer.create_server(Domain="S3", Protocols=["SFTP"])["ServerId"]
    given = {name: user[name] for name in ("UserName", "Role", "HomeDirectoryType", "HomeDirectoryMappings")}
    public_key = generate_key(tmp_path / "key")
    transfer.create_user(ServerId=other, SshPublicKeyBody=public_key, **given)
    try:
        collect(file, tmp_path / "key")
    finally:
        transfer.delete_server(ServerId=other)
    collect(file)
    eventually(lambda: receipts(quiet).complete, seconds=30, what="the receipt of this server's fetch")
    assert receipts(quiet).complete == 1


def test_a_manifest_s_fetch_is_none_and_a_resend_s_is_one_of_its_delivery(
    quiet: Lab, file: str, collect: Collect, eventually: Eventually, command: Command
) -> None:
    command("resend", quiet.client, "1")
    collect(f"{file}.manifest.json")
    collect(file.replace(".csv", "_r2.csv"))
    eventually(lambda: receipts(quiet).complete, seconds=30, what="the receipt")
    assert (receipts(quiet).complete, receipts(quiet).partial) == (1, 0)


def test_a_backfill_s_fetch_is_a_receipt_in_its_own_record(
    quiet: Lab, collect: Collect, eventually: Eventually, command: Command
) -> None:
    quiet.put_sources("2026-10-05 03", "a")
    command("backfill", quiet.client, "--from", "2026-10-05", "--to", "2026-10-06")
    (name,) = quiet.csv_files()
    collect(name)
    eventually(lambda: command("deliveries", quiet.client)[0]["collections"], seconds=30, what="the receipt")
    (shown,) = command("deliveries", quiet.client)
    assert (shown["occasion"], shown["collections"], shown["collected_from"]) == ("backfill", 1, ADDRESS)


def test_a_user_may_read_its_files_and_change_nothing(quiet: Lab, file: str, sftp: Any, tmp_path: Path) -> None:
    before, session = quiet.files(), sftp(quiet.client)
    (tmp_path / "new").write_text("changed" * 1_000)
    for line in (
        "put new /downloads/new",
        f"put new /downloads/{file}",
        f"reput new /downloads/{file}",
        f"rm /downloads/{file}",
        "mkdir /downloads/folder",
        "rmdir /downloads",
        f"rename /downloads/{file} /downloads/renamed",
    ):
        refused = session.run(line, folder=tmp_path)
        assert refused.returncode != 0, line
        assert "denied" in refused.stderr, (line, refused.stderr)
    assert quiet.files() == before
    assert session.run(f"get /downloads/{file}", folder=tmp_path).returncode == 0


@pytest.fixture
def told(quiet: Lab, file: str) -> dict[str, Any]:
    """AWS's event of a whole fetch of the file."""
    (delivery,) = quiet.ledger.deliveries(quiet.client)
    detail = {
        "status-code": "COMPLETED",
        "protocol": "SFTP",
        "bytes": delivery.size_bytes,
        "client-ip": "203.0.113.7",
        "failure-message": "",
        "end-timestamp": "2026-11-24T06:00:02.749749117Z",
        "etag": delivery.etag,
        "file-path": f"/{quiet.stack['delivery_bucket']}/downloads/{quiet.client}/{file}",
        "server-id": quiet.stack["sftp_server_id"],
        "username": quiet.client,
        "session-id": "5f0c6d1f3e2a4b7d",
        "start-timestamp": "2026-11-24T06:00:01.706282454Z",
        "new-field": "of a later year",
    }
    return {
        "version": "0",
        "detail-type": "SFTP Server File Download Completed",
        "source": "aws.transfer",
        "time": "2026-11-24T06:00:03Z",
        "detail": detail,
    }


def taken(lab: Lab, event: dict[str, Any], **changed: Any) -> str:
    """What the deployed function makes of an event whose detail is changed."""
    detail = event["detail"] | {name.replace("_", "-"): value for name, value in changed.items()}
    payload = json.dumps(event | {"detail": detail}).encode()
    answer = lab.stack.functions.invoke(FunctionName=lab.stack["receive_function_name"], Payload=payload)
    received: str = json.loads(answer["Payload"].read())["received"]
    return received


def test_what_is_not_the_deliverys_is_no_receipt(quiet: Lab, told: dict[str, Any]) -> None:
    path, size = told["detail"]["file-path"], told["detail"]["bytes"]
    other = "the bytes are not the delivery's"
    unknown = "no delivery has this file"
    assert taken(quiet, told, bytes=size - 1) == other
    assert taken(quiet, told, etag="0" * 32) == other
    assert taken(quiet, told, file_path=path.replace("_000001", "_000002")) == unknown
    assert taken(quiet, told, file_path=path.replace(quiet.stack["delivery_bucket"], "elsewhere")) == unknown
    assert taken(quiet, told, file_path=f"{path}.manifest.json") == unknown
    assert taken(quiet, told, username="other") == unknown
    assert receipts(quiet) == Receipts()


def test_repeated_events_count_once_and_the_order_does_not_matter(quiet: Lab, told: dict[str, Any]) -> None:
    assert [taken(quiet, told), taken(quiet, told)] == ["counted", "counted before"]
    earlier, later = "2026-11-24T05:00:00Z", "2026-11-24T07:00:00Z"
    for at, address in ((later, "203.0.113.9"), (earlier, "203.0.113.8")):
        assert taken(quiet, told, start_timestamp=at, end_timestamp=at, client_ip=address) == "counted"
    found = receipts(quiet)
    assert found == Receipts(
        first=utc("2026-11-24 05:00"), last=utc("2026-11-24 07:00"), last_address="203.0.113.9", complete=3
    )


def test_a_file_whose_name_does_not_say_its_window_and_a_record_without_an_etag_get_theirs(
    quiet: Lab, told: dict[str, Any]
) -> None:
    (delivery,) = quiet.ledger.deliveries(quiet.client)
    key = {"client": {"S": quiet.client}, "record": {"S": record_key(delivery.occasion, delivery.window)}}
    quiet.stack.dynamodb.update_item(
        TableName=quiet.stack["ledger_table"],
        Key=key,
        UpdateExpression="SET #key = :named REMOVE etag",
        ExpressionAttributeNames={"#key": "key"},
        ExpressionAttributeValues={":named": {"S": f"downloads/{quiet.client}/daily_1.csv"}},
    )
    path = f"/{quiet.stack['delivery_bucket']}/downloads/{quiet.client}/daily_1.csv"
    assert taken(quiet, told, file_path=path) == "counted"
    assert receipts(quiet).complete == 1
