"""The function as it is deployed: its entry point, what it is packed for, and what becomes of a run that fails."""

from importlib import import_module

from infra import artifact
from tests.infra.conftest import Graph
from tests.recorder import ACCOUNT_ID, REGION


def test_lambda_finds_the_entry_point_that_the_function_names(graph: Graph) -> None:
    for function in graph.of("Function"):
        module, _, name = function.inputs["handler"].rpartition(".")
        assert callable(getattr(import_module(module), name))
    function = graph.one("Function", "export-function")
    assert function.inputs["handler"] == "referral_delivery.handlers.export.handler"


def test_the_function_runs_on_what_its_zip_is_packed_for(graph: Graph) -> None:
    function = graph.one("Function", "export-function")
    target = artifact.aws_lambda()
    for function in graph.of("Function"):
        assert function.inputs["runtime"] == f"python{target.python}" == "python3.13"
        assert function.inputs["architectures"] == ["arm64"]
    assert all(tag.endswith("_aarch64") for tag in target.platforms)


def test_a_run_has_as_long_as_lambda_allows(graph: Graph) -> None:
    function = graph.one("Function", "export-function")
    assert function.inputs["timeout"] == 900


def test_a_run_that_fails_is_tried_twice_more_within_six_hours_and_then_lies_in_the_failure_queue(
    graph: Graph,
) -> None:
    function = graph.one("Function", "export-function")
    retries = graph.one("FunctionEventInvokeConfig", "export-retries")
    assert retries.inputs["functionName"] == function.inputs["name"] == "referrals-test-export"
    assert (retries.inputs["maximumRetryAttempts"], retries.inputs["maximumEventAgeInSeconds"]) == (2, 21_600)
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:export-failures"
    assert retries.inputs["destinationConfig"] == {"onFailure": {"destination": queue}}
    failures = graph.one("Queue", "export-failures")
    assert failures.inputs["messageRetentionSeconds"] == 14 * 24 * 60 * 60


def test_the_functions_log_is_the_group_that_expires(graph: Graph) -> None:
    function = graph.one("Function", "export-function")
    group = graph.one("LogGroup", "export-logs")
    assert function.inputs["loggingConfig"]["logGroup"] == group.inputs["name"] == "/aws/lambda/referrals-test-export"
    assert group.inputs["retentionInDays"] == 30
