"""Each component as it is deployed, its outputs, and the settings."""

from pathlib import Path

import pytest
import yaml

from infra.settings import PROJECT_FOLDER, StackSettings
from referral_delivery.event import ExportEvent
from referral_delivery.settings import Settings
from tests.infra.conftest import Graph, Program
from tests.recorder import ACCOUNT_ID, REGION
from tests.support import ed25519_key, write_client


def test_an_ssh_key_is_deployed_without_its_comment(program: Program, tmp_path: Path) -> None:
    body = ed25519_key()
    write_client(tmp_path, "acme", keys=[{"label": "x", "public_key": f"{body} crm@acme"}])
    assert [key.inputs["body"] for key in program(tmp_path).of("SshKey")] == [body]


def test_the_server_is_sftp_over_s3_with_a_current_policy_and_listing_optimisation(graph: Graph) -> None:
    (server,) = graph.of("Server")
    assert (server.inputs["protocols"], server.inputs["domain"]) == (["SFTP"], "S3")
    assert server.inputs["securityPolicyName"] == "TransferSecurityPolicy-2025-03"
    assert server.inputs["s3StorageOptions"] == {"directoryListingOptimization": "ENABLED"}
    assert server.inputs["structuredLogDestinations"] == [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:sftp-logs:*"]


def test_a_user_sees_its_folder_as_downloads(graph: Graph) -> None:
    user = next(each for each in graph.of("User") if each.inputs["userName"] == "acme")
    assert user.inputs["homeDirectoryType"] == "LOGICAL"
    assert "homeDirectory" not in user.inputs
    assert user.inputs["homeDirectoryMappings"] == [{"entry": "/downloads", "target": "/downloads-id/downloads/acme"}]


def test_a_clients_schedules_carry_its_contract_and_the_scheduled_time(graph: Graph) -> None:
    mine = [each for each in graph.of("Schedule") if each.name.startswith("acme-")]
    assert [each.inputs["name"] for each in mine] == ["acme.1", "acme.2"]
    for each in mine:
        target = each.inputs["target"]
        assert '"scheduled_time":"<aws.scheduler.scheduled-time>"' in target["input"]
        assert ExportEvent.model_validate_json(target["input"]).contract.client == "acme"
        assert each.inputs["scheduleExpressionTimezone"] == "Australia/Sydney"
        assert each.inputs["flexibleTimeWindow"] == {"mode": "OFF"}
        assert target["retryPolicy"] == {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 20}
        assert target["deadLetterConfig"]["arn"].endswith(":schedules-dlq")


def test_the_functions_environment_is_exactly_its_settings(graph: Graph) -> None:
    (function,) = graph.of("Function")
    variables = function.inputs["environment"]["variables"]
    assert set(variables) == {name.upper() for name in Settings.model_fields}
    assert Settings.from_environment(variables).delivery_bucket == "downloads-id"


def test_the_function_is_arm64_python_313_with_an_on_failure_queue(graph: Graph) -> None:
    (function,), (retries,) = graph.of("Function"), graph.of("FunctionEventInvokeConfig")
    assert (function.inputs["architectures"], function.inputs["runtime"]) == (["arm64"], "python3.13")
    assert function.inputs["timeout"] == 900
    assert retries.inputs["destinationConfig"]["onFailure"]["destination"].endswith(":export-failures")


def test_every_alarm_has_an_action_and_they_watch_queues_and_errors(graph: Graph) -> None:
    alarms = {each.name: each.inputs for each in graph.of("MetricAlarm")}
    assert set(alarms) == {
        "monitoring-failure-queue",
        "monitoring-schedule-dlq",
        "monitoring-function-errors",
    }
    (topic,) = graph.of("Topic")
    for alarm in alarms.values():
        assert alarm["alarmActions"] == [f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{topic.name}"]
    queues = {each.inputs["name"] for each in graph.of("Queue")}
    watched = {alarm["dimensions"].get("QueueName") for alarm in alarms.values()} - {None}
    assert watched == queues


def test_an_alarm_address_is_subscribed(program: Program, clients: Path, graph: Graph) -> None:
    assert graph.of("TopicSubscription") == []
    (subscribed,) = program(clients, alarm_email="oncall@example.com").of("TopicSubscription")
    assert (subscribed.inputs["protocol"], subscribed.inputs["endpoint"]) == ("email", "oncall@example.com")


def test_a_production_stack_protects_what_cannot_be_made_again(program: Program, clients: Path, graph: Graph) -> None:
    assert not [each for each in graph.resources if each.protect]
    production = program(clients, production="true")
    assert {each.type.rpartition(":")[2] for each in production.resources if each.protect} == {
        "Bucket",
        "Server",
        "Table",
    }
    (table,) = production.of("Table")
    assert table.inputs["deletionProtectionEnabled"] is True


def test_the_ledger_is_on_demand_and_restorable(graph: Graph) -> None:
    (table,) = graph.of("Table")
    assert (table.inputs["billingMode"], table.inputs["pointInTimeRecovery"]) == (
        "PAY_PER_REQUEST",
        {"enabled": True},
    )
    assert (table.inputs["hashKey"], table.inputs["rangeKey"]) == ("client", "record")


def test_outputs_have_what_operators_and_commands_need(graph: Graph) -> None:
    assert set(graph.outputs) == {
        *("sftp_host", "sftp_port", "sftp_host_key_fingerprint", "sftp_server_id"),
        *("delivery_bucket", "lake_bucket", "function_name", "ledger_table", "schedule_group"),
        *("failure_queue_url", "schedule_dlq_url", "alarm_topic_arn", "client_folders"),
    }
    assert graph.outputs["client_folders"]["acme"] == "downloads/acme"


def test_pulumi_yaml_declares_exactly_the_settings_with_their_defaults() -> None:
    declared = yaml.safe_load((PROJECT_FOLDER / "Pulumi.yaml").read_text())["config"]
    fields = StackSettings.model_fields
    assert set(declared) == set(fields)
    assert {name: each["default"] for name, each in declared.items() if "default" in each} == {
        name: ("" if field.default is None else field.default)
        for name, field in fields.items()
        if not field.is_required()
    }


def test_a_bad_setting_stops_before_anything_is_made_and_is_named(program: Program, clients: Path) -> None:
    with pytest.raises(
        Exception, match=r"stack configuration: referrals:retention_days: .*; set it with `pulumi config"
    ):
        program(clients, retention_days="0")


def test_a_mistyped_client_folder_removes_nobody(program: Program, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no such folder of client files"):
        program(tmp_path / "cleints")


def test_the_program_imports_nothing_of_the_operators_command_or_the_emulator() -> None:
    for path in (PROJECT_FOLDER / "infra").glob("*.py"):
        text = path.read_text()
        assert "referralctl" not in text.replace("`referralctl", ""), path
        assert "ministack" not in text, path
    assert len((PROJECT_FOLDER / "infra" / "__main__.py").read_text().splitlines()) <= 50
