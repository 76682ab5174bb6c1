"""`referralctl preview`: what it shows is what is then delivered, and it changes nothing."""

import hashlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from referral_delivery.agreement.client_files import load
from referral_delivery.window import HOUR, floor_to_hour, from_text, to_text
from referralctl.main import app
from tests.rows import NASTY
from tests.stack.conftest import Command, Lab
from tests.stack.test_status_command import SECONDS, shown
from tests.support import write_client

REFERRALCTL = str(Path(sys.executable).with_name("referralctl"))
EMAIL = "jane.doe@mail.example"
EXCEL = {"delimiter": ";", "bom": True, "line_ending": "crlf", "quote": "all", "null": "NULL", "formula_guard": True}

Preview = Callable[..., Any]


@pytest.fixture
def hour() -> datetime:
    """The hour before the last."""
    return floor_to_hour(datetime.now(UTC)) - 2 * HOUR


@pytest.fixture
def outputs(system: dict[str, Any], tmp_path: Path) -> Path:
    """The path of stack.json."""
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(system))
    return path


@pytest.fixture
def preview(outputs: Path) -> Preview:
    """The command as it is typed, piped."""

    def run(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, ["preview", *arguments, "--outputs", str(outputs)])
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done

    return run


@pytest.fixture
def client_file(lab: Lab, tmp_path: Path, hour: datetime) -> Callable[..., str]:
    """Writes the file of a client that is not deployed; the answer is its path."""

    def write(**changed: Any) -> str:
        fields: dict[str, Any] = {"attributes": ["email", "ad_text"], "deliver_from": str(hour.date())}
        return str(write_client(tmp_path / "clients", lab.client, **(fields | changed)))

    return write


def land(lab: Lab, hour: datetime, *texts: str | None, email: str | None = EMAIL) -> None:
    """Put referrals with these texts into the lake's hour."""
    stamp = f"{hour:%Y-%m-%d %H:%M:%S}"
    rows = [{"email": email, "ad_text": text, "received_at": stamp} for text in texts]
    lab.put(f"{hour:%Y-%m-%d %H}", rows)


@pytest.mark.parametrize(
    "file", [{}, EXCEL, {"format": "tsv", "header": False}, {"format": "psv"}, {"format": "jsonl"}], ids=str
)
def test_its_lines_and_its_name_are_those_of_the_file_that_is_delivered_next(
    lab: Lab, command: Command, client_file: Callable[..., str], hour: datetime, file: dict[str, Any]
) -> None:
    land(lab, hour, *NASTY)
    path = client_file(file_=file)
    seen = command("preview", path, "--rows", "1000", "--show-personal-data")
    few = command("preview", path, "--rows", "7", "--show-personal-data")
    lab.now = from_text(seen["due"])
    (delivery,) = lab.deliver(load(Path(path), today=hour.date()).contract, due=lab.now).deliveries
    ((name, content),) = lab.files().items()
    assert (seen["file"], seen["sequence"]) == (name, delivery.sequence)
    assert (seen["window_start"], seen["window_end"]) == (to_text(delivery.window.start), to_text(delivery.window.end))
    assert seen["lines"].encode() == content
    assert content.startswith(few["lines"].encode())
    assert (len(seen["rows"]), len(few["rows"])) == (len(NASTY), 7)
    assert few["rows"] == seen["rows"][:7]


def test_of_parquet_it_shows_the_types_and_values_that_are_delivered(
    lab: Lab, command: Command, client_file: Callable[..., str], hour: datetime
) -> None:
    land(lab, hour, "one", None, "")
    path = client_file(file_={"format": "parquet"}, attributes=["email", "ad_text", "received_at"])
    seen = command("preview", path)
    lab.now = from_text(seen["due"])
    lab.deliver(load(Path(path), today=hour.date()).contract)
    (content,) = lab.files().values()
    table = pq.read_table(io.BytesIO(content))
    assert seen["lines"] is None
    assert [column["type"] for column in seen["columns"]] == ["VARCHAR", "VARCHAR", "TIMESTAMP WITH TIME ZONE"]
    assert [row["ad_text"] for row in seen["rows"]] == table["ad_text"].to_pylist() == ["one", None, ""]
    assert {row["received_at"] for row in seen["rows"]} == {f"{hour:%Y-%m-%d %H:%M:%S}+00"}
    assert seen["rows"][0]["email"] == "j***.***@****.*******"


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_nothing_personal_is_shown_unless_it_is_asked_for(
    lab: Lab, preview: Preview, client_file: Callable[..., str], hour: datetime, format_: str
) -> None:
    land(lab, hour, "free text")
    hashed = {"name": "hash", "from": "email", "transform": "md5"}
    path = client_file(file_={"format": format_}, attributes=["email", hashed, "ad_text"])
    personal = ("jane", "doe", "mail.example", hashlib.md5(EMAIL.encode()).hexdigest()[1:])
    for options in ([], ["--json"]):
        printed = preview(path, *options).output
        assert not [each for each in personal if each in printed]
        assert "j***.***@****.*******" in printed
        assert "free text" in printed
        assert EMAIL in preview(path, "--show-personal-data", *options).output


def test_objects_far_behind_the_rows_that_are_shown_are_not_read(
    lab: Lab, command: Command, client_file: Callable[..., str], hour: datetime
) -> None:
    for number in range(4):
        land(lab, hour, f"{number}")
    wrong = [{"email": None, "ad_text": "x", "received_at": "2026-01-01 00:00:00"}]
    lab.put(f"{hour + HOUR:%Y-%m-%d %H}", wrong)
    path = client_file()
    assert len(command("preview", path, "--rows", "4")["rows"]) == 4
    said = command("preview", path, "--rows", "5", code=1)
    assert "holds a received_at of 2026-01-01 00:00:00; have the lake's writer file it under its own hour" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "lines"), [({}, "email,ad_text\n"), ({"format": "jsonl"}, ""), ({"when_empty": "skip"}, None)], ids=str
)
def test_without_rows_it_shows_the_file_that_there_would_be(
    command: Command, preview: Preview, client_file: Callable[..., str], file: dict[str, Any], lines: str | None
) -> None:
    path = client_file(file_=file)
    seen = command("preview", path)
    assert (seen["rows"], seen["objects"], seen["lines"]) == ([], 0, lines)
    assert (seen["file"] is None) == (lines is None)
    said = {"email,ad_text\n": "the file would be this, and nothing more:", "": "the file would be empty"}
    printed = preview(path)
    assert printed.stderr == f"no rows so far{f'; {said[lines]}' if lines is not None else ''}\n"
    assert printed.stdout.endswith(f"\n\n{lines}" if lines else "\n")
    assert ("none: without rows it is skipped" in printed.stdout) == (lines is None)


def test_what_is_due_is_shown_from_the_cursor_on_up_to_what_was_asked_for(
    lab: Lab, command: Command, client_file: Callable[..., str], hour: datetime
) -> None:
    path = client_file()
    land(lab, hour, "delivered")
    lab.now = hour + HOUR
    lab.deliver(load(Path(path), today=hour.date()).contract)
    land(lab, hour + HOUR, "next")
    lab.ledger.request(lab.client, hour + 2 * HOUR)
    seen = command("preview", path)
    assert [row["ad_text"] for row in seen["rows"]] == ["next"]
    assert (seen["cursor"], seen["due"]) == (to_text(hour + HOUR), to_text(hour + 2 * HOUR))
    assert (seen["waits"], seen["sequence"], seen["is_cut"]) == (True, 2, False)


def test_it_says_where_what_is_due_would_come_in_several_files(
    lab: Lab, command: Command, preview: Preview, client_file: Callable[..., str], hour: datetime
) -> None:
    for number in range(3):
        land(lab, hour + number * HOUR, f"of hour {number}")
    cursor = {"client": {"S": lab.client}, "record": {"S": "cursor"}, "attempts": {"N": "40"}}
    lab.stack.dynamodb.put_item(TableName=lab.stack["ledger_table"], Item=cursor)
    seen, path = command("preview", client_file()), client_file()
    assert (seen["objects"], seen["is_cut"]) == (1, True)
    assert seen["window_end"] == to_text(hour + HOUR)
    assert f"the first of several files: what is due from {to_text(hour + HOUR)} on follows it" in preview(path).stdout


def test_a_deployed_client_without_a_file_here_is_shown_as_it_is_deployed(
    preview: Preview, tmp_path: Path, outputs: Path
) -> None:
    outputs.write_text(json.dumps(json.loads(outputs.read_text()) | {"clients_folder": str(tmp_path)}))
    seen = preview("quiet-31")
    assert "quiet-31 as it is deployed; no client file was read" in seen.stderr
    assert "referral_id,source" in seen.stdout
    write_client(tmp_path, "quiet-31", attributes=["source"])
    changed = preview("quiet-31")
    assert "quiet-31, deployed as another version" in changed.stdout
    assert "until `pulumi up`, what goes out is as it is deployed: --deployed shows that" in changed.stderr
    assert preview("quiet-31", "--deployed").stdout == seen.stdout


def test_every_finding_of_a_client_file_is_shown_as_clients_check_shows_them(
    preview: Preview, command: Command, client_file: Callable[..., str]
) -> None:
    path = client_file(attributes=["emial"], contact="nobody")
    seen, checked = preview(path, code=1), CliRunner().invoke(app, ["clients", "check", path])
    assert seen.output == checked.output
    assert len(command("preview", path, code=1)["findings"]) == 2


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (["email", "bid_price"], "none of the window's 1 objects has a column 'bid_price'"),
        (["opted_in_at"], "is VARCHAR, expected timestamp"),
    ],
)
def test_what_the_delivery_would_be_refused_for_is_one_line(
    lab: Lab, preview: Preview, client_file: Callable[..., str], attributes: list[str], said: str
) -> None:
    hour = floor_to_hour(datetime.now(UTC))
    stamp = f"{hour:%Y-%m-%d %H:%M:%S}"
    lab.put(f"{hour:%Y-%m-%d %H}", [{"email": "x", "opted_in_at": "soon", "received_at": stamp}])
    assert said in refused(preview(client_file(attributes=attributes), code=1))


def test_a_lake_that_does_not_exist_is_one_line(
    preview: Preview, client_file: Callable[..., str], outputs: Path
) -> None:
    system = json.loads(outputs.read_text())
    outputs.write_text(json.dumps(system | {"outputs": system["outputs"] | {"lake_bucket": "no-such-lake"}}))
    assert (
        refused(preview(client_file(), code=1))
        == "error: lake bucket 'no-such-lake' does not exist; check the stack's `lake_bucket` setting\n"
    )


def refused(done: Any) -> str:
    """The one line that a refused command has printed."""
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1), done.stderr
    return str(done.stderr)


def test_in_a_terminal_of_80_columns_only_the_files_own_lines_are_longer(
    lab: Lab, client_file: Callable[..., str], hour: datetime, outputs: Path
) -> None:
    land(lab, hour, "words " * 40)
    ours, theirs = pty.openpty()
    command = [REFERRALCTL, "preview", client_file(file_=EXCEL), "--outputs", str(outputs)]
    with subprocess.Popen(
        command, env=os.environ | {"TERM": "dumb", "COLUMNS": "80"}, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        screen = shown(ours, until=b"--show-personal-data shows them")
        assert process.wait(SECONDS) == 0
    lines = [line for line in screen.decode().splitlines() if not line.lstrip("\ufeff").startswith('"j***')]
    assert [line for line in lines if len(line) > 80] == []
