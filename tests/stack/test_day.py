"""A day of five clients with whom something is amiss: each cause becomes a finding, an alarm and a notice.

The stack is deployed from client files, and its schedules are stopped, so that nothing happens but what the day says.
Rounds of the watch run through its handler, with the deployed function's environment and a clock that is moved on;
what they start, tell and remove is done by the emulator. CloudWatch reads the metrics as it would from the logs.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from local_aws.sftp import SftpSession, write_known_hosts
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.delivery.report import Status
from referral_delivery.handlers import watch as watch_handler
from referral_delivery.ledger.records import Claim, Receipts
from referral_delivery.window import to_text
from referralctl.local_system import LocalSystem, generate_key, session
from referralctl.stacks import Stack
from tests.cloudwatch import Point, embedded, in_alarm
from tests.stack.conftest import Lab, environment_of, mails, wait_for
from tests.support import write_client

SENDER, FILES, CONTACT = "files@platform.example", "files@acme.example", "crm@acme.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# What the alarms of these look at, the emulator does not do.
NOT_FIRED = {
    "announce-queue": "a record of the stream that cannot be told is tried again for six hours",
    "notify-queue": "a notice is tried again for a day",
    "schedules-queue": "a schedule's call to Lambda never fails here",
    "schedules-dropped": "and so no due time is given up",
    "schedules-undelivered": "nor lost on its way to the queue",
    "export-dropped": "no event of a function gets too old",
    "export-undelivered": "nor is one lost on its way to the queue",
}
OF_A_DAY = {"overdue", "stuck", "silent", "uncollected", "keys", "export-throttles", "export-queue"}
OF_FAILURES = {"export-errors", "export-queue", "receive-queue", "watch-errors"}
CACHED = (watch_handler.watch, watch_handler.rosters, watch_handler._settings)


@dataclass
class Day:
    """The stack of one day that begins at `began`, the last full hour."""

    stack: Stack
    system: dict[str, Any]
    keys: dict[str, Path]
    began: datetime
    points: list[Point] = field(default_factory=list)
    fired: set[str] = field(default_factory=set)
    counted: dict[tuple[str, str], float] = field(default_factory=dict)

    def lab(self, client: str) -> Lab:
        """Deliveries of one client."""
        return Lab(self.stack, client, session(self.system))

    def client(self, service: str) -> Any:
        """A client of the stack's AWS."""
        return session(self.system).client(service, endpoint_url=self.system["endpoint_url"])

    def at(self, hours: int, minutes: int) -> datetime:
        """A moment of the day."""
        return self.began + timedelta(hours=hours, minutes=minutes)

    def sftp(self, client: str, key: Path | None = None) -> SftpSession:
        """How a client connects."""
        host, port = self.system["sftp"]["host"], self.system["sftp"]["port"]
        private_key = key or Path(self.system["clients"][client]["private_key"])
        known_hosts = write_known_hosts(host, port, private_key.with_suffix(".known_hosts"))
        return SftpSession(host, port, client, private_key, known_hosts)

    def mailed(self, address: str) -> list[str]:
        """The subjects of what an address was mailed, without the moments in them."""
        subjects = [mail["Subject"] for mail in mails(self.system, address)]
        return [re.sub(r"of .* is late", "of … is late", subject) for subject in subjects]

    def receipts(self, client: str) -> Receipts:
        """Those of the client's only delivery."""
        (delivery,) = self.stack.ledger.deliveries(client)
        return delivery.receipts

    def deliver(self, client: str, *, hours: int, rows: int = 0) -> None:
        """The client's run that is due some hours after the day began; what arrived in the hour before goes with it."""
        lab, due = self.lab(client), self.began + timedelta(hours=hours)
        if rows:
            hour = f"{due - timedelta(hours=1):%Y-%m-%d %H}"
            lab.put_referrals(hour, *(f"{client}-{hours}-{number}" for number in range(rows)))
        lab.now = due + timedelta(seconds=5)
        entry = self.stack.entry(client)
        assert lab.deliver(entry.contract, due=due, owner=f"due {hours}").status is Status.DELIVERED

    def alarms(self, hours: int, minutes: int) -> set[str]:
        """The names, without the stack's, of the alarms that are in ALARM at a moment."""
        at = self.at(hours, minutes)
        points = [*self.points, *self._of_queues(at), *self._of_functions(at)]
        pages = self.client("cloudwatch").get_paginator("describe_alarms").paginate()
        found = [alarm for page in pages for alarm in page["MetricAlarms"]]
        fired = {each["AlarmName"].removeprefix(f"{self.stack.name}-") for each in found if in_alarm(each, points, at)}
        self.fired |= fired
        return fired

    def given_up(self) -> list[dict[str, Any]]:
        """The events in the export's failure queue, which are taken from it."""
        sqs, url, events = self.client("sqs"), self.stack["failure_queue_url"], []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                events.append(json.loads(message["Body"])["requestPayload"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return events

    def waiting(self, queue: str) -> int:
        """How many messages a queue has, whose URL is this output."""
        names = ["ApproximateNumberOfMessages"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=self.stack[queue], AttributeNames=names)
        return int(found["Attributes"][names[0]])

    def _of_queues(self, at: datetime) -> Iterator[Point]:
        """The emulator publishes no metrics of queues; they are what SQS says of each now."""
        for queue in (name for name in self.stack.outputs if name.endswith("queue_url") or name.endswith("dlq_url")):
            yield Point(
                namespace="AWS/SQS",
                metric="ApproximateNumberOfMessagesVisible",
                dimensions={"QueueName": self.stack[queue].rpartition("/")[2]},
                at=at.timestamp(),
                value=self.waiting(queue),
            )

    def _of_functions(self, at: datetime) -> Iterator[Point]:
        """What the emulator, by its own clock, has counted of each function since the last look."""
        cloudwatch = self.client("cloudwatch")
        for name in (self.stack["function_name"], self.stack["watch_function_name"]):
            for metric in ("Errors", "Throttles"):
                found = cloudwatch.get_metric_statistics(
                    Namespace="AWS/Lambda",
                    MetricName=metric,
                    Dimensions=[{"Name": "FunctionName", "Value": name}],
                    StartTime=self.began - HOUR,
                    EndTime=self.began + DAY,
                    Period=60,
                    Statistics=["Sum"],
                )
                total = sum(each["Sum"] for each in found["Datapoints"])
                value = total - self.counted.get((name, metric), 0)
                self.counted[name, metric] = total
                dimensions = {"FunctionName": name}
                yield Point(
                    namespace="AWS/Lambda", metric=metric, dimensions=dimensions, at=at.timestamp(), value=value
                )


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """The stack, with all its schedules stopped."""
    folder = tmp_path_factory.mktemp("day")
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    yesterday, once = f"{began - DAY:%Y-%m-%d}", {"at": [f"{began - timedelta(hours=1):%H:%M}"]}
    keys = {label: folder / label for label in ("ending", "next")}
    told = {"email": {"to": [FILES], "on": ["file_late", "not_collected"]}}
    differing: dict[str, dict[str, Any]] = {
        "stopped": {"schedule": {"every": "1h"}, "notices": told},
        "killed": {},
        "silent": {"expect_within": "3h"},
        "uncollected": {"collect_within": "2h", "notices": told},
        "renewing": {
            "keys": [
                {"label": "ending", "public_key": generate_key(keys["ending"]), "expires": f"{began + DAY:%Y-%m-%d}"},
                {"label": "next", "public_key": generate_key(keys["next"])},
            ]
        },
    }
    for name, fields in differing.items():
        common = {"contact": CONTACT, "schedule": once, "attributes": ["referral_id"], "deliver_from": yesterday}
        write_client(folder / "clients", name, **(common | fields))
    local = LocalSystem(folder / "local", {"notice_sender": SENDER})
    try:
        system = local.up(folder / "clients")
        made = Day(Stack(system["outputs"], local=system), system, keys, began)
        made.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        group = made.stack["schedule_group"]
        for schedule in made.stack.scheduler.list_schedules(GroupName=group)["Schedules"]:
            made.stack.scheduler.delete_schedule(GroupName=group, Name=schedule["Name"])
        yield made
    finally:
        local.down()


@pytest.fixture
def watch(day: Day, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, int], dict[str, set[str]]]]:
    """A round of the watch some hours and minutes into the day; the answer is what it found, by client."""
    for name, value in environment_of(day.stack, day.stack["watch_function_name"]).items():
        monkeypatch.setenv(name, value)
    log = io.StringIO()
    monkeypatch.setattr(watch_handler.logger.handlers[0], "stream", log)
    for each in CACHED:
        each.cache_clear()

    def round_(hours: int, minutes: int) -> dict[str, set[str]]:
        log.seek(0)
        log.truncate()
        with time_machine.travel(day.at(hours, minutes)), redirect_stdout(log):
            watch_handler.handler({}, Context())
        lines = log.getvalue().splitlines()
        day.points += embedded(lines)
        found: dict[str, set[str]] = {}
        for said in map(json.loads, lines):
            if said.get("message") == "found":
                found.setdefault(said["client"], set()).add(said["finding"])
        return found

    yield round_
    for each in CACHED:
        each.cache_clear()


class Context:
    """What the handler reads of Lambda's context."""

    function_name, memory_limit_in_mb = "watch", 256
    invoked_function_arn, aws_request_id = "arn:aws:lambda:eu-west-1:000000000000:function:watch", "round"


@pytest.mark.timeout(900)
def test_all_that_goes_wrong_in_a_day_is_found_and_pages_within_two_rounds_and_is_over_when_it_is_mended(
    day: Day, watch: Callable[[int, int], dict[str, set[str]]], tmp_path: Path
) -> None:
    functions, export = day.stack.functions, day.stack["function_name"]
    ending = {"renewing": {"key_expiring"}}

    # A run is killed while nothing can be started in its place.
    functions.put_function_concurrency(FunctionName=export, ReservedConcurrentExecutions=0)
    killed, lease = day.lab("killed"), day.began.timestamp()
    killed.put_referrals(f"{day.began - timedelta(hours=1):%Y-%m-%d %H}", "a", "b")
    assert isinstance(
        day.stack.ledger.claim("killed", owner="killed", now=lease, expires=lease + 90, due=day.began), Claim
    )
    for client in ("stopped", "silent", "uncollected", "renewing"):
        day.deliver(client, hours=0, rows=2)
    stuck = {"killed": {"stuck"}} | ending
    assert watch(0, 3) == watch(0, 8) == stuck
    # Lambda would go on with a throttled start for six hours; the emulator gives it up like a failed one.
    wait_for(lambda: day.waiting("failure_queue_url") == 2, seconds=60, what="both starts to be given up")
    assert day.alarms(0, 8) == {"stuck", "export-throttles", "export-queue", "keys"}
    assert [event["contract"]["client"] for event in day.given_up()] == ["killed", "killed"]
    functions.delete_function_concurrency(FunctionName=export)
    assert watch(0, 13) == stuck
    wait_for(lambda: killed.delivered() == ["a", "b"], seconds=60, what="the delivery of the run that was killed")
    assert watch(0, 18) == ending
    assert day.alarms(0, 18) == {"keys"}

    # A schedule has stopped, and a file lies there.
    day.deliver("stopped", hours=1)
    assert watch(1, 58) == ending
    assert watch(2, 3) == ending | {"uncollected": {"not_collected"}}
    assert watch(2, 8) == ending | {"uncollected": {"not_collected"}}
    assert day.alarms(2, 8) >= {"keys", "uncollected"}
    assert watch(2, 33) == watch(2, 38) == ending | {"uncollected": {"not_collected"}, "stopped": {"overdue"}}
    assert {"overdue", "uncollected"} <= day.alarms(2, 38)
    day.deliver("stopped", hours=3)
    (name,) = day.lab("uncollected").csv_files()
    day.sftp("uncollected").run(f"get /downloads/{name}", folder=tmp_path)
    wait_for(lambda: day.receipts("uncollected").complete == 1, seconds=30, what="the receipt")
    assert watch(3, 3) == watch(3, 8) == ending
    assert day.alarms(3, 8) == {"keys"}

    # The writer of a client's referrals has stopped: its files are empty.
    day.deliver("silent", hours=3)
    day.deliver("stopped", hours=4)
    assert watch(4, 3) == ending
    day.deliver("silent", hours=4)
    assert watch(4, 8) == watch(4, 13) == ending | {"silent": {"silent"}}
    assert day.alarms(4, 13) == {"keys", "silent"}
    day.deliver("silent", hours=5, rows=1)
    day.deliver("stopped", hours=5)
    assert watch(5, 3) == ending

    # The watch itself does not run.
    assert day.alarms(12, 0) == {"overdue"}
    assert day.fired == OF_A_DAY

    for client in ("renewing", "uncollected"):
        day.deliver(client, hours=23)
    # A key has ended: its owner had been told, and its other key opens the door.
    assert day.sftp("renewing", day.keys["ending"]).run("ls /downloads").returncode == 0
    assert watch(24, 3)["renewing"] == {"key_expired"}
    assert day.sftp("renewing", day.keys["ending"]).run("ls /downloads").returncode != 0
    assert day.sftp("renewing", day.keys["next"]).run("ls /downloads").returncode == 0

    # Who asked for it was told of each, once; and the contact of the key.
    told = {
        FILES: [f"Referral file {name} has not been fetched", "Referral file of … is late"],
        CONTACT: ["SSH key ending ends in 1 day", "SSH key ending has ended"],
    }
    for address, subjects in told.items():
        wait_for(lambda address=address: len(day.mailed(address)) >= 2, seconds=60, what=f"the mails to {address}")
        assert sorted(day.mailed(address)) == sorted(subjects)


def test_what_fails_for_good_pages_by_its_errors_and_its_queue(day: Day) -> None:
    day.alarms(25, 0)  # what was before is counted
    lab = day.lab("killed")
    lab.put(f"{day.began - HOUR:%Y-%m-%d %H}", b"no Parquet")
    event = ExportEvent(contract=day.stack.entry("killed").contract, scheduled_time=to_text(datetime.now(UTC)))
    functions, payload = day.stack.functions, event.model_dump_json().encode()
    functions.invoke(FunctionName=day.stack["function_name"], InvocationType="Event", Payload=payload)
    # The emulator counts the errors of runs that somebody waits for.
    assert "FunctionError" in functions.invoke(FunctionName=day.stack["function_name"], Payload=payload)
    functions.invoke(FunctionName=day.stack["receive_function_name"], InvocationType="Event", Payload=b'{"detail": {}}')
    for queue in ("failure_queue_url", "receive_failure_queue_url"):
        wait_for(lambda queue=queue: day.waiting(queue), seconds=90, what=f"a message in {queue}")
    bucket, place = day.stack["delivery_bucket"], "roster/broken.json"
    day.stack.s3.put_object(Bucket=bucket, Key=place, Body=b"{")
    assert "FunctionError" in functions.invoke(FunctionName=day.stack["watch_function_name"], Payload=b"{}")
    day.stack.s3.delete_object(Bucket=bucket, Key=place)
    assert day.alarms(25, 5) == OF_FAILURES | {"overdue"}
    assert [each["contract"]["client"] for each in day.given_up()] == ["killed"]


def test_an_alarm_reaches_who_subscribes_to_the_topic_with_what_to_do_first(day: Day) -> None:
    sqs, cloudwatch, topic = day.client("sqs"), day.client("cloudwatch"), day.stack["alarm_topic_arn"]
    arn = topic.replace(":sns:", ":sqs:").rpartition(":")[0] + ":on-call"
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        },
    }
    url = sqs.create_queue(QueueName="on-call", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    day.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    name = f"{day.stack.name}-stuck"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    point = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": 1}
    cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[point])
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), seconds=30, what="the alarm")
    said = json.loads(json.loads(message["Body"])["Message"])
    assert (said["AlarmName"], said["NewStateValue"]) == (name, "ALARM")
    assert said["AlarmDescription"].endswith("docs/operations.md#a-client-is-stuck")


def test_each_alarm_is_fired_by_its_cause_or_named_as_one_whose_cause_the_emulator_does_not_have(day: Day) -> None:
    pages = day.client("cloudwatch").get_paginator("describe_alarms").paginate()
    names = {alarm["AlarmName"].removeprefix(f"{day.stack.name}-") for page in pages for alarm in page["MetricAlarms"]}
    assert names == OF_A_DAY | OF_FAILURES | set(NOT_FIRED)
