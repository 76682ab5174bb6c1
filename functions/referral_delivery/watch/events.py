"""Events: what is told on EventBridge's default bus, by the ledger's stream and by the watch.

At least once, and each with an id that stays the same however often it is told. No event holds personal data.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from referral_delivery.agreement.notices import Occurrence
from referral_delivery.agreement.recipient import Recipient
from referral_delivery.errors import EventsNotTaken
from referral_delivery.ledger.items import record_key
from referral_delivery.ledger.records import Delivery
from referral_delivery.watch.roster import RosterKey
from referral_delivery.window import to_text

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "referral-delivery"
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
MAX_ENTRIES = 10
_ROUNDS = 3

_Moment = Annotated[
    AwareDatetime,
    PlainSerializer(to_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Event(BaseModel):
    """What every event says; `id` is that of the occurrence, and tells a repeated event from a new one."""

    model_config = ConfigDict(
        frozen=True, populate_by_name=True, serialize_by_alias=True, json_schema_serialization_defaults_required=True
    )

    occurrence: ClassVar[Occurrence]
    detail_type: ClassVar[str]

    version: Literal[1] = 1
    id: str = Field(description="The same however often the event is told")
    client: str
    at: _Moment = Field(description="When it came about, or was found, UTC")

    def to_detail(self) -> dict[str, Any]:
        """The event as plain JSON data, which holds its detail type's schema."""
        return self.model_dump(mode="json")

    def to_entry(self, *, table_arn: str) -> "PutEventsRequestEntryTypeDef":
        """The event as an entry of PutEvents; the ledger's ARN tells whose it is, as an account has one default bus."""
        return {
            "Source": SOURCE,
            "Resources": [table_arn],
            "DetailType": self.detail_type,
            "Detail": json.dumps(self.to_detail(), ensure_ascii=False),
            "Time": self.at,
        }


class _OfFile(Event):
    file: str = Field(description="Name of the file in the client's folder")
    sequence: int | None = Field(description="Number of the delivery; null for a backfill")
    occasion: str = Field(description="scheduled, manual or backfill")
    window_start: _Moment = Field(description="First moment of arrival, UTC, included")
    window_end: _Moment = Field(description="Last moment of arrival, UTC, not included")
    rows: int = Field(description="Referrals in the file, without the header")
    size_bytes: int = Field(alias="bytes", description="Size of the file")
    sha256: str | None = Field(description="SHA-256 of the file's bytes, lower-case hex")
    published_at: _Moment = Field(description="When the client could see the file, UTC")

    @classmethod
    def of(cls, delivery: Delivery, *, at: datetime | None = None) -> Self:
        """The event of a delivery that has a file, found `at` a moment, or come about when it was published."""
        if delivery.key is None:
            raise ValueError(f"{delivery.client}: an empty run has no file")
        id_ = f"{cls.occurrence}/{delivery.client}/{record_key(delivery.occasion, delivery.window)}"
        return cls(
            # A backfill whose file has expired is made again under the same record.
            id=id_ if delivery.sequence is not None else f"{id_}#{to_text(delivery.published_at)}",
            client=delivery.client,
            at=at or delivery.published_at,
            file=delivery.key.rsplit("/", 1)[-1],
            sequence=delivery.sequence,
            occasion=delivery.occasion,
            window_start=delivery.window.start,
            window_end=delivery.window.end,
            rows=delivery.rows,
            size_bytes=delivery.size_bytes,
            sha256=delivery.sha256,
            published_at=delivery.published_at,
        )


class FileAvailable(_OfFile):
    """A client's file can be fetched."""

    occurrence, detail_type = Occurrence.FILE_AVAILABLE, "Referral File Available"


class FileNotCollected(_OfFile):
    """A client has not fetched its file whole for as long as its client file gives it."""

    occurrence, detail_type = Occurrence.NOT_COLLECTED, "Referral File Not Collected"


class FileLate(Event):
    """A file that was due has not been delivered."""

    occurrence, detail_type = Occurrence.FILE_LATE, "Referral File Late"

    due: _Moment = Field(description="When the schedule asked for it, UTC")
    overdue_seconds: int = Field(description="How long that was ago", ge=0)

    @classmethod
    def of(cls, client: str, *, due: datetime, at: datetime) -> Self:
        """The event of a due time, found `at` a moment."""
        id_ = f"{cls.occurrence}/{client}/{to_text(due)}"
        return cls(id=id_, client=client, at=at, due=due, overdue_seconds=int((at - due).total_seconds()))


class _OfKey(Event):
    label: str = Field(description="What the client file calls the key")
    fingerprint: str = Field(description="SHA-256 fingerprint of the public key, as OpenSSH shows it")
    expires: date = Field(description="First day, UTC, without the key")
    days_left: int = Field(description="Whole days until then, 0 from that day on", ge=0)

    @classmethod
    def of(cls, client: str, key: RosterKey, *, at: datetime, step: int = 0) -> Self:
        """The event of a key that expires, found `at` a moment; each `step` (30, 7, 1 days) is told once."""
        if key.expires is None:
            raise ValueError(f"{client}: the key {key.label!r} never expires")
        return cls(
            id=f"{cls.occurrence}/{client}/{key.fingerprint}/{key.expires}/{step}",
            client=client,
            at=at,
            label=key.label,
            fingerprint=key.fingerprint,
            expires=key.expires,
            days_left=max((key.expires - at.date()).days, 0),
        )


class KeyExpiring(_OfKey):
    """A client's SSH key ends soon."""

    occurrence, detail_type = Occurrence.KEY_EXPIRING, "SSH Key Expiring"


class KeyExpired(_OfKey):
    """A client's SSH key has ended, and no longer opens its folder."""

    occurrence, detail_type = Occurrence.KEY_EXPIRED, "SSH Key Expired"


class _OfPgpKey(Event):
    fingerprint: str = Field(description="Fingerprint of the OpenPGP key, as GnuPG shows it")
    expires: _Moment = Field(description="From when on nothing is encrypted to the key, UTC")
    days_left: int = Field(description="Whole days until then, 0 from its last day on", ge=0)

    @classmethod
    def of(cls, client: str, key: Recipient, *, at: datetime, step: int = 0) -> Self:
        """The event of a key that expires, found `at` a moment; each `step` (30, 7, 1 days) is told once."""
        if key.expires is None:
            raise ValueError(f"{client}: the PGP key {key.fingerprint} never expires")
        return cls(
            id=f"{cls.occurrence}/{client}/{key.fingerprint}/{to_text(key.expires)}/{step}",
            client=client,
            at=at,
            fingerprint=key.fingerprint,
            expires=key.expires,
            days_left=max((key.expires - at).days, 0),
        )


class PgpKeyExpiring(_OfPgpKey):
    """A PGP key that a client's files are encrypted to expires soon."""

    occurrence, detail_type = Occurrence.PGP_KEY_EXPIRING, "PGP Key Expiring"


class PgpKeyExpired(_OfPgpKey):
    """A PGP key that a client's files are encrypted to has expired: until it is replaced, no file is delivered."""

    occurrence, detail_type = Occurrence.PGP_KEY_EXPIRED, "PGP Key Expired"


TYPES: dict[str, type[Event]] = {
    each.detail_type: each
    for each in (
        *(FileAvailable, FileLate, FileNotCollected),
        *(KeyExpiring, KeyExpired, PgpKeyExpiring, PgpKeyExpired),
    )
}


def read(detail_type: str, detail: dict[str, Any]) -> Event:
    """The event that `to_entry` wrote, in this or a later version."""
    return TYPES[detail_type].model_validate(detail)


def put(client: "EventBridgeClient", events: Iterable[Event], *, table_arn: str) -> None:
    """Put events on the default bus, in as many calls as needed; EventsNotTaken for those that it keeps refusing.

    `table_arn` is the ledger's: the rule of a stack takes the events of its own ledger alone.
    """
    waiting = list(events)
    answers: list[tuple[Event, str]] = []
    for _ in range(_ROUNDS):
        answers = [refused for batch in _batches(waiting) for refused in _put(client, batch, table_arn)]
        waiting = [event for event, _ in answers]
    if waiting:
        raise EventsNotTaken({event.id: error for event, error in answers})


def _put(client: "EventBridgeClient", batch: list[Event], table_arn: str) -> list[tuple[Event, str]]:
    """Those of a batch that the bus has not taken; an answer is a success even where it refuses single entries."""
    answer = client.put_events(Entries=[event.to_entry(table_arn=table_arn) for event in batch])
    return [
        (event, entry["ErrorCode"])
        for event, entry in zip(batch, answer["Entries"], strict=True)
        if entry.get("ErrorCode")
    ]


def _batches(events: list[Event]) -> Iterator[list[Event]]:
    for first in range(0, len(events), MAX_ENTRIES):
        yield events[first : first + MAX_ENTRIES]


def json_schema(detail_type: str) -> str:
    """The JSON Schema of a detail type, as committed in docs/events/."""
    schema = TYPES[detail_type].model_json_schema(mode="serialization")
    schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", detail_type
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def schema_name(detail_type: str) -> str:
    """The file in docs/events/ that has the schema of a detail type."""
    return f"{TYPES[detail_type].occurrence}.schema.json"
