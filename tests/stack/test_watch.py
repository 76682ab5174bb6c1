"""A day of the watch, on the emulator's ledger, server and functions: what is found, done and told."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from referral_delivery.agreement.public_key import parse
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.delivery.report import Status
from referral_delivery.errors import EventsNotTaken
from referral_delivery.ledger.records import Claim
from referral_delivery.ledger.watching import Watching
from referral_delivery.watch.events import Event
from referral_delivery.watch.findings import FindingType
from referral_delivery.watch.keys import ClientKeys
from referral_delivery.watch.roster import Entry, Roster, RosterKey
from referral_delivery.watch.watch import Round, Watch
from tests.stack.conftest import Lab
from tests.support import ed25519_key, utc

HOURLY = {"every": "1h", "timezone": "UTC"}


@dataclass
class Played:
    """The watch of one client; what it starts and tells is kept."""

    lab: Lab
    entry: Entry
    started: list[ExportEvent] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    # Clients of which the bus takes no event.
    refused: set[str] = field(default_factory=set)

    def round(self, at: datetime, *others: Entry) -> Round:
        """One round at a moment, over this client and others."""
        watch = Watch(
            watching=Watching(self.lab.stack.dynamodb, self.lab.stack["ledger_table"]),
            keys=ClientKeys(self.transfer, self.lab.stack["sftp_server_id"]),
            start=self.started.append,
            tell=self._tell,
            retention=timedelta(days=14),
        )
        return watch.run([*others, self.entry], at)

    @property
    def transfer(self) -> Any:
        """Transfer Family of the stack."""
        return self.lab.session.client("transfer", endpoint_url=self.lab.stack.s3.meta.endpoint_url)

    def _tell(self, events: Any) -> None:
        if self.refused & {each.client for each in events}:
            raise EventsNotTaken({each.id: "InternalFailure" for each in events})
        self.told += events


def types(found: Round) -> set[str]:
    return {each.type.value for each in found.found}


@pytest.fixture
def play(lab: Lab) -> Callable[..., Played]:
    """The watch of the laboratory's client, with what its client file says."""

    def made(**changed: Any) -> Played:
        fields = {"contract": lab.contract(), "contact": "crm@acme.example", "schedule": HOURLY}
        return Played(lab, Entry.model_validate(fields | changed))

    return made


def deliver(lab: Lab, due: str) -> None:
    """The schedule's run at a due time."""
    lab.now = utc(due) + timedelta(seconds=5)
    assert lab.deliver(due=utc(due), owner=due).status is Status.DELIVERED


def test_recent_deliveries_are_those_whose_windows_end_at_a_moment_or_later_without_what_is_large(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 08", "a")
    for hour in ("09", "10", "11"):
        deliver(lab, f"2026-11-20 {hour}:00")
    _, *later = lab.ledger.deliveries(lab.client)
    watching = Watching(lab.stack.dynamodb, lab.stack["ledger_table"])
    light = [replace(each, objects=frozenset(), contract="", sha256=None, plain_hash=None) for each in later]
    assert watching.recent(lab.client, since=utc("2026-11-20 10:00")) == light


def test_a_schedule_that_has_stopped_is_found_told_once_and_over_when_it_fires_again(
    lab: Lab, play: Callable[..., Played]
) -> None:
    played = play()
    played.round(utc("2026-11-20 08:00"))  # the client is new
    deliver(lab, "2026-11-20 09:00")
    assert types(played.round(utc("2026-11-20 10:28"))) == set()
    for minute in (33, 38):
        assert types(played.round(utc(f"2026-11-20 10:{minute}"))) == {"overdue"}
    (told,) = played.told
    assert (told.detail_type, told.client, told.to_detail()["due"]) == (
        "Referral File Late",
        lab.client,
        "2026-11-20T10:00:00Z",
    )
    deliver(lab, "2026-11-20 11:00")
    assert types(played.round(utc("2026-11-20 11:03"))) == set()
    assert len(played.told) == 1


def test_a_run_that_was_killed_is_started_again_with_its_due_time_and_delivers(
    lab: Lab, play: Callable[..., Played]
) -> None:
    played = play()
    deliver(lab, "2026-11-20 09:00")
    lab.put_referrals("2026-11-20 09", "a")
    lab.now = utc("2026-11-20 10:00")
    claim = lab.ledger.claim(
        lab.client, owner="killed", now=lab.now.timestamp(), expires=lab.now.timestamp() + 90, due=lab.now
    )
    assert types(played.round(utc("2026-11-20 10:01"))) == set(), "its lease lasts"
    assert types(played.round(utc("2026-11-20 10:03"))) == {"stuck"}
    (event,) = played.started
    assert (event.due, event.contract) == (utc("2026-11-20 10:00"), lab.contract())
    lab.now = utc("2026-11-20 10:04")
    assert lab.deliver(due=event.due, owner="started by the watch").status is Status.DELIVERED
    assert lab.delivered() == ["a"]
    assert types(played.round(utc("2026-11-20 10:08"))) == set()
    assert isinstance(claim, Claim)
    assert not lab.ledger.holds(claim)


def test_a_client_whose_runs_fail_is_started_less_and_less_often(lab: Lab, play: Callable[..., Played]) -> None:
    played, began = play(), utc("2026-11-20 10:00")
    for attempt in range(20):
        lab.ledger.claim(lab.client, owner=f"failing {attempt}", now=2, expires=1, due=began)
    for minutes in range(0, 240, 5):
        assert FindingType.STUCK in {each.type for each in played.round(began + timedelta(minutes=minutes + 3)).found}
    assert len(played.started) == 4, "once an hour"


def test_a_writer_that_has_stopped_is_found_once_deliveries_have_seen_nothing_for_long_enough(
    lab: Lab, play: Callable[..., Played]
) -> None:
    played = play(expect_within="3h")
    lab.put_referrals("2026-11-20 08", "a")
    for hour in ("09", "10", "11", "12"):
        deliver(lab, f"2026-11-20 {hour}:00")
        assert types(played.round(utc(f"2026-11-20 {hour}:03"))) == set()
    deliver(lab, "2026-11-20 13:00")
    found = played.round(utc("2026-11-20 13:03"))
    assert [(each.type.value, each.since) for each in found.found] == [("silent", utc("2026-11-20 09:00"))]
    assert played.told == [], "it is the platform team's affair"


def test_a_file_with_referrals_that_nobody_fetches_is_found_told_once_and_over_with_its_receipt(
    lab: Lab, play: Callable[..., Played]
) -> None:
    played = play(collect_within="2h")
    lab.put_referrals("2026-11-20 08", "a")
    deliver(lab, "2026-11-20 09:00")
    deliver(lab, "2026-11-20 10:00")  # empty: nobody has to fetch it
    assert "not_collected" not in types(played.round(utc("2026-11-20 11:00")))
    for minute in (5, 10):
        found = played.round(utc(f"2026-11-20 11:{minute:02d}"))
        assert found.count(FindingType.NOT_COLLECTED) == 1
    (told,) = [each for each in played.told if each.detail_type == "Referral File Not Collected"]
    assert told.to_detail()["file"] in lab.files()
    key = {"client": {"S": lab.client}, "record": {"S": "delivery#2026-11-20T09:00:00Z"}}
    lab.stack.dynamodb.update_item(
        TableName=lab.stack["ledger_table"],
        Key=key,
        UpdateExpression="SET first_collected_at = :at",
        ExpressionAttributeValues={":at": {"S": "2026-11-20T11:11:00Z"}},
    )
    for at in ("11:15", "12:15"):  # … nor the empty one, two hours later
        assert played.round(utc(f"2026-11-20 {at}")).count(FindingType.NOT_COLLECTED) == 0


def test_a_key_is_told_before_it_ends_and_taken_from_the_server_when_it_has(
    lab: Lab, play: Callable[..., Played]
) -> None:
    played, server = play(), lab.stack["sftp_server_id"]
    old, new = ed25519_key(), ed25519_key()
    role = played.transfer.describe_user(ServerId=server, UserName="acme")["User"]["Role"]
    played.transfer.create_user(ServerId=server, UserName=lab.client, Role=role, HomeDirectory="/x")
    for body in (old, new):
        played.transfer.import_ssh_public_key(ServerId=server, UserName=lab.client, SshPublicKeyBody=body)
    expiring = RosterKey(label="crm", fingerprint=parse(old).fingerprint, expires=date(2026, 11, 27))
    lasting = RosterKey(label="next", fingerprint=parse(new).fingerprint)
    played.entry = played.entry.model_copy(update={"keys": (expiring, lasting)})
    for day in ("20", "20", "21", "26", "27", "27", "28"):
        played.round(utc(f"2026-11-{day} 00:03"))
    of_keys = [(each.detail_type, each.to_detail()["days_left"]) for each in played.told if "Key" in each.detail_type]
    assert of_keys == [("SSH Key Expiring", 7), ("SSH Key Expiring", 1), ("SSH Key Expired", 0)]
    left = played.transfer.describe_user(ServerId=server, UserName=lab.client)["User"]["SshPublicKeys"]
    assert [parse(each["SshPublicKeyBody"]).fingerprint for each in left] == [lasting.fingerprint]


def test_what_the_bus_does_not_take_is_told_by_the_next_round_and_keeps_no_other_client_from_being_looked_after(
    lab: Lab, play: Callable[..., Played]
) -> None:
    played = play()
    other = played.entry.model_copy(
        update={"contract": lab.contract().model_copy(update={"client": f"{lab.client}-b"})}
    )
    played.round(utc("2026-11-20 08:00"), other)
    played.refused = {other.client}
    found = played.round(utc("2026-11-20 09:40"), other)
    assert [(client, type(error)) for client, error in found.failed] == [(other.client, EventsNotTaken)]
    assert [each.client for each in found.found] == [each.client for each in played.told] == [lab.client]
    played.refused.clear()
    assert not played.round(utc("2026-11-20 09:45"), other).failed
    assert [each.client for each in played.told] == [lab.client, other.client]


def test_the_deployed_watch_looks_after_every_roster_with_its_own_rights_and_tells_the_bus(
    lab: Lab, play: Callable[..., Played], system: dict[str, Any]
) -> None:
    expires = datetime.now(UTC).date() + timedelta(days=5)
    key = RosterKey(label="crm", fingerprint="SHA256:x", expires=expires)
    entry = play(keys=(key,), collect_within="1h").entry
    bucket, place = lab.stack["delivery_bucket"], f"roster/{lab.client}.json"
    lab.stack.s3.put_object(Bucket=bucket, Key=place, Body=Roster(clients=(entry,)).to_bytes())
    try:
        answer = lab.stack.functions.invoke(FunctionName=lab.stack["watch_function_name"], Payload=b"{}")
    finally:
        lab.stack.s3.delete_object(Bucket=bucket, Key=place)
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    assert said["clients"] > len(system["clients"])
    assert (set(said["found"]), said["found"]["key_expiring"]) == ({type_.value for type_ in FindingType}, 1)
    _, memory = Watching(lab.stack.dynamodb, lab.stack["ledger_table"]).look([lab.client])[lab.client]
    assert memory is not None
    assert memory.told == {f"key_expiring/{lab.client}/SHA256:x/{expires}/7"}, "kept once the bus has taken it"
