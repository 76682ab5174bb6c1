"""`referralctl --help`: every command in one line, without loading what the commands need."""

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_group

from infra import PROJECT_FOLDER
from referralctl.main import Commands, app

HEAVY = {"boto3", "botocore", "pulumi", "pulumi_aws", "duckdb", "pydantic", "rich", "yaml", "cryptography"}

RUN = """
import json, sys
from referralctl.main import app
try:
    app(sys.argv[1:])
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def loaded_by(*arguments: str) -> set[str]:
    """The top-level modules that a run of `referralctl` has imported."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True, cwd=PROJECT_FOLDER
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_loads_none_of_what_the_commands_need() -> None:
    assert loaded_by("--help") & HEAVY == set()


def test_checking_client_files_loads_neither_aws_nor_pulumi_nor_duckdb() -> None:
    modules = loaded_by("clients", "check", "clients/example")
    assert modules & {"boto3", "botocore", "pulumi", "pulumi_aws", "duckdb"} == set()
    assert "pydantic" in modules


@pytest.mark.parametrize("name", Commands.modules)
def test_the_help_of_a_command_is_its_own_docstring(name: str) -> None:
    shown = get_group(app).commands[name]
    loaded = shown.load()  # type: ignore[attr-defined]
    function = getattr(import_module(f"referralctl.commands.{Commands.modules[name]}"), name)
    assert shown.help == loaded.help == inspect.getdoc(function)
    assert loaded.name == name


def test_help_lists_every_command_with_its_line() -> None:
    command = Path(sys.executable).with_name("referralctl")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True, cwd=PROJECT_FOLDER)
    listed = [line.split()[0] for line in done.stdout.partition("Commands:\n")[2].splitlines()]
    assert listed == list(Commands.modules)
    assert "  clients     Client files: check them, and their schema.\n" in done.stdout


def test_no_module_of_commands_is_forgotten() -> None:
    folder = Path(PROJECT_FOLDER, "scripts", "referralctl", "commands")
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(Commands.modules.values())
