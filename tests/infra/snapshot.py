"""The whole graph of the example stack as text, so that a change of it is seen in a diff.

`python -m tests.infra.snapshot` writes it anew, for a reviewer to read.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from infra import PROJECT_FOLDER
from local_aws.program import evaluate
from tests.recorder import REGION, Recorder, RecordingMonitor

SNAPSHOT = Path(__file__).parent / "example-stack.yaml"


def example_stack() -> str:
    """Types, names, inputs and options of every resource of a production stack with the example's clients."""
    monitor = RecordingMonitor(Recorder())
    config = {
        "clients": str(PROJECT_FOLDER / "clients" / "example"),
        "production": "true",
        "encryption": "stack",
        "alarm_email": "oncall@example.com",
    }
    evaluate(monitor.mocks, stack="example", region=REGION, config=config, monitor=monitor)
    resources = {
        f"{each.type} {each.name}": {
            "below": each.parent.rpartition("::")[2],
            **({"protect": True} if each.protect else {}),
            **({"deleted_with": each.deleted_with.rpartition("::")[2]} if each.deleted_with else {}),
            "inputs": {name: _readable(value) for name, value in sorted(each.inputs.items())},
        }
        for each in sorted(monitor.graph, key=lambda each: (each.type, each.name))
    }
    return yaml.safe_dump(resources, sort_keys=False, width=120, allow_unicode=True)


def _readable(value: Any) -> Any:
    """Documents as their content; the function's zip, whose name changes with its code, as a word."""
    match value:
        case str() if value.startswith("{"):
            return json.loads(value)
        case str() | int() | float() | None:
            return value
        case dict():
            return {key: _readable(each) for key, each in sorted(value.items())}
        case list():
            return [_readable(each) for each in value]
        case _:
            return f"<{type(value).__name__}>"


if __name__ == "__main__":
    SNAPSHOT.write_text(example_stack(), encoding="utf-8")
