"""Commands that need no stack."""

import json
from pathlib import Path

from typer.testing import CliRunner

from infra.settings import PROJECT_FOLDER
from referralctl.main import app
from tests.support import ed25519_key, write_client

EXAMPLES = str(PROJECT_FOLDER / "clients" / "example")


def test_check_shows_each_clients_expressions_and_next_runs() -> None:
    done = CliRunner().invoke(app, ["clients", "check", EXAMPLES, "--json", "--runs", "2"])
    acme, globex = json.loads(done.stdout)
    assert done.exit_code == 0
    assert acme["expressions"] == [
        "cron(0 6 ? * MON,TUE,WED,THU,FRI *)",
        "cron(30 18 ? * MON,TUE,WED,THU,FRI *)",
    ]
    assert (globex["timezone"], globex["expressions"]) == ("America/New_York", ["cron(0 * * * ? *)"])
    assert len(acme["next_runs"]) == 2


def test_check_notes_times_that_the_clock_skips_and_keys_that_end(tmp_path: Path) -> None:
    keys = [{"label": "old", "public_key": ed25519_key(), "expires": "2026-01-01"}]
    write_client(tmp_path, keys=keys, schedule={"timezone": "Australia/Sydney", "at": ["02:30"]})
    done = CliRunner().invoke(app, ["clients", "check", str(tmp_path)])
    assert done.exit_code == 0
    assert "note  02:30 does not exist in Australia/Sydney on " in done.stdout
    assert "note  key 'old' expired on 2026-01-01; remove it" in done.stdout
    assert "note  no valid key: acme cannot log in; ask crm@acme.example for one" in done.stdout


def test_check_of_a_bad_folder_fails_and_names_file_and_field(tmp_path: Path) -> None:
    path = write_client(tmp_path, attributes=["emial"])
    done = CliRunner().invoke(app, ["clients", "check", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{path}: attributes.0.from: unknown attribute 'emial'" in done.stderr
    assert done.stdout == ""


def test_check_without_a_folder_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["clients", "check"]).exit_code == 2


def test_schema_prints_the_committed_schema() -> None:
    committed = (PROJECT_FOLDER / "clients" / "client.schema.json").read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["clients", "schema"]).stdout == committed


def test_package_prints_where_the_zip_lies_and_its_size() -> None:
    done = CliRunner().invoke(app, ["package", "--target", "local", "--json"])
    built = json.loads(done.stdout)
    assert Path(built["path"]).stat().st_size == built["bytes"]
    assert 50_000_000 < built["unzipped_bytes"] < 250 * 1024 * 1024


def test_package_for_an_unknown_target_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["package", "--target", "sparc"]).exit_code == 2
