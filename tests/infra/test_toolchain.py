"""What Pulumi itself needs of the project: the environment that `pulumi install` makes, and the CLI's version."""

import os
import subprocess
import sys

import pytest
import yaml

from infra import PROJECT_FOLDER
from infra.artifact import aws_lambda, deployed_target, running_interpreter

PROJECT = yaml.safe_load((PROJECT_FOLDER / "Pulumi.yaml").read_text(encoding="utf-8"))
# Runs a folder as Pulumi's language host does, without what ./scripts/setup adds to .venv: the project's own folders.
RUN = """
import runpy, sys
sys.path[:] = [each for each in sys.path if each not in sys.argv[2:]]
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_the_program_finds_its_packages_in_an_environment_of_the_lock_alone() -> None:
    own = [str(PROJECT_FOLDER / folder).rstrip("/.") for folder in (".", "functions", "scripts")]
    program = PROJECT_FOLDER / PROJECT["main"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(program), *own, ""],
        cwd=program,
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
    )
    assert "No module named" not in done.stderr
    assert "pulumi.runtime.config" in done.stderr or "RunError" in done.stderr or "ConfigMissing" in done.stderr


def test_pulumi_install_reads_the_lock_and_nothing_without_a_hash() -> None:
    assert PROJECT["runtime"]["options"] == {"toolchain": "pip", "virtualenv": ".venv"}
    lines = (PROJECT_FOLDER / PROJECT["main"] / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-r ../requirements.lock"]


def test_the_example_stack_sets_what_a_stack_must_and_nothing_secret() -> None:
    text = (PROJECT_FOLDER / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)["config"]) == {"aws:region", "referrals:clients"}
    assert (PROJECT_FOLDER / yaml.safe_load(text)["config"]["referrals:clients"]).is_dir()
    assert "secure:" not in text


@pytest.mark.parametrize(
    ("endpoint", "here"),
    [
        ("", False),
        ("https://sts.eu-west-1.amazonaws.com", False),
        ("https://vpce-1.execute-api.eu-west-1.vpce.amazonaws.com:8443", False),
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("http://[::1]:4566", True),
    ],
)
def test_the_function_is_packed_for_lambda_but_where_this_machine_stands_in_for_aws(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, here: bool
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert deployed_target() == (running_interpreter() if here else aws_lambda())
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert deployed_target() == aws_lambda()
