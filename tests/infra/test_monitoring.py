"""The alarms: what each watches, when it goes off, and who is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra import PROJECT_FOLDER
from tests.infra.conftest import Graph, Program
from tests.recorder import ACCOUNT_ID, REGION

QUEUES = {
    "export": "export-failures",
    "announce": "announce-failures",
    "receive": "receive-failures",
    "schedules": "schedule-dlq",
    "notify": "notify-failures",
}
VISIBLE = "ApproximateNumberOfMessagesVisible"
FINDINGS = {
    "overdue": "OverdueClients",
    "stuck": "StuckClients",
    "silent": "SilentClients",
    "uncollected": "UncollectedFiles",
    "keys": "ExpiringKeys",
}
OF_A_FUNCTION = {
    "errors": "Errors",
    "throttles": "Throttles",
    "dropped": "AsyncEventsDropped",
    "undelivered": "DestinationDeliveryFailures",
}
OF_SCHEDULES = {
    "schedules-dropped": "InvocationDroppedCount",
    "schedules-undelivered": "InvocationsFailedToBeSentToDeadLetterCount",
}
# alarm → metric, what it is measured on, how a period's values become one, how many periods in a row
ALARMS: dict[str, tuple[str, str, dict[str, str], str, int]] = {
    **{
        name: ("ReferralDelivery", metric, {"service": "referral-delivery", "stack": "referrals-test"}, "Maximum", 2)
        for name, metric in FINDINGS.items()
    },
    **{
        f"{purpose}-queue": ("AWS/SQS", VISIBLE, {"QueueName": f"referrals-test-{queue}"}, "Maximum", 1)
        for purpose, queue in QUEUES.items()
    },
    **{
        f"export-{name}": ("AWS/Lambda", metric, {"FunctionName": "referrals-test-export"}, "Sum", 1)
        for name, metric in OF_A_FUNCTION.items()
    },
    "watch-errors": ("AWS/Lambda", "Errors", {"FunctionName": "referrals-test-watch"}, "Sum", 1),
    **{
        name: ("AWS/Scheduler", metric, {"ScheduleGroup": "referrals-test"}, "Sum", 1)
        for name, metric in OF_SCHEDULES.items()
    },
}
RUNBOOK = PROJECT_FOLDER / "docs" / "operations.md"


def alarms(graph: Graph) -> dict[str, dict[str, Any]]:
    """Inputs of the alarms, by name."""
    return {each.name.removeprefix("monitoring-"): each.inputs for each in graph.of("MetricAlarm")}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_goes_off_at_the_first_that_its_metric_counts(graph: Graph, name: str) -> None:
    namespace, metric, dimensions, statistic, periods = ALARMS[name]
    alarm = alarms(graph)[name]
    assert (alarm["namespace"], alarm["metricName"], alarm["dimensions"]) == (namespace, metric, dimensions)
    assert (alarm["statistic"], alarm["period"], alarm["evaluationPeriods"]) == (statistic, 300, periods)
    assert (alarm["comparisonOperator"], alarm["threshold"]) == ("GreaterThanThreshold", 0)


def test_a_watch_that_says_nothing_is_an_alarm_and_an_idle_queue_or_function_is_none(graph: Graph) -> None:
    breaching = {name for name, alarm in alarms(graph).items() if alarm["treatMissingData"] == "breaching"}
    assert breaching == {"overdue"}
    assert {alarm["treatMissingData"] for alarm in alarms(graph).values()} == {"breaching", "notBreaching"}


def test_the_table_has_every_alarm(graph: Graph) -> None:
    assert set(alarms(graph)) == set(ALARMS)


def test_an_alarm_and_its_end_are_told_to_the_topic(graph: Graph) -> None:
    (topic,) = graph.of("Topic")
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{topic.name}"
    for alarm in alarms(graph).values():
        assert (alarm["alarmActions"], alarm["okActions"]) == ([arn], [arn])
        assert alarm.get("actionsEnabled", True) is True


def test_an_alarm_says_what_to_do_first_and_names_a_heading_of_the_runbook(graph: Graph) -> None:
    headings = {line.lstrip("# ").strip().lower().replace(" ", "-") for line in RUNBOOK.read_text().splitlines()}
    for alarm in alarms(graph).values():
        first, _, heading = alarm["alarmDescription"].rpartition(" docs/operations.md#")
        assert len(first) > 30
        assert heading in headings


def test_a_topic_that_is_given_gets_all_alarms_and_none_is_made(program: Program, clients: Path) -> None:
    given = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:oncall"
    graph = program(clients, alarm_topic_arn=given, production="true")
    assert graph.of("Topic") == graph.of("TopicPolicy") == graph.of("TopicSubscription") == []
    assert {*map(tuple, (alarm["alarmActions"] for alarm in alarms(graph).values()))} == {(given,)}
    assert graph.outputs["alarm_topic_arn"] == given


def test_the_dashboard_shows_every_alarm_and_the_last_14_days_of_what_they_watch(graph: Graph) -> None:
    (dashboard,) = graph.of("Dashboard")
    body = json.loads(dashboard.inputs["dashboardBody"])
    shown, *graphs = body["widgets"]
    assert (body["start"], len(shown["properties"]["alarms"])) == ("-P14D", len(ALARMS))
    metrics = {tuple(each[:2]) for widget in graphs for each in widget["properties"]["metrics"]}
    assert {("ReferralDelivery", name) for name in FINDINGS.values()} <= metrics
    assert {("AWS/SQS", VISIBLE), ("AWS/Lambda", "Errors"), ("AWS/Scheduler", "InvocationDroppedCount")} <= metrics
    assert {widget["properties"]["region"] for widget in graphs} == {REGION}


def test_the_accounts_alarms_of_this_region_alone_may_publish(graph: Graph) -> None:
    (policy,) = graph.of("TopicPolicy")
    (statement,) = policy.policy("policy")["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")
    assert statement["Resource"] == policy.inputs["arn"] == f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:monitoring-topic"
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:*"},
    }
