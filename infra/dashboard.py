"""The dashboard: what the alarms watch, and the last 14 days of it. A pure function from names to its body."""

from collections.abc import Iterable, Mapping
from typing import Any

from infra.alarms import NAMESPACE

# A dashboard is 24 wide. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
_WIDTH, _HEIGHT = 12, 6
_HOUR = 3_600
_OURS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Late and stuck clients", "Maximum", ("OverdueClients", "StuckClients")),
    (
        "Silent clients, files not collected, keys that end",
        "Maximum",
        ("SilentClients", "UncollectedFiles", "ExpiringKeys"),
    ),
    ("Deliveries and failures", "Sum", ("Deliveries", "Failures")),
    ("Rows", "Sum", ("Rows",)),
    ("Window lag, seconds", "Maximum", ("WindowLag",)),
)


def body(
    stack: str,
    region: str,
    *,
    alarm_arns: Iterable[str],
    functions: Mapping[str, str],
    queues: Mapping[str, str],
    schedule_group: str,
) -> dict[str, Any]:
    """The body, in CloudWatch's words."""
    widgets = [{"type": "alarm", "width": 24, "height": 4, "properties": {"title": "Alarms", "alarms": [*alarm_arns]}}]
    for title, statistic, names in _OURS:
        metrics = [[NAMESPACE, name, "service", "referral-delivery", "stack", stack] for name in names]
        widgets.append(_graph(title, region, statistic, metrics))
    for metric in ("Errors", "Throttles", "Duration"):
        metrics = [["AWS/Lambda", metric, "FunctionName", name] for name in functions.values()]
        widgets.append(_graph(f"Functions: {metric}", region, "Maximum" if metric == "Duration" else "Sum", metrics))
    visible = "ApproximateNumberOfMessagesVisible"
    waiting = [["AWS/SQS", visible, "QueueName", name] for name in queues.values()]
    widgets.append(_graph("Queues of failures", region, "Maximum", waiting))
    scheduler = ("InvocationAttemptCount", "TargetErrorCount", "InvocationDroppedCount")
    fired = [["AWS/Scheduler", name, "ScheduleGroup", schedule_group] for name in scheduler]
    widgets.append(_graph("Schedules", region, "Sum", fired))
    return {"start": "-P14D", "periodOverride": "auto", "widgets": [*map(dict, widgets)]}


def _graph(title: str, region: str, statistic: str, metrics: list[list[str]]) -> dict[str, Any]:
    return {
        "type": "metric",
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": {
            "title": title,
            "region": region,
            "stat": statistic,
            "period": _HOUR,
            "view": "timeSeries",
            "metrics": metrics,
        },
    }
