"""Where a command finds its stack, and what it says where there is none."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_group

from referralctl.errors import StackNotFound
from referralctl.lazy import Unloaded
from referralctl.main import app
from referralctl.outputs import from_file, from_pulumi

REFERRALCTL = Path(sys.executable).with_name("referralctl")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that is the whole PATH."""
    return tmp_path / "path"


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [REFERRALCTL, *arguments],
        env=environment | {"PATH": str(path), "AWS_CONFIG_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )


def failing_pulumi(path: Path, said: str) -> None:
    """A `pulumi` that fails as the real one does, with its words on stderr."""
    path.mkdir()
    (path / "pulumi").write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    (path / "pulumi").chmod(0o755)


def commands_of(group: Any) -> Iterator[Any]:
    """Every command below a group."""
    for command in group.commands.values():
        loaded = command.load() if isinstance(command, Unloaded) else command
        yield from commands_of(loaded) if hasattr(loaded, "commands") else [loaded]


def options_of(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


# Seen with Pulumi 3.259.0; the passphrase's with an earlier one.
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions; log in with `pulumi login`",
        ),
        ("error: no stack selected; please use it", "no stack selected; please use it; choose one with --stack NAME"),
        ("error: no stack named 'x' found", "no stack named 'x' found; `pulumi stack ls` lists those of the backend"),
        (
            "error: getting secrets manager: incorrect passphrase",
            "getting secrets manager: incorrect passphrase; set PULUMI_CONFIG_PASSPHRASE",
        ),
        ("warning: old\nerror: it broke\n\nmore\n", "it broke; try it alone"),
    ],
)
def test_what_pulumi_says_is_told_with_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    failing_pulumi(path, said)
    monkeypatch.setenv("PATH", str(path))
    with pytest.raises(StackNotFound, match=re.escape(f"`pulumi stack output` failed: {told}")):
        from_pulumi(None)


def test_pulumi_is_asked_for_the_stack_that_is_named_and_may_not_ask_back(path: Path) -> None:
    failing_pulumi(path, "error: was asked for: $*")
    done = run(path, "deliver", "acme", "--stack", "org/referrals/prod")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "was asked for: stack output --json --non-interactive --stack org/referrals/prod;" in done.stderr


def test_without_pulumi_the_message_says_what_else_there_is(path: Path) -> None:
    done = run(path, "status", "--stack", "prod")
    assert done.returncode == 1
    assert "`pulumi` is not on PATH; install it, give --outputs FILE, or start a local system" in done.stderr


def test_a_stack_and_a_file_of_outputs_at_once_are_wrong_usage(path: Path) -> None:
    done = run(path, "deliveries", "acme", "--stack", "prod", "--outputs", "outputs.json")
    assert done.returncode == 2
    assert "give one of --outputs and --stack, not both" in done.stderr


def test_every_command_that_takes_outputs_takes_a_stack() -> None:
    found = [command for command in commands_of(get_group(app)) if "--outputs" in options_of(command)]
    assert {command.name for command in found} >= {"status", "deliver", "load"}
    assert [command.name for command in found if "--stack" not in options_of(command)] == []


@pytest.mark.parametrize("content", ["[]", "not JSON", None])
def test_a_file_that_holds_no_outputs_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "outputs.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StackNotFound, match=re.escape(f"{file}: ")):
        from_file(file)


def test_an_output_that_the_program_did_not_give_is_named(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"region": "eu-west-1", "client_folders": {"acme": "downloads/acme"}}))
    assert "the stack has no output 'delivery_bucket'" in run(path, "status", "--outputs", str(file)).stderr


def test_a_stack_that_names_no_region_says_what_to_set(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"ledger_table": "t", "client_folders": {"acme": "downloads/acme"}}))
    assert "the stack has no output 'region': deploy again" in run(path, "status", "--outputs", str(file)).stderr
