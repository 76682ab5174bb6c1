"""Sends notices: webhooks, signed with a secret that is read when it is needed, and mail."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError

from referral_delivery.errors import NoticeFailed
from referral_delivery.ledger.watching import Watching
from referral_delivery.watch import mail, notices
from referral_delivery.watch.events import FileAvailable
from referral_delivery.watch.notices import Channel, Notice
from referral_delivery.watch.roster import Entry
from referral_delivery.watch.webhook import Sender, payload
from referral_delivery.window import floor_to_hour

if TYPE_CHECKING:
    from types_boto3_sesv2 import SESV2Client
    from types_boto3_ssm import SSMClient

DAY = timedelta(days=1)
# A record is found by its window's end, which may be so long before its file.
_PUBLISHED_AFTER = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What came of a notice: to whom, and what the other side said."""

    to: str
    seconds: float
    said: str


@dataclass(frozen=True, kw_only=True)
class Notifier:
    """Sends a notice to where its client's entry says; `sender` is the address that mail comes from, or empty."""

    parameters: "SSMClient"
    mails: "SESV2Client"
    webhooks: Sender
    sender: str
    retention_days: int

    def send(self, notice: Notice, entry: Entry) -> Sent | None:
        """Send a notice; None where the entry has no such channel any more. NoticeFailed where it has not arrived."""
        if notice.channel is Channel.WEBHOOK:
            return self._post(notice, entry)
        to = (entry.contact,) if notice.channel is Channel.CONTACT else notices.addresses(entry)
        return self._mail(notice, entry, to) if to and self.sender else None

    def _post(self, notice: Notice, entry: Entry) -> Sent | None:
        webhook = entry.notices.webhook if entry.notices else None
        if webhook is None:
            return None
        secret = self._secret(webhook.secret_parameter)
        body = payload(notice.type, timestamp=notice.at, data=notice.data)
        answer = self.webhooks.send(webhook.url, secret, id_=notice.id, body=body)
        return Sent(to="webhook", seconds=answer.seconds, said=f"{answer.status} {answer.text}".strip())

    def _secret(self, parameter: str) -> str:
        try:
            found = self.parameters.get_parameter(Name=parameter, WithDecryption=True)
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            raise NoticeFailed(
                f"{parameter}: the signing secret could not be read ({code}); do `aws ssm put-parameter --type "
                f"SecureString --name {parameter} --value whsec_…`"
            ) from error
        return found["Parameter"]["Value"]

    def _mail(self, notice: Notice, entry: Entry, to: Iterable[str]) -> Sent:
        said = mail.written(notice, timezone=entry.schedule.timezone, retention_days=self.retention_days)
        addresses, began = list(to), monotonic()
        try:
            self.mails.send_email(
                FromEmailAddress=self.sender,
                Destination={"ToAddresses": addresses},
                Content={
                    "Simple": {
                        "Subject": {"Data": " ".join(said.subject.split()), "Charset": "UTF-8"},
                        "Body": {
                            "Text": {"Data": said.text, "Charset": "UTF-8"},
                            "Html": {"Data": said.html, "Charset": "UTF-8"},
                        },
                    }
                },
            )
        except (BotoCoreError, ClientError) as error:
            raise NoticeFailed(f"mail from {self.sender}: {error}") from error
        return Sent(to=", ".join(addresses), seconds=monotonic() - began, said="taken by SES")


def digests(entries: Iterable[Entry], watching: Watching, hour: datetime) -> Iterator[Notice]:
    """A notice for each client whose day of files ends at this hour, and that has had some."""
    for entry in entries:
        local = hour.astimezone(ZoneInfo(entry.schedule.timezone))
        # Where clocks stand at the half hour, the full hour here is the first one within theirs.
        if local.hour != notices.DIGEST_HOUR or not notices.wants_digest(entry):
            continue
        # Yesterday's by the clock on the wall: a day in which it is put forward or back has 23 or 25 hours.
        since = (local - DAY).astimezone(UTC)
        made = watching.recent(entry.client, since=since - _PUBLISHED_AFTER)
        files = [FileAvailable.of(each) for each in made if each.key and since <= each.published_at < hour]
        if files:
            yield notices.digest(entry, files, hour)


def full_hour(scheduled_time: str, now: datetime) -> datetime:
    """The full hour that a schedule means: of its time, or where that was not put in, of now."""
    try:
        moment = datetime.fromisoformat(scheduled_time)
    except ValueError:
        moment = now
    return floor_to_hour(moment.astimezone(UTC))
