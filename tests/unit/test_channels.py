"""Which channels an event goes to, how long a failed notice waits, and what its mail says."""

from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from referral_delivery.ledger.records import Delivery
from referral_delivery.watch import mail, notices
from referral_delivery.watch.events import Event, FileAvailable, FileLate, FileNotCollected, KeyExpired, KeyExpiring
from referral_delivery.watch.notices import TRIES, Channel, Notice
from referral_delivery.watch.notifier import full_hour
from referral_delivery.watch.roster import Entry, RosterKey
from referral_delivery.window import Window
from tests.support import contract, utc

NOW = utc("2026-11-20 19:00")
ALL = ["file_available", "file_late", "not_collected", "key_expiring", "key_expired"]
CONTACT, FILES = "crm@acme.example", "files@acme.example"
WEBHOOK = {"url": "https://hooks.acme.example/x", "secret_parameter": "/referrals/acme/webhook"}
KEY = RosterKey(label="<b>crm</b>", fingerprint="SHA256:abc", expires=date(2026, 11, 27))


def entry(**told: Any) -> Entry:
    fields = {"contract": contract("acme"), "contact": CONTACT, "schedule": {"at": ["06:00"], "timezone": "Asia/Tokyo"}}
    return Entry.model_validate(fields | ({"notices": told} if told else {}))


def delivery(occasion: str = "scheduled") -> Delivery:
    return Delivery(
        client="acme",
        sequence=None if occasion == "backfill" else 7,
        occasion=occasion,
        window=Window(utc("2026-11-19 21:00"), utc("2026-11-20 18:30")),
        key="downloads/acme/referrals_7.csv",
        rows=1_234,
        size_bytes=56_789,
        sha256="ab" * 32,
        plain_hash=None,
        late_rows=0,
        contract="hash",
        objects=frozenset(),
        published_at=utc("2026-11-20 18:30"),
    )


EVENTS: dict[str, Event] = {
    "file_available": FileAvailable.of(delivery()),
    "file_late": FileLate.of("acme", due=utc("2026-11-20 18:00"), at=NOW),
    "not_collected": FileNotCollected.of(delivery(), at=NOW),
    "key_expiring": KeyExpiring.of("acme", KEY, at=NOW, step=7),
    "key_expired": KeyExpired.of("acme", KEY, at=utc("2026-11-27 00:03")),
}


def told(event: str | Event, to: Entry) -> list[str]:
    """The channels that an event goes to."""
    found = EVENTS[event] if isinstance(event, str) else event
    return [notice.channel.value for notice in notices.spread(found, to)]


def test_who_asked_for_nothing_is_told_nothing_but_that_a_key_ends() -> None:
    heard = {name: channels for name in EVENTS if (channels := told(name, entry()))}
    assert heard == {"key_expiring": ["contact"], "key_expired": ["contact"]}


def test_each_channel_is_told_what_was_asked_for_on_it() -> None:
    both = entry(webhook=WEBHOOK | {"on": ["file_late"]}, email={"to": FILES, "on": ["file_available", "file_late"]})
    assert {name: told(name, both) for name in ALL[:3]} == {
        "file_available": ["mail"],
        "file_late": ["webhook", "mail"],
        "not_collected": [],
    }


def test_a_contact_who_gets_the_clients_mail_is_told_of_a_key_once() -> None:
    same, other = (entry(email={"to": to, "on": ALL}) for to in (CONTACT, FILES))
    assert told("key_expiring", same) == ["mail"]
    assert told("key_expiring", other) == ["mail", "contact"]


def test_a_daily_digest_takes_the_place_of_the_mail_of_each_file_but_of_a_backfill() -> None:
    daily = entry(email={"to": FILES, "files": "daily", "on": ["file_available", "file_late"]})
    assert told("file_available", daily) == []
    assert told("file_late", daily) == ["mail"]
    assert told(FileAvailable.of(delivery("backfill")), daily) == ["mail"]


def test_a_notice_keeps_the_events_id_and_facts() -> None:
    (notice,) = notices.spread(EVENTS["file_available"], entry(webhook=WEBHOOK))
    assert (notice.id, notice.data) == (EVENTS["file_available"].id, EVENTS["file_available"].to_detail())
    assert Notice.model_validate_json(notice.model_dump_json()) == notice


def test_pauses_double_up_to_an_hour_and_the_last_try_is_a_day_after_the_first() -> None:
    minutes = [int(notices.pause(number).total_seconds() // 60) for number in range(1, TRIES)]
    assert minutes[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert timedelta(days=1) <= sum(map(notices.pause, range(1, TRIES)), timedelta()) < timedelta(days=1, hours=1)


def test_a_test_goes_to_the_channels_that_there_are() -> None:
    both = entry(webhook=WEBHOOK, email={"to": FILES})
    assert notices.channels(both, mails=True) == [Channel.WEBHOOK, Channel.MAIL, Channel.CONTACT]
    assert notices.channels(both, mails=False) == [Channel.WEBHOOK]
    assert notices.channels(entry(), mails=True) == [Channel.CONTACT]


@pytest.mark.parametrize(
    ("scheduled", "hour"),
    [
        ("2026-11-20T18:00:00Z", "2026-11-20 18:00"),
        ("2026-11-20T18:59:59Z", "2026-11-20 18:00"),
        ("<aws.scheduler.scheduled-time>", "2026-11-20 19:00"),
        ("", "2026-11-20 19:00"),
    ],
)
def test_a_digest_is_of_the_full_hour_that_its_schedule_means(scheduled: str, hour: str) -> None:
    assert full_hour(scheduled, utc("2026-11-20 19:07")) == utc(hour)


def written(event: Event | Notice) -> mail.Mail:
    notice = event if isinstance(event, Notice) else Notice.of(event, Channel.MAIL)
    return mail.written(notice, timezone="Asia/Tokyo", retention_days=14)


@pytest.mark.parametrize(
    ("event", "subject", "said"),
    [
        ("file_available", "Referral file referrals_7.csv is there", "There since: Sat 21 Nov 2026 03:30 Asia/Tokyo"),
        ("not_collected", "Referral file referrals_7.csv has not been fetched", "Referrals: 1,234"),
        (
            "file_late",
            "Referral file of Sat 21 Nov 2026 03:00 Asia/Tokyo (2026-11-20 18:00 UTC) is late",
            "nothing is lost, and the next file holds all that is missing",
        ),
        ("key_expiring", "SSH key <b>crm</b> ends in 7 days", "First day without it, UTC: 2026-11-27"),
        ("key_expired", "SSH key <b>crm</b> has ended", "Fingerprint: SHA256:abc"),
    ],
)
def test_a_mail_says_what_came_about_in_the_clients_time(event: str, subject: str, said: str) -> None:
    made = written(EVENTS[event])
    assert made.subject == subject
    assert said in made.text


def test_the_days_before_a_keys_end_are_counted_in_words() -> None:
    last = KeyExpiring.of("acme", KEY, at=utc("2026-11-26 10:00"), step=1)
    assert written(last).subject == "SSH key <b>crm</b> ends in 1 day"


def test_a_digest_lists_every_file() -> None:
    files = [FileAvailable.of(delivery())] * 2
    made = written(notices.digest(entry(), files, utc("2026-11-20 09:00")))
    assert made.subject == "2 referral files for you"
    assert made.text.count("File: referrals_7.csv") == 2
    assert written(notices.digest(entry(), files[:1], NOW)).subject == "1 referral file for you"


def test_an_event_that_only_a_later_version_knows_is_mailed_with_its_facts() -> None:
    later = Notice(channel=Channel.MAIL, client="acme", id="x", type="file_moved", at="", data={"file": "a.csv"})
    assert (written(later).subject, "file: a.csv" in written(later).text) == ("Notice for acme: file_moved", True)


class Texts(HTMLParser):
    """The text of a page, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: set[str] = set()

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        self.elements.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("event", ALL)
def test_the_html_says_what_the_text_says_and_markup_in_a_label_stays_text(event: str) -> None:
    made, page = written(EVENTS[event]), Texts()
    page.feed(made.html)
    assert page.elements == {"html", "title", "body", "p", "table", "tr", "th", "td", "br"}
    for table in made.tables:
        for name, value in table:
            assert {name, value} <= set(page.texts)
            assert f"{name}: {value}" in made.text
