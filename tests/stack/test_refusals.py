"""Commands on a deployed stack by its outputs and the environment's credentials alone, as on AWS."""

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_aws.emulator import ACCOUNT_ID
from referralctl.local_system import session
from tests.stack.conftest import CLIENTS

REFERRALCTL = Path(sys.executable).with_name("referralctl")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(system: dict[str, Any], tmp_path: Path) -> Run:
    """Runs `referralctl … --outputs FILE` with the account's own access and no region; `changed` changes outputs."""
    credentials = session(system).get_credentials()
    assert credentials is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": system["endpoint_url"],
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(
        *arguments: str, changed: dict[str, Any] | None = None, **variables: str | None
    ) -> subprocess.CompletedProcess[str]:
        outputs = tmp_path / "outputs.json"
        outputs.write_text(json.dumps(system["outputs"] | {"region": system["region"]} | (changed or {})))
        told = {name: value for name, value in (environment | variables).items() if value is not None}
        return subprocess.run(
            [REFERRALCTL, *arguments, "--outputs", str(outputs)], env=told, capture_output=True, text=True, check=False
        )

    return run


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused command has printed."""
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    return done.stderr


def test_the_outputs_name_the_region_whatever_the_environment_says(run: Run) -> None:
    for variables in ({}, {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2"}):
        done = run("status", "--json", **variables)
        assert set(CLIENTS) <= {row["client"] for row in json.loads(done.stdout)}, done.stderr


def test_outputs_without_a_region_take_the_one_that_pulumis_users_set(run: Run, system: dict[str, Any]) -> None:
    done = run("status", "--json", changed={"region": None}, AWS_REGION=system["region"])
    assert json.loads(done.stdout), done.stderr


def test_a_table_that_is_not_there_is_named_with_who_asked(run: Run) -> None:
    said = refused(run("status", changed={"ledger_table": "another"}))
    assert "AWS has no such thing: BatchGetItem" in said
    assert "asked as arn:aws:iam::000000000000:root" in said


def test_a_stack_of_another_account_is_told(run: Run, system: dict[str, Any]) -> None:
    there = {
        name: value.replace(ACCOUNT_ID, "111122223333")
        for name, value in system["outputs"].items()
        if isinstance(value, str) and value.startswith("arn:")
    }
    said = refused(run("status", changed={"ledger_table": "another"} | there))
    assert "the stack is in account 111122223333" in said


def test_a_caller_without_rights_is_named_with_what_it_asked_for(run: Run, system: dict[str, Any]) -> None:
    iam = session(system).client("iam", endpoint_url=system["endpoint_url"])
    name = f"guest-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    said = refused(run("status", AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"]))
    assert "AWS refused GetObject" in said
    assert f":user/{name}: ask for the right" in said


def test_without_credentials_the_message_says_how_to_log_in(run: Run) -> None:
    said = refused(run("status", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None))
    assert "no AWS credentials: Unable to locate credentials; log in" in said


def test_a_profile_that_does_not_exist_is_named(run: Run) -> None:
    assert "profile (nobody) could not be found; log in" in refused(run("status", AWS_PROFILE="nobody"))


def test_an_endpoint_that_does_not_answer_is_named(run: Run) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said = refused(run("status", AWS_ENDPOINT_URL=url))
    assert "AWS did not answer: Could not connect to the endpoint URL" in said
    assert url in said
