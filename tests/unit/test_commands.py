"""Commands that need no stack."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from infra import PROJECT_FOLDER
from referral_delivery.errors import ContractError
from referralctl import output
from referralctl.commands.again import split
from referralctl.main import app
from tests.pgp import later, secret_key
from tests.support import ed25519_key, utc, write_client

EXAMPLES = str(PROJECT_FOLDER / "clients" / "example")


def test_check_shows_each_clients_expressions_and_next_runs() -> None:
    done = CliRunner().invoke(app, ["clients", "check", EXAMPLES, "--json", "--runs", "2"])
    acme, globex, _hooli = json.loads(done.stdout)
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


def test_check_shows_whom_files_are_encrypted_to_and_notes_a_key_that_ends(tmp_path: Path) -> None:
    for name, days in (("soon", 20), ("never", None)):
        (tmp_path / "keys").mkdir(exist_ok=True)
        certificate = secret_key("Acme [bold] <crm@acme.example>", days=days).extract_certificate()
        (tmp_path / "keys" / f"{name}.asc").write_text(str(certificate))
    write_client(tmp_path, file_={"pgp": {"recipients": "soon.asc, never.asc"}})
    done = CliRunner().invoke(app, ["clients", "check", str(tmp_path)])
    day = f"{later(20):%Y-%m-%d}"
    shown = re.findall(r"  pgp   ([0-9A-F]{40}) \(Acme \[bold\] <crm@acme\.example>\)  (.*)", done.stdout)
    assert [until for _, until in shown] == [f"until {day}", "without end"]
    assert f"note  PGP key {shown[0][0]} expires on {day}; ask crm@acme.example for it extended, or for" in done.stdout


def test_check_notes_days_that_some_months_do_not_have(tmp_path: Path) -> None:
    write_client(tmp_path, schedule={"timezone": "Australia/Sydney", "at": ["02:30"], "days_of_month": [31]})
    done = CliRunner().invoke(app, ["clients", "check", str(tmp_path), "--json", "--runs", "7"])
    (acme,) = json.loads(done.stdout)
    assert {run["local"].split("-")[2] for run in acme["next_runs"]} == {"31 02:30"}
    assert acme["notes"][0].startswith(
        "31 does not exist in February, April, June, September and November: nothing is due"
    )


def test_check_of_a_bad_folder_fails_and_shows_each_finding(tmp_path: Path) -> None:
    path = write_client(tmp_path, attributes=["emial"])
    done = CliRunner().invoke(app, ["clients", "check", str(tmp_path)])
    assert done.exit_code == 1
    assert done.stderr == (
        f"{path}:14  attributes.0\n"
        "  found     `emial`\n"
        "  expected  an attribute's name\n"
        "  do        did you mean `email`?\n"
        "1 finding in 1 file; nothing is deployed\n"
    )
    assert done.stdout == ""


def test_check_of_a_bad_folder_gives_its_findings_as_data(tmp_path: Path) -> None:
    path = write_client(tmp_path, attributes=["emial"])
    done = CliRunner().invoke(app, ["clients", "check", str(tmp_path), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "findings": [
            {
                "file": str(path),
                "line": 14,
                "field": "attributes.0",
                "found": "`emial`",
                "expected": "an attribute's name",
                "do": "did you mean `email`?",
            }
        ]
    }


def test_one_file_can_be_checked_alone(tmp_path: Path) -> None:
    write_client(tmp_path, "globex", contact="nobody")
    done = CliRunner().invoke(app, ["clients", "check", str(write_client(tmp_path))])
    assert done.exit_code == 0
    assert done.stderr == "1 client, no findings\n"


def test_check_without_a_folder_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["clients", "check"]).exit_code == 2


def test_what_others_have_written_is_neither_markup_nor_a_terminals_command(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(output, "facts", Console(file=shown, width=400))
    output.print_table(["said"], [["[/bad] [red]x[/red] \x1b]0;name\x07\x1b[2J"], [1_000], [None]])
    assert "[/bad] [red]x[/red] \\x1b]0;name\\x07\\x1b[2J" in shown.getvalue()
    assert "1,000" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


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
