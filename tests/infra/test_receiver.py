"""What takes receipts: the rule, who may call the function, and what the function may do."""

import json
from importlib import import_module

from referral_delivery.settings import ReceiverSettings
from tests.infra.conftest import Graph
from tests.infra.test_policies import statements
from tests.recorder import ACCOUNT_ID, REGION

RULE = f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/referrals-test-fetches"


def test_the_rule_takes_fetches_of_this_server_alone(graph: Graph) -> None:
    (server,) = graph.of("Server")
    assert json.loads(graph.one("EventRule", "receive-rule").inputs["eventPattern"]) == {
        "source": ["aws.transfer"],
        "detail-type": ["SFTP Server File Download Completed", "SFTP Server File Download Failed"],
        "detail": {"server-id": [f"{server.name}-id"]},
    }


def test_only_that_rule_may_call_the_function(graph: Graph) -> None:
    given = graph.one("Permission", "receive-permission").inputs
    rule = graph.one("EventRule", "receive-rule")
    assert (given["principal"], given["action"]) == ("events.amazonaws.com", "lambda:InvokeFunction")
    assert (given["function"], given["sourceArn"].rpartition(":")[2]) == ("referrals-test-receive", rule.name)


def test_an_event_that_the_function_did_not_take_lies_in_its_failure_queue(graph: Graph) -> None:
    target, failures = graph.one("EventTarget", "receive-target"), graph.one("Queue", "receive-failures")
    assert target.inputs["deadLetterConfig"]["arn"].endswith(f":{failures.name}")
    assert target.inputs["retryPolicy"] == {"maximumEventAgeInSeconds": 86_400, "maximumRetryAttempts": 185}
    (allowed,) = failures.policy("policy")["Statement"]
    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": RULE}}
    assert allowed["Resource"] == f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{failures.inputs['name']}"
    assert RULE.endswith(f"/{graph.one('EventRule', 'receive-rule').inputs['name']}")
    assert "policy" not in graph.one("Queue", "export-failures").inputs


def test_the_function_may_read_and_change_the_ledger_and_nothing_of_the_buckets(graph: Graph) -> None:
    rights = {each["Sid"]: each["Action"] for each in statements(graph, "receive-policy")}
    assert rights == {
        "KeepReceipts": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"],
        "WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "ReportFailures": ["sqs:SendMessage"],
    }


def test_the_functions_entry_point_and_environment_are_there(graph: Graph) -> None:
    function = graph.one("Function", "receive-function")
    module, _, name = function.inputs["handler"].rpartition(".")
    assert callable(getattr(import_module(module), name))
    variables = function.inputs["environment"]["variables"]
    assert set(variables) == {name.upper() for name in ReceiverSettings.model_fields}
    assert ReceiverSettings.from_environment(variables).retention_days == "14"
