"""Settings as the real engine hands them over: Pulumi.yaml's defaults, and what a person mistypes."""

import shlex
from pathlib import Path

import pytest
from pulumi import automation

from infra.settings import StackSettings, defaults
from tests.engine.conftest import Stacks
from tests.engine.stacks import EngineStack
from tests.support import host_key_pem, write_client

# A wrong value of each setting that has one, and what its line must hold.
WRONG = {
    "clients": ("", "clients"),
    "retention_days": ("0", "1 to 3,650"),
    "lake_bucket": ("Not A Bucket", "bucket"),
    "lake_prefix": ("/slash/", "lake_prefix"),
    "lake_retention_days": ("soon", "days"),
    "lake_kms_key_arn": ("alias/lake", "arn:aws:kms"),
    "encryption": ("on", "stack"),
    "access_log_retention_days": ("0", "days"),
    "function_memory_mb": ("512", "1,024 to 10,240"),
    "function_concurrency": ("many", "function_concurrency"),
    "function_ephemeral_mb": ("1", "512"),
    "spread_minutes": ("2000", "1,440"),
    "log_retention_days": ("31", "CloudWatch takes"),
    "alarm_email": ("nobody", "mail address"),
    "alarm_topic_arn": ("nobody", "SNS topic's ARN"),
    "notice_sender": ("nobody", "one mail address"),
    "pgp_signing_secret": ("our key", "a name for a secret"),
    "production": ("yes", "true or false"),
    "tags": ('["a"]', "tags"),
    "role_path": ("clients", "role_path"),
    "permissions_boundary": ("boundary", "arn"),
    "sftp_host_key": ("not a key", "sftp_host_key"),
    "sftp_further_host_keys": ("not a list", "sftp_further_host_keys"),
    "platform_stack": ("platform", "platform_stack"),
}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one good client."""
    folder = tmp_path_factory.mktemp("clients")
    write_client(folder)
    return folder


def test_every_default_of_the_project_deploys_where_a_stack_gives_clients_alone(
    engine_stacks: Stacks, clients: Path
) -> None:
    stack = engine_stacks(clients=clients)
    assert stack.preview().by("create")
    assert set(stack.stack.get_all_config()) == {"referrals:clients", "aws:region"} | {
        f"referrals:{name}" for name in defaults()
    }


def test_the_table_of_wrong_values_has_every_setting() -> None:
    assert set(WRONG) >= set(StackSettings.model_fields)


def test_every_wrong_value_is_refused_in_one_line_of_its_own_all_at_once(engine_stacks: Stacks, clients: Path) -> None:
    stack = engine_stacks(clients=clients)
    settings = set(StackSettings.model_fields) - {"clients", "sftp_host_key"}  # which have tests of their own
    for name in settings:
        stack.stack.set_config(name, automation.ConfigValue(WRONG[name][0], secret=name.startswith("sftp_")))
    lines = _lines(stack)
    for name in settings:
        about = [line for line in lines if line.startswith(f"{name}:")]
        assert len(about) == 1, (name, lines)
        assert WRONG[name][1] in about[0]


@pytest.mark.parametrize(("value", "secret"), [("not a key", True), (host_key_pem("ed25519"), False)])
def test_a_host_key_that_is_none_or_no_secret_is_refused_in_one_line_without_its_text(
    engine_stacks: Stacks, clients: Path, value: str, secret: bool
) -> None:
    stack = engine_stacks(clients=clients)
    stack.stack.set_config("sftp_host_key", automation.ConfigValue(value, secret=secret))
    lines = [line for line in _lines(stack) if line.startswith("sftp_host_key:")]
    assert len(lines) == 1
    assert value.splitlines()[-1] not in lines[0]


def test_a_misspelt_setting_is_refused_with_the_right_name(engine_stacks: Stacks, clients: Path) -> None:
    lines = _lines(engine_stacks(clients=clients, retenion_days="7", alarm_mail="oncall@example.com"))
    assert any(line.startswith("retenion_days: no such setting; did you mean retention_days?") for line in lines)
    assert any(line.startswith("alarm_mail: no such setting; did you mean alarm_email?") for line in lines)


def test_a_production_stack_without_a_subscriber_is_refused_in_one_line(engine_stacks: Stacks, clients: Path) -> None:
    _, line = _lines(engine_stacks(clients=clients, production="true"))
    assert line.startswith("alarm_email: found nothing in a production stack, whose alarms would reach nobody; ")


def test_a_tag_that_the_engine_made_a_boolean_is_put_right_by_the_command_that_the_refusal_names(
    engine_stacks: Stacks, clients: Path
) -> None:
    stack = engine_stacks(clients=clients)
    assert stack.pulumi("config", "set", "--path", "tags.live", "true").returncode == 0
    _, line = _lines(stack)
    assert line.startswith("tags: found '{\"live\":true}', of which 'live' is true, a boolean, and not text; expected ")
    assert stack.pulumi(*shlex.split(line.partition("; do `pulumi ")[2].removesuffix("`"))).returncode == 0
    assert stack.preview().by("create")


def test_a_trial_stack_with_an_existing_lake_is_warned_that_its_own_one_is_deleted(
    engine_stacks: Stacks, clients: Path
) -> None:
    stack = engine_stacks(clients=clients, lake_bucket="company-lake")
    assert any("lake_bucket: if this stack has made a lake of its own before" in each for each in stack.warnings())


def test_no_clients_setting_is_refused_in_one_line(engine_stacks: Stacks) -> None:
    assert any(line.startswith("clients:") for line in _lines(engine_stacks()))


def test_findings_of_client_files_are_printed_all_at_once_without_a_traceback(
    engine_stacks: Stacks, tmp_path: Path
) -> None:
    write_client(tmp_path, "acme", attributes=["emial"])
    write_client(tmp_path, "globex", contact="nobody")
    (printed,) = _printed(engine_stacks(clients=tmp_path))
    assert ("emial" in printed, "contact" in printed, "Traceback" in printed) == (True, True, False)


def _printed(stack: EngineStack) -> set[str]:
    """The distinct errors that the engine prints, but those of its own and of the Automation API's server."""
    theirs = ("update failed", "an unhandled error occurred:")
    return {text.strip() for text in stack.refusal() if not text.startswith(theirs)}


def _lines(stack: EngineStack) -> list[str]:
    (printed,) = _printed(stack)
    assert "Traceback" not in printed
    return [line.strip() for line in printed.splitlines()]
