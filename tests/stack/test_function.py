"""The deployed function: the real zip, in a process of its own, with nothing but its role."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from referral_delivery.delivery.event import ExportEvent
from referral_delivery.ledger.occasion import Occasion
from tests.stack.conftest import CLIENTS, Lab


@pytest.fixture
def scheduled(events: Path, lab: Lab) -> dict[str, Any]:
    """The event of tests/events/, for this test's client."""
    event: dict[str, Any] = json.loads((events / "scheduled.json").read_text())
    event["contract"]["client"] = lab.client
    return event


def test_a_scheduled_event_is_delivered_by_the_function_with_its_own_role(lab: Lab, scheduled: dict[str, Any]) -> None:
    lab.put("2026-11-20 09", [{"referral_id": "a", "email": "a@b.example", "received_at": "2026-11-20 09:00:00"}])
    report = lab.invoke(scheduled)
    (delivery,) = report["deliveries"]
    ((name, content),) = lab.files().items()
    assert report["status"] == "delivered"
    assert delivery["window_end"] == "2026-11-20T10:00:00Z"
    assert (delivery["file"], delivery["rows"], delivery["bytes"]) == (name, 1, len(content))
    assert delivery["sha256"] == hashlib.sha256(content).hexdigest()


def test_an_unsubstituted_scheduled_time_means_now(lab: Lab) -> None:
    report = lab.invoke(ExportEvent(contract=lab.contract(), occasion=Occasion.MANUAL))
    assert report["status"] == "delivered"
    assert report["deliveries"][0]["occasion"] == "manual"


def test_the_function_reports_its_own_peak_memory(lab: Lab) -> None:
    peak = lab.invoke(ExportEvent(contract=lab.contract()))["peak_memory_bytes"]
    assert 50 * 2**20 < peak < 700 * 2**20


def test_a_failing_delivery_is_an_error_with_client_window_and_object(lab: Lab, scheduled: dict[str, Any]) -> None:
    key = lab.put("2026-11-20 09", b"no parquet")
    answer = lab.invoke(scheduled)
    assert f"client {lab.client}, window 2026-11-01T00:00:00Z to 2026-11-20T10:00:00Z: " in answer["errorMessage"]
    assert key in answer["errorMessage"]


def test_an_event_with_an_unknown_field_is_refused(lab: Lab, scheduled: dict[str, Any]) -> None:
    assert "Extra inputs are not permitted" in lab.invoke({**scheduled, "surprise": 1})["errorMessage"]
    assert lab.files() == {}


def test_a_failed_event_goes_to_the_failure_queue_after_its_retries(
    lab: Lab, scheduled: dict[str, Any], eventually: Any
) -> None:
    lab.put("2026-11-20 09", b"no parquet")
    lab.stack.functions.invoke(
        FunctionName=lab.stack["function_name"],
        InvocationType="Event",
        Payload=json.dumps(scheduled).encode(),
    )
    sqs = lab.session.client("sqs", endpoint_url=lab.stack.s3.meta.endpoint_url)

    def failure() -> dict[str, Any] | None:
        found = sqs.receive_message(QueueUrl=lab.stack["failure_queue_url"], MaxNumberOfMessages=10).get("Messages", [])
        bodies = [json.loads(message["Body"]) for message in found]
        return next((b for b in bodies if b["requestPayload"]["contract"]["client"] == lab.client), None)

    assert eventually(failure, seconds=60, what="the failure queue")["requestPayload"] == scheduled


def test_logs_and_metrics_name_the_delivery_and_hold_no_row(
    lab: Lab, scheduled: dict[str, Any], system: dict[str, Any], eventually: Any
) -> None:
    row = {"referral_id": "a", "email": "very-private@b.example", "received_at": "2026-11-20 09:00:00"}
    lab.put("2026-11-20 09", [row])
    lab.invoke(scheduled)
    log = Path(system["clients"]["acme"]["private_key"]).parents[1] / "emulator.log"
    eventually(lambda: "run ended" in log.read_text() and lab.client in log.read_text(), seconds=20, what="the log")
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and lab.client in line]
    published = next(line for line in lines if line.get("message") == "delivery published")
    measured = next(line for line in lines if "_aws" in line)
    assert published["correlation_id"] == scheduled["execution_id"]
    assert (published["client"], published["sequence"], published["rows"]) == (lab.client, 1, 1)
    (described,) = measured["_aws"]["CloudWatchMetrics"]
    assert {each["Name"] for each in described["Metrics"]} == {"Deliveries", "Rows", "WindowLag", "Failures"}
    assert [set(each) for each in described["Dimensions"]] == [{"stack", "service"}], "none is a client's"
    assert (measured["stack"], measured["Rows"], measured["Failures"]) == ("referrals-local", [1.0], [0.0])
    assert "very-private" not in log.read_text()


def test_late_rows_are_the_same_in_ledger_and_log(
    lab: Lab, scheduled: dict[str, Any], system: dict[str, Any], eventually: Any
) -> None:
    row = {"referral_id": "a", "email": "", "received_at": "2026-11-20 09:00:00"}
    lab.put("2026-11-20 09", [row])
    lab.invoke(scheduled)
    lab.put(
        "2026-11-20 08", [{**row, "referral_id": each, "received_at": "2026-11-20 08:00:00"} for each in ("b", "c")]
    )
    lab.put("2026-11-20 10", [{**row, "referral_id": "d", "received_at": "2026-11-20 10:30:00"}])
    lab.invoke({**scheduled, "scheduled_time": "2026-11-20T11:00:00Z"})
    log = Path(system["clients"]["acme"]["private_key"]).parents[1] / "emulator.log"

    def counted() -> list[Any]:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{" and lab.client in line]
        return [line["late_rows"] for line in lines if line.get("message") == "delivery published"]

    eventually(lambda: len(counted()) == 2, seconds=20, what="two deliveries in the log")
    assert counted() == [0, 2]
    assert [(each.rows, each.late_rows) for each in lab.ledger.deliveries(lab.client)] == [(1, 0), (3, 2)]


def test_the_schedule_itself_delivers_to_every_client(stack: Any, eventually: Any, system: dict[str, Any]) -> None:
    """EventBridge Scheduler fires each minute; nobody invokes the function here."""
    listed = stack.s3.list_objects_v2

    def files(client: str) -> list[str]:
        found = listed(Bucket=stack["delivery_bucket"], Prefix=f"downloads/{client}/").get("Contents", [])
        return [entry["Key"] for entry in found if entry["Key"].endswith("_000001.csv")]

    for client in CLIENTS:
        eventually(lambda client=client: files(client), seconds=150, what=f"a file of {client}")
