"""Notices, from the ledger's stream and the watch to SES and to a client's own server."""

import base64
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner

from referral_delivery.handlers import notify
from referral_delivery.watch.events import Event, FileLate, KeyExpiring
from referral_delivery.watch.notices import TRIES, Channel, Notice
from referral_delivery.watch.notifier import digests
from referral_delivery.watch.roster import Entry, RosterKey
from referralctl.local_system import LocalSystem, session
from referralctl.main import app
from referralctl.stacks import Stack
from tests.stack.conftest import Lab, environment_of, mails, wait_for
from tests.support import utc, write_client
from tests.unit.test_webhook import HOST, receiving, sender_to

SENDER = "files@platform.example"
# One client whose server has a public name, and one whose is inside a network.
HOOKS = {"hooked": HOST, "inside": "127.0.0.1"}
SECRET, NEXT = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
FILES, CONTACT = "files@acme.example", "crm@acme.example"
CONTEXT: Any = SimpleNamespace(
    function_name="notify",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:notify",
    aws_request_id="batch",
)
CACHED = (notify.settings, notify.rosters, notify.watching, notify.queue, notify.notifier, notify._session)


@dataclass
class Told:
    """A stack whose clients want to be told, and what they have been told."""

    system: dict[str, Any]
    stack: Stack

    def client(self, service: str) -> Any:
        """A client of the stack's AWS."""
        return session(self.system).client(service, endpoint_url=self.system["endpoint_url"])

    def mails(self, to: str) -> list[dict[str, Any]]:
        """What SES has sent to an address."""
        return mails(self.system, to)

    def write_secret(self, value: str) -> None:
        """Put the signing secret of who has a webhook."""
        for name in HOOKS:
            parameter = f"/referrals/{name}/webhook"
            self.client("ssm").put_parameter(Name=parameter, Value=value, Type="SecureString", Overwrite=True)

    def lab(self, client: str) -> Lab:
        """Deliveries of one client."""
        return Lab(self.stack, client, session(self.system), now=datetime.now(UTC).replace(microsecond=0))


def _webhook(client: str, host: str) -> dict[str, Any]:
    on = ["file_available", "file_late", "key_expiring"]
    return {"url": f"https://{host}/hook", "secret_parameter": f"/referrals/{client}/webhook", "on": on}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A stack of its own, whose sender SES knows."""
    folder = tmp_path_factory.mktemp("told")
    later = {"at": [f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"]}
    common: dict[str, Any] = {"schedule": later, "contact": CONTACT, "attributes": ["referral_id"]}
    hooks = {name: {"webhook": _webhook(name, host)} for name, host in HOOKS.items()}
    mail = {"to": FILES, "on": ["file_available", "file_late"]}
    write_client(folder / "clients", "mailed", notices={"email": mail}, **common)
    for name, wants in hooks.items():
        write_client(folder / "clients", name, notices=wants, **common)
    write_client(folder / "clients", "silent", **common)
    local = LocalSystem(folder / "local", {"notice_sender": SENDER})
    try:
        system = local.up(folder / "clients")
        made = Told(system, Stack(system["outputs"], local=system))
        made.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        yield made
    finally:
        local.down()


def test_a_delivered_file_is_mailed_to_who_asked_for_it_and_to_nobody_else(told: Told) -> None:
    for client in ("silent", "mailed"):
        lab = told.lab(client)
        hour = f"{lab.now - timedelta(hours=1):%Y-%m-%d %H}"
        lab.put_referrals(hour, "person@customer.example")
        lab.deliver(told.stack.entry(client).contract, due=lab.now)
    (mail,) = wait_for(lambda: told.mails(FILES), seconds=90, what="the mail")
    (name,) = told.lab("mailed").csv_files()
    assert (mail["Source"], mail["To"], mail["Subject"]) == (SENDER, [FILES], f"Referral file {name} is there")
    for body in (mail["BodyText"], mail["BodyHtml"]):
        assert name in body
        assert "at least 14 days" in body
        assert "customer.example" not in body
    assert told.mails(CONTACT) == []


def test_a_test_says_what_each_channel_answered(told: Told, tmp_path: Path) -> None:
    outputs = tmp_path / "stack.json"
    outputs.write_text(json.dumps(told.system))

    def said(client: str, *options: str) -> tuple[int, list[dict[str, Any]]]:
        done = CliRunner().invoke(app, ["notices", "test", client, *options, "--outputs", str(outputs), "--json"])
        return done.exit_code, json.loads(done.stdout)

    code, channels = said("mailed", "--channel", "mail")
    assert (code, [(each["channel"], each["arrived"], each["to"]) for each in channels]) == (0, [("mail", True, FILES)])
    assert "Test notice for mailed" in {mail["Subject"] for mail in told.mails(FILES)}
    code, (unsigned,) = said("inside", "--channel", "webhook")
    assert (code, unsigned["arrived"]) == (1, False)
    missing = "/referrals/inside/webhook: the signing secret could not be read (ParameterNotFound); do `aws ssm put"
    assert unsigned["said"].startswith(missing)
    told.write_secret(SECRET)
    code, (refused,) = said("inside", "--channel", "webhook")
    assert (code, refused["arrived"]) == (1, False)
    assert refused["said"] == "127.0.0.1: resolves to 127.0.0.1, which is no public address; nothing was sent"
    assert said("silent", "--channel", "webhook") == (1, [])


@dataclass
class Function:
    """The notify function's code in this process, on a queue of the test's own."""

    told: Told
    url: str
    log: io.StringIO

    def send(self, *bodies: str) -> None:
        """Put messages into the queue."""
        for body in bodies:
            self.told.client("sqs").send_message(QueueUrl=self.url, MessageBody=body)

    def run(self, *, tries: int | None = None) -> list[str]:
        """Work off what is visible, as Lambda does, at the n-th of its tries; the answer is what came back."""
        sqs = self.told.client("sqs")
        found = sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["ApproximateReceiveCount"]
        )
        records = [
            {
                "messageId": each["MessageId"],
                "receiptHandle": each["ReceiptHandle"],
                "body": each["Body"],
                "attributes": each["Attributes"] | ({"ApproximateReceiveCount": str(tries)} if tries else {}),
            }
            for each in found.get("Messages", ())
        ]
        failed = notify.handler({"Records": records}, CONTEXT)["batchItemFailures"]
        again = {each["itemIdentifier"] for each in failed}
        for record in records:
            if record["messageId"] not in again:
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])
        return [record["body"] for record in records if record["messageId"] in again]

    def waiting(self) -> list[Notice]:
        """The notices that are visible now."""
        found = self.told.client("sqs").receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [Notice.model_validate_json(each["Body"]) for each in found.get("Messages", ())]

    def said(self) -> list[dict[str, Any]]:
        """The function's log."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture
def function(told: Told, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    """The function, with the deployed one's environment but for the queue."""
    url = told.client("sqs").create_queue(QueueName=f"notices-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    environment = environment_of(told.stack, told.stack["notify_function_name"]) | {"NOTICES_QUEUE_URL": url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    log = io.StringIO()
    monkeypatch.setattr(notify.logger.handlers[0], "stream", log)
    for each in CACHED:
        each.cache_clear()
    yield Function(told, url, log)
    for each in CACHED:
        each.cache_clear()


def event(of: Event) -> str:
    """An event as EventBridge puts it into the queue."""
    return json.dumps({"source": "referral-delivery", "detail-type": of.detail_type, "detail": of.to_detail()})


def late(client: str) -> FileLate:
    return FileLate.of(client, due=utc("2026-11-20 06:00"), at=utc("2026-11-20 06:33"))


def test_an_event_becomes_a_message_for_each_channel_so_that_none_waits_for_another(function: Function) -> None:
    key = RosterKey(label="crm", fingerprint="SHA256:x", expires=date(2026, 11, 27))
    ends = KeyExpiring.of("hooked", key, at=utc("2026-11-20 06:00"), step=7)
    function.send(event(ends))
    assert function.run() == []
    found = function.waiting()
    assert {(each.channel, each.id) for each in found} == {(Channel.WEBHOOK, ends.id), (Channel.CONTACT, ends.id)}


def test_a_webhook_arrives_signed_by_either_of_two_secrets_with_the_events_id(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.told.write_secret(f"{SECRET} {NEXT}")
    of = late("hooked")
    function.send(Notice.of(of, Channel.WEBHOOK).model_dump_json())
    with receiving(tmp_path) as receiver:
        sender = replace(notify.notifier(), webhooks=sender_to(receiver))
        monkeypatch.setattr(notify, "notifier", lambda: sender)
        assert function.run() == []
        ((path, headers, body),) = receiver.got
    assert path == "/hook"
    for secret in (SECRET, NEXT):
        verified = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
        assert verified == {"type": "file_late", "timestamp": "2026-11-20T06:33:00Z", "data": of.to_detail()}
    assert {name.lower(): value for name, value in headers.items()}["webhook-id"] == of.id
    assert SECRET not in function.log.getvalue()


def test_a_notice_that_fails_is_hidden_and_tried_again_and_keeps_no_other_from_arriving(function: Function) -> None:
    function.told.write_secret(SECRET)
    bad, good = Notice.of(late("inside"), Channel.WEBHOOK), Notice.of(late("mailed"), Channel.MAIL)
    before = len(function.told.mails(FILES))
    function.send(bad.model_dump_json(), "{no JSON", good.model_dump_json())
    assert sorted(function.run()) == sorted([bad.model_dump_json(), "{no JSON"])
    assert len(function.told.mails(FILES)) == before + 1
    assert function.run() == [], "both are hidden"
    again = [each for each in function.said() if each["message"].startswith("notice has not arrived")]
    (odd,) = [each for each in again if "client" not in each]
    assert odd["reason"] == "JSONDecodeError, see above"
    (said,) = [each for each in again if "client" in each]
    assert (said["client"], said["channel"], said["tries"]) == ("inside", "webhook", 1)
    assert said["reason"] == "127.0.0.1: resolves to 127.0.0.1, which is no public address; nothing was sent"


def test_after_the_last_try_it_is_a_finding_and_sqs_may_put_it_among_the_failed_at_once(function: Function) -> None:
    function.told.write_secret("no secret")
    notice = Notice.of(late("hooked"), Channel.WEBHOOK)
    function.send(notice.model_dump_json())
    assert function.run(tries=TRIES) == [notice.model_dump_json()]
    assert function.waiting() == [notice], "visible: the next look of SQS moves it"
    (said,) = [each for each in function.said() if each["message"] == "found"]
    assert (said["finding"], said["client"], said["id"]) == ("notice_failed", "hooked", notice.id)
    assert "no secret" not in function.log.getvalue()


@pytest.mark.parametrize("client", ["gone", "silent"])
def test_what_nobody_is_to_be_told_any_more_is_dropped(function: Function, client: str) -> None:
    function.send(Notice.of(late(client), Channel.WEBHOOK).model_dump_json(), event(late(client)))
    assert function.run() == []
    assert function.waiting() == []


def test_the_deployed_queue_gives_up_after_as_many_tries_as_the_function_makes(told: Told) -> None:
    sqs, names = told.client("sqs"), ["RedrivePolicy", "VisibilityTimeout"]
    url = environment_of(told.stack, told.stack["notify_function_name"])["NOTICES_QUEUE_URL"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    redrive = json.loads(found["RedrivePolicy"])
    assert int(redrive["maxReceiveCount"]) == TRIES
    assert told.stack["notify_failure_queue_url"].endswith(redrive["deadLetterTargetArn"].rpartition(":")[2])


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        ("UTC", "2026-11-20 18:00"),
        ("Australia/Sydney", "2026-11-20 07:00"),
        ("America/New_York", "2026-11-20 23:00"),
        ("America/New_York", "2026-07-20 22:00"),
        ("Asia/Kolkata", "2026-11-20 13:00"),
    ],
)
def test_a_digest_lists_the_files_of_the_day_that_ends_at_six_in_the_clients_zone(
    told: Told, zone: str, hour: str
) -> None:
    end = utc(hour)
    lab = replace(told.lab(f"lab-{uuid.uuid4().hex[:12]}"), now=end)
    schedule = {"every": "1h", "timezone": zone}
    daily = {"email": {"to": FILES, "files": "daily"}}
    first = f"{end - timedelta(days=3):%Y-%m-%d}"
    fields = {"contract": lab.contract(deliver_from=first), "contact": CONTACT, "schedule": schedule, "notices": daily}
    entry, watching = Entry.model_validate(fields), told.stack.watching
    for before in (25, 24, 12, 1, 0):
        lab.now = end - timedelta(hours=before)
        lab.put_referrals(f"{lab.now - timedelta(hours=1):%Y-%m-%d %H}", f"{before}")
        lab.deliver(entry.contract, due=lab.now)
    (notice,) = digests([entry], watching, end)
    sequences = [file["sequence"] for file in notice.data["files"]]
    assert sequences == [2, 3, 4], "the one of the hour itself is tomorrow's"
    assert notice.id == f"digest/{lab.client}/{end:%Y-%m-%dT%H:%M:%SZ}"
    for other in (end - timedelta(hours=1), end + timedelta(hours=1)):
        assert list(digests([entry], watching, other)) == []
    assert list(digests([entry], watching, end + timedelta(days=2))) == [], "no file, no mail"


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        # Clocks go back on 2026-04-05, and forward on 2026-10-04: the day is one of 25 hours, and of 23.
        ("Australia/Sydney", ["2026-04-04 07:00", "2026-04-05 08:00", "2026-04-06 08:00"]),
        ("Australia/Sydney", ["2026-10-03 08:00", "2026-10-04 07:00", "2026-10-05 07:00"]),
    ],
)
def test_each_file_is_in_one_digest_also_where_clocks_are_changed(told: Told, zone: str, days: list[str]) -> None:
    lab = replace(told.lab(f"lab-{uuid.uuid4().hex[:12]}"), now=utc(days[0]))
    contract = lab.contract(deliver_from=days[0][:10])
    daily = {"email": {"to": FILES, "files": "daily"}}
    schedule = {"every": "1h", "timezone": zone}
    entry = Entry.model_validate({"contract": contract, "contact": CONTACT, "schedule": schedule, "notices": daily})
    made = []
    while lab.now < utc(days[-1]):
        lab.put_referrals(f"{lab.now - timedelta(hours=1):%Y-%m-%d %H}", f"{lab.now:%d %H}")
        if lab.deliver(contract, due=lab.now).deliveries:
            made += [each.sequence for each in lab.ledger.deliveries(lab.client)[-1:]]
        lab.now += timedelta(hours=1)
    listed = [
        file["sequence"]
        for day in days
        for notice in digests([entry], told.stack.watching, utc(day))
        for file in notice.data["files"]
    ]
    assert listed == made


def test_the_deployed_function_queues_digests_with_its_own_rights(told: Told) -> None:
    answer = told.stack.functions.invoke(
        FunctionName=told.stack["notify_function_name"], Payload=b'{"digest": "2026-11-20T18:00:00Z"}'
    )
    assert json.loads(answer["Payload"].read()) == {"digests": 0}
