"""Notices: who is told of an event, on which channel. A message of the queue is one notice on one channel."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from referral_delivery.agreement.notices import MailRhythm, Occurrence
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.watch.events import Event, FileAvailable
from referral_delivery.watch.roster import Entry
from referral_delivery.window import to_text

# A notice that fails is tried again after a minute, two, four …, at last every hour. The last of so many times is a day
# after the first one; then SQS puts it among the failed ones.
TRIES = 30
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
# What the contact is told, whatever else the client file asks for: without its next key the client is locked out, or
# gets no more files.
_OF_KEYS = (
    Occurrence.KEY_EXPIRING,
    Occurrence.KEY_EXPIRED,
    Occurrence.PGP_KEY_EXPIRING,
    Occurrence.PGP_KEY_EXPIRED,
)

DIGEST, TEST = "digest", "test"
# When a day's files are mailed about, in the client's zone.
DIGEST_HOUR = 18


class Channel(StrEnum):
    """How a notice reaches whom it is for."""

    WEBHOOK = "webhook"
    MAIL = "mail"
    CONTACT = "contact"


class Notice(BaseModel):
    """One notice on one channel; `id` is the event's, and stays the same however often it is sent.

    `type` is an occurrence, or digest, or test; `data` are the event's facts. Where to is not in it: that is looked up
    when it is sent, so that a mended address reaches what waits.
    """

    model_config = ConfigDict(frozen=True)

    channel: Channel
    client: str
    id: str
    type: str
    at: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event, channel: Channel) -> Self:
        """What an event says, on a channel."""
        detail = event.to_detail()
        return cls(
            channel=channel, client=event.client, id=event.id, type=event.occurrence, at=detail["at"], data=detail
        )


def spread(event: Event, entry: Entry) -> Iterator[Notice]:
    """A notice for each channel on which an event is told."""
    asked = entry.notices
    if asked and asked.webhook and event.occurrence in asked.webhook.on:
        yield Notice.of(event, Channel.WEBHOOK)
    by_mail = asked is not None and asked.email is not None and event.occurrence in asked.email.on
    if by_mail and not _told_by_digest(event, entry):
        yield Notice.of(event, Channel.MAIL)
    if event.occurrence in _OF_KEYS and not (by_mail and entry.contact in addresses(entry)):
        yield Notice.of(event, Channel.CONTACT)


def addresses(entry: Entry) -> tuple[str, ...]:
    """Who gets the client's mail."""
    return entry.notices.email.to if entry.notices and entry.notices.email else ()


def wants_digest(entry: Entry) -> bool:
    """Whether a client's files are mailed about once a day."""
    mail = entry.notices.email if entry.notices else None
    return mail is not None and mail.files is MailRhythm.DAILY and Occurrence.FILE_AVAILABLE in mail.on


def _told_by_digest(event: Event, entry: Entry) -> bool:
    # A backfill is asked for, and waited for.
    return isinstance(event, FileAvailable) and event.occasion != Occasion.BACKFILL and wants_digest(entry)


def digest(entry: Entry, files: list[FileAvailable], hour: datetime) -> Notice:
    """The files of the day that ends at an hour, in one notice."""
    return Notice(
        channel=Channel.MAIL,
        client=entry.client,
        id=f"{DIGEST}/{entry.client}/{to_text(hour)}",
        type=DIGEST,
        at=to_text(hour),
        data={"client": entry.client, "files": [file.to_detail() for file in files]},
    )


def trial(entry: Entry, channel: Channel, *, id_: str, at: datetime) -> Notice:
    """A notice that says that it is a test."""
    data = {"id": id_, "client": entry.client, "at": to_text(at), "message": "This is a test; there is nothing to do."}
    return Notice(channel=channel, client=entry.client, id=id_, type=TEST, at=to_text(at), data=data)


def channels(entry: Entry, *, mails: bool) -> list[Channel]:
    """The channels on which a client can be told; mail only where the stack has a sender."""
    asked = entry.notices
    found = {
        Channel.WEBHOOK: asked is not None and asked.webhook is not None,
        Channel.MAIL: mails and bool(addresses(entry)),
        Channel.CONTACT: mails,
    }
    return [channel for channel, there in found.items() if there]


def pause(tries: int) -> timedelta:
    """How long to wait after so many tries, from 1."""
    doubled: timedelta = _FIRST_PAUSE * 2 ** (min(tries, TRIES) - 1)
    return min(doubled, _LONGEST_PAUSE)
