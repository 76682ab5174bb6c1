"""What CloudWatch makes of metrics: the data points of embedded logs, and the state of an alarm at a moment."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Point:
    """One data point; `at` is Unix time in seconds."""

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    at: float
    value: float


def embedded(lines: Iterable[str]) -> Iterator[Point]:
    """The points of a function's log, in Embedded Metric Format; other lines have none.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    for line in lines:
        document = json.loads(line) if line.startswith("{") else {}
        metadata = document.get("_aws", {"CloudWatchMetrics": ()})
        for directive in metadata["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                for metric in directive["Metrics"]:
                    values = document[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        yield Point(
                            namespace=directive["Namespace"],
                            metric=metric["Name"],
                            dimensions={name: document[name] for name in names},
                            at=metadata["Timestamp"] / 1000,
                            value=value,
                        )


def in_alarm(alarm: Mapping[str, Any], points: Sequence[Point], now: datetime) -> bool:
    """Whether an alarm, as DescribeAlarms gives it, is in ALARM: each of its last periods is over the threshold.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
    """
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Statistic"] in ("Sum", "Maximum")
    seconds, current = alarm["Period"], math.floor(now.timestamp() / alarm["Period"])
    own = [point for point in points if _is_of(alarm, point)]
    for period in range(current - alarm["EvaluationPeriods"] + 1, current + 1):
        values = [point.value for point in own if math.floor(point.at / seconds) == period]
        if values:
            value = sum(values) if alarm["Statistic"] == "Sum" else max(values)
            breaching = value > alarm["Threshold"]
        else:
            breaching = alarm["TreatMissingData"] == "breaching"
        if not breaching:
            return False
    return True


def _is_of(alarm: Mapping[str, Any], point: Point) -> bool:
    """A metric is its namespace, its name and exactly its dimensions: one more or less is another metric."""
    dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    return (point.namespace, point.metric, point.dimensions) == (alarm["Namespace"], alarm["MetricName"], dimensions)
