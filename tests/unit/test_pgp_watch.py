"""What the watch finds about PGP keys, and who is told of it in which words."""

from datetime import timedelta

import jsonschema
import pytest

from referral_delivery.ledger.records import Position
from referral_delivery.watch import events, mail, notices
from referral_delivery.watch.events import Event, PgpKeyExpired, PgpKeyExpiring
from referral_delivery.watch.findings import FindingType, findings
from referral_delivery.watch.notices import Channel, Notice
from referral_delivery.watch.roster import Entry, Roster
from referral_delivery.window import to_text
from referralctl.status.view import _notes
from tests.pgp import recipient, secret_key
from tests.support import contract, utc

NOW = utc("2026-11-20 19:00")
OLD, ETERNAL = recipient(secret_key(days=400)), recipient(secret_key())


def entry(expires_in: timedelta, **told: object) -> Entry:
    ending = OLD.model_copy(update={"expires": NOW + expires_in})
    recipients = [each.model_dump(mode="json") for each in (ending, ETERNAL)]
    fields = {
        "contract": contract("acme", file={"pgp": {"recipients": recipients}}).model_dump(mode="json"),
        "contact": "crm@acme.example",
        "schedule": {"at": ["06:00"], "timezone": "Asia/Tokyo"},
    }
    made = Entry.model_validate(fields | ({"notices": told} if told else {}))
    return Roster.model_validate_json(Roster(clients=(made,)).to_bytes()).clients[0]


def position() -> Position:
    return Position(cursor=NOW, sequence=1, requested_until=None, sealed_key=None, lease_owner=None, lease_expires=None)


@pytest.mark.parametrize(
    ("left", "step"),
    [
        (timedelta(days=30, seconds=1), None),
        (timedelta(days=30), 30),
        (timedelta(days=7, hours=1), 30),
        (timedelta(days=7), 7),
        (timedelta(hours=25), 7),
        (timedelta(days=1), 1),
        (timedelta(seconds=1), 1),
        (timedelta(0), "expired"),
        (timedelta(days=-9), "expired"),
    ],
)
def test_a_pgp_key_is_told_at_30_7_and_1_days_and_from_its_moment_on_it_has_expired(
    left: timedelta, step: object
) -> None:
    seen = findings(entry(left), position(), (), since=NOW, first_seen=NOW, now=NOW)
    if step is None:
        assert seen == []
        return
    (finding,) = seen
    expired = step == "expired"
    assert finding.type is (FindingType.PGP_KEY_EXPIRED if expired else FindingType.PGP_KEY_EXPIRING)
    assert finding.id == (f"{finding.type.value}/acme/{OLD.fingerprint}/{to_text(NOW + left)}/{0 if expired else step}")
    assert finding.facts["days_left"] == max(left.days, 0)
    assert OLD.user_id not in str(finding.facts), "who holds the key is nobody's business on the bus"


def test_a_client_without_pgp_has_no_pgp_key() -> None:
    plain = entry(timedelta(0)).model_copy(update={"contract": contract("acme")})
    assert findings(plain, position(), (), since=NOW, first_seen=NOW, now=NOW) == []


def told(type_: type[PgpKeyExpiring | PgpKeyExpired], left: timedelta) -> Event:
    return type_.of("acme", OLD.model_copy(update={"expires": NOW + left}), at=NOW, step=7)


@pytest.mark.parametrize("type_", [PgpKeyExpiring, PgpKeyExpired])
def test_an_event_holds_its_schema_and_is_read_again(type_: type[PgpKeyExpiring | PgpKeyExpired]) -> None:
    event = told(type_, timedelta(days=6))
    detail = event.to_detail()
    jsonschema.validate(detail, events.TYPES[event.detail_type].model_json_schema(mode="serialization"))
    assert events.read(event.detail_type, detail) == event


def test_the_contact_is_told_whatever_the_client_file_asks_for() -> None:
    for event in (told(PgpKeyExpiring, timedelta(days=6)), told(PgpKeyExpired, timedelta(0))):
        (notice,) = notices.spread(event, entry(timedelta(days=6)))
        assert notice.channel is Channel.CONTACT
        asked = entry(timedelta(days=6), email={"to": "crm@acme.example", "on": [event.occurrence]})
        assert [each.channel for each in notices.spread(event, asked)] == [Channel.MAIL]


@pytest.mark.parametrize(
    ("event", "subject", "said"),
    [
        (told(PgpKeyExpiring, timedelta(days=6, hours=5)), "PGP key ends in 6 days", "then we encrypt to both"),
        (told(PgpKeyExpiring, timedelta(days=1)), "PGP key ends in 1 day", "The secret key never leaves your side"),
        (told(PgpKeyExpired, timedelta(0)), "PGP key has expired", "no file comes until we have another"),
    ],
)
def test_a_mail_says_that_it_is_about_a_pgp_key(event: Event, subject: str, said: str) -> None:
    made = mail.written(Notice.of(event, Channel.CONTACT), timezone="Asia/Tokyo", retention_days=14)
    assert made.subject == subject
    assert said in made.text
    assert f"Fingerprint: {OLD.fingerprint}" in made.text
    assert "SSH" not in made.text


@pytest.mark.parametrize(
    ("left", "note"),
    [
        (timedelta(days=6), "ends in 6 days"),
        (timedelta(days=1), "ends in 1 day"),
        (timedelta(0), "has expired: nothing is delivered"),
    ],
)
def test_the_status_has_a_note_of_it(left: timedelta, note: str) -> None:
    client = entry(left)
    found = findings(client, position(), (), since=NOW, first_seen=NOW, now=NOW)
    assert _notes(client, found, NOW) == [f"PGP key {OLD.fingerprint[-16:]} {note}"]
