"""Each component as it is deployed, its outputs, and the settings."""

from pathlib import Path

import pulumi
import pytest

from infra import PROJECT_FOLDER
from referral_delivery.agreement.schedule import Schedule
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.settings import Settings
from referral_delivery.watch.roster import Roster
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


def test_days_of_the_month_are_scheduled_and_stand_in_the_roster(program: Program, tmp_path: Path) -> None:
    named = {"timezone": "Europe/Lisbon", "at": ["06:00"], "days_of_month": [1, 15, "last"]}
    write_client(tmp_path, "acme", schedule=named)
    made = program(tmp_path)
    mine = [each.inputs for each in made.of("Schedule") if each.name.startswith("acme-")]
    assert [(each["name"], each["scheduleExpression"], each["scheduleExpressionTimezone"]) for each in mine] == [
        ("acme.1", "cron(0 6 1,15 * ? *)", "Europe/Lisbon"),
        ("acme.2", "cron(0 6 L * ? *)", "Europe/Lisbon"),
    ]
    (entry,) = Roster.model_validate_json(made.one("BucketObjectv2", "roster-object").inputs["content"]).clients
    assert entry.schedule == Schedule.model_validate(named)
    assert made.outputs["clients"]["acme"].endswith("due 06:00, the 1st, 15th and last day of the month, Europe/Lisbon")


def test_the_functions_environment_is_exactly_its_settings(graph: Graph) -> None:
    function = graph.one("Function", "export-function")
    variables = function.inputs["environment"]["variables"]
    assert set(variables) == {name.upper() for name in Settings.model_fields}
    assert Settings.from_environment(variables).delivery_bucket == "downloads-id"


def test_the_functions_size_and_reserve_are_the_settings(program: Program, clients: Path, graph: Graph) -> None:
    function = graph.one("Function", "export-function")
    assert (function.inputs["memorySize"], function.inputs["ephemeralStorage"]) == (1769, {"size": 512})
    assert "reservedConcurrentExecutions" not in function.inputs
    function = program(clients, function_memory_mb="2048", function_ephemeral_mb="1024", function_concurrency="50").one(
        "Function", "export-function"
    )
    assert (function.inputs["memorySize"], function.inputs["ephemeralStorage"]) == (2048, {"size": 1024})
    assert function.inputs["reservedConcurrentExecutions"] == 50


def test_spread_minutes_spread_the_starts(program: Program, clients: Path) -> None:
    spread = program(clients, spread_minutes="15")
    of_the_stack = ("schedules-digests", "schedules-watch")
    for name in of_the_stack:
        assert spread.one("Schedule", name).inputs["flexibleTimeWindow"] == {"mode": "OFF"}
    for schedule in [each for each in spread.of("Schedule") if each.name not in of_the_stack]:
        assert schedule.inputs["flexibleTimeWindow"] == {"mode": "FLEXIBLE", "maximumWindowInMinutes": 15}
    roster = Roster.model_validate_json(spread.one("BucketObjectv2", "roster-object").inputs["content"])
    assert {entry.spread_minutes for entry in roster.clients} == {15}


def test_an_alarm_address_is_subscribed(program: Program, clients: Path, graph: Graph) -> None:
    assert graph.of("TopicSubscription") == []
    (subscribed,) = program(clients, alarm_email="oncall@example.com").of("TopicSubscription")
    assert (subscribed.inputs["protocol"], subscribed.inputs["endpoint"]) == ("email", "oncall@example.com")


def test_a_production_stack_protects_what_cannot_be_made_again(program: Program, clients: Path, graph: Graph) -> None:
    assert not [each for each in graph.resources if each.protect]
    production = program(clients, production="true", alarm_email="oncall@example.com")
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
        *("region", "sftp_host", "sftp_port", "sftp_host_key_fingerprints", "sftp_server_id"),
        *("delivery_bucket", "delivery_bucket_arn", "lake_bucket", "lake_prefix", "access_log_bucket"),
        *("function_name", "function_arn", "watch_function_name", "ledger_table", "clients"),
        *("schedule_group", "schedule_role_arn", "schedule_dlq_arn"),
        *("announce_failure_queue_url", "receive_function_name", "receive_failure_queue_url"),
        *("notify_function_name", "notify_failure_queue_url", "notice_sender", "pgp_signing_secret"),
        *("failure_queue_url", "schedule_dlq_url", "alarm_topic_arn", "client_folders", "roster"),
    }
    assert graph.outputs["region"] == REGION
    assert graph.outputs["client_folders"]["acme"] == "downloads/acme"


def test_an_output_tells_what_to_send_to_each_client_in_words_that_stay_the_same(graph: Graph) -> None:
    assert graph.outputs["clients"] == {
        "acme": "user acme, files in /downloads, due 06:00 and 18:30, every day, Australia/Sydney",
        "globex": "user globex, files in /downloads, due every 15m, every day, UTC",
        "a" * 32: f"user {'a' * 32}, files in /downloads, due 06:00 and 18:30, every day, Australia/Sydney",
    }


def test_the_program_imports_nothing_of_the_operators_command_or_the_emulator() -> None:
    for path in (PROJECT_FOLDER / "infra").glob("*.py"):
        text = path.read_text()
        assert "referralctl" not in text.replace("`referralctl", ""), path
        assert "ministack" not in text, path
    assert len((PROJECT_FOLDER / "infra" / "__main__.py").read_text().splitlines()) <= 50


def test_mail_that_nobody_would_send_is_refused_before_a_client_waits_for_it(program: Program, tmp_path: Path) -> None:
    write_client(tmp_path, "acme", notices={"email": {"to": "files@acme.example"}})
    with pytest.raises(pulumi.RunError, match=r"notice_sender: found nothing, and .* in the files of acme"):
        program(tmp_path)
    assert program(tmp_path, notice_sender="files@example.com").outputs["notice_sender"] == "files@example.com"


def test_a_webhook_needs_no_sender(program: Program, tmp_path: Path) -> None:
    webhook = {"url": "https://hooks.acme.example/x", "secret_parameter": "/referrals/acme/webhook"}
    write_client(tmp_path, "acme", notices={"webhook": webhook})
    assert program(tmp_path).outputs["notice_sender"] == ""
