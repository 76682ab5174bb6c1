"""Ledger, uploads and lake in memory: the boundary behind which AWS lies, for tests of many thousand steps.

tests/stack/test_model.py proves that these answer as DynamoDB and S3 do.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from referral_delivery.agreement.contract import Contract
from referral_delivery.errors import CursorMovedBack, MissingAttribute, Overtaken
from referral_delivery.file.upload import NotCompleted, UploadedParts, Uploads
from referral_delivery.file.writer import FileWriter, Written
from referral_delivery.lake.objects import PREFIX, Lake, LakeObject, Selection, first_hour
from referral_delivery.ledger.records import Claim, Delivery, LeaseHeld, Position, Sealed
from referral_delivery.ledger.table import CLOCKS_DIFFER, Ledger
from referral_delivery.window import Window, floor_to_hour, midnight


@dataclass
class _Cursor:
    fence: int = 0
    attempts: int = 0
    in_vain: int = 0
    position: datetime | None = None
    sequence: int = 0
    sealed: Sealed | None = None
    requested_until: datetime | None = None
    contract: str | None = None
    last_rows: datetime | None = None
    owner: str | None = None
    expires: int = 0


class MemoryLedger(Ledger):
    """The ledger's promises, kept by a dict."""

    def __init__(self) -> None:
        self.cursors: dict[str, _Cursor] = {}
        self.made: dict[tuple[str, datetime], Delivery] = {}
        self._contracts = {}

    def claim(
        self, client: str, *, owner: str, now: float, expires: float, due: datetime, dead: LeaseHeld | None = None
    ) -> Claim | LeaseHeld:
        cursor = self.cursors.setdefault(client, _Cursor())
        held = cursor.owner not in (None, owner) and cursor.expires > int(now)
        if held and (dead is None or (cursor.fence, cursor.expires) != (dead.fence, dead.expires)):
            return LeaseHeld(str(cursor.owner), cursor.fence, cursor.expires)
        cursor.owner, cursor.expires = owner, int(expires)
        cursor.fence, cursor.attempts = cursor.fence + 1, cursor.attempts + 1
        cursor.requested_until = max(cursor.requested_until or due, due)
        return Claim(
            client=client,
            fence=cursor.fence,
            attempt=max(1, cursor.attempts - cursor.in_vain),
            position=cursor.position,
            sequence=cursor.sequence,
            sealed=cursor.sealed,
            requested_until=cursor.requested_until,
            contract=cursor.contract,
        )

    def request(self, client: str, until: datetime) -> None:
        cursor = self.cursors.setdefault(client, _Cursor())
        cursor.requested_until = max(cursor.requested_until or until, until)

    def renew(self, claim: Claim, *, expires: float) -> None:
        self._held(claim).expires = int(expires)

    def keep(self, contract: Contract, *, last: str | None = None) -> None:  # noqa: ARG002 - nothing is saved here
        self._contracts[contract.client, contract.hash] = contract

    def contract(self, client: str, name: str) -> Contract:
        return self._contracts[client, name]

    def seal(self, claim: Claim, sealed: Sealed) -> Claim:
        cursor = self._held(claim)
        cursor.sealed, cursor.contract = sealed, sealed.contract
        return replace(claim, sealed=sealed, contract=sealed.contract)

    def take_back(self, claim: Claim) -> Claim:
        self._held(claim).sealed = None
        return replace(claim, sealed=None)

    def commit(self, claim: Claim, delivery: Delivery, *, keep: bool, now: datetime) -> Claim | None:
        cursor, key = self._held(claim), (delivery.client, delivery.window.end)
        if cursor.position not in (None, delivery.window.start):
            raise Overtaken("the cursor stands elsewhere")
        if key in self.made:
            raise CursorMovedBack(delivery.client)
        self.made[key] = delivery
        more = self._is_more_asked(cursor, delivery.window.end, now)
        cursor.position, cursor.sealed = delivery.window.end, None
        cursor.attempts = cursor.in_vain = 0
        cursor.sequence = claim.sequence if delivery.sequence is None else delivery.sequence
        cursor.contract = delivery.contract
        cursor.last_rows = delivery.window.end if delivery.rows else cursor.last_rows
        if not (keep or more):
            cursor.owner = None
            return None
        return replace(
            claim,
            position=cursor.position,
            sequence=cursor.sequence,
            sealed=None,
            attempt=1,
            contract=cursor.contract,
            requested_until=claim.requested_until if keep else cursor.requested_until,
        )

    def release(self, claim: Claim, *, done: datetime, now: datetime) -> datetime | None:
        cursor = self.cursors[claim.client]
        if cursor.fence != claim.fence:
            return None
        if self._is_more_asked(cursor, done, now):
            return cursor.requested_until
        cursor.owner = None
        cursor.attempts = cursor.in_vain = 0
        return None

    def abandon(self, claim: Claim, *, in_vain: bool = False) -> None:
        cursor = self.cursors[claim.client]
        if cursor.fence == claim.fence:
            cursor.owner = None
            cursor.in_vain += in_vain

    def holds(self, claim: Claim) -> bool:
        return self.cursors[claim.client].fence == claim.fence

    def already_read(self, client: str, *, since: datetime, until: datetime | None = None) -> set[bytes]:
        found = [each for each in self.deliveries(client, since=since) if until is None or each.window.end <= until]
        return {name_hash for each in found for name_hash in each.objects}

    def deliveries(self, client: str, *, since: datetime | None = None) -> list[Delivery]:
        mine = [each for (name, _), each in self.made.items() if name == client]
        return sorted((each for each in mine if since is None or each.window.end >= since), key=lambda e: e.window.end)

    def position(self, client: str) -> Position:
        cursor = self.cursors.get(client, _Cursor())
        return Position(
            cursor=cursor.position,
            sequence=cursor.sequence,
            requested_until=cursor.requested_until,
            sealed_key=cursor.sealed.key if cursor.sealed else None,
            lease_owner=cursor.owner,
            lease_expires=cursor.expires if cursor.owner else None,
            attempts=cursor.attempts,
            in_vain=cursor.in_vain,
            last_rows=cursor.last_rows,
        )

    def positions(self, clients: Iterable[str]) -> dict[str, Position]:
        return {client: self.position(client) for client in clients}

    def _held(self, claim: Claim) -> _Cursor:
        cursor = self.cursors[claim.client]
        if cursor.fence != claim.fence:
            raise Overtaken("another run has taken the lease over")
        return cursor

    @staticmethod
    def _is_more_asked(cursor: _Cursor, done: datetime, now: datetime) -> bool:
        asked = cursor.requested_until
        return asked is not None and done < asked <= now + CLOCKS_DIFFER


@dataclass
class MemoryUploads(Uploads):
    """S3's objects and uploads, as far as a delivery sees them."""

    bucket: str = "downloads"
    visible: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    in_progress: dict[str, tuple[str, bytes, dict[str, str]]] = field(default_factory=dict)
    conflicts: int = 0
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    def upload(
        self,
        key: str,
        blocks: Iterable[bytes],
        *,
        content_type: str,  # noqa: ARG002 - nobody asks the model for it
        metadata: Mapping[str, str],
    ) -> UploadedParts:
        body, upload_id = b"".join(blocks), f"upload-{next(self._ids)}"
        self.in_progress[upload_id] = (key, body, dict(metadata))
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return UploadedParts(upload_id, [etag], len(body), hashlib.sha256(body).hexdigest())

    def complete(self, key: str, parts: UploadedParts) -> str | NotCompleted:
        if self.conflicts:
            self.conflicts -= 1
            return NotCompleted.CONFLICT
        if parts.upload_id not in self.in_progress:
            return NotCompleted.NO_SUCH_UPLOAD
        if key in self.visible:
            return NotCompleted.NAME_TAKEN
        _, body, metadata = self.in_progress.pop(parts.upload_id)
        self.visible[key] = (body, metadata)
        return self.etag(key)

    def put_new(self, key: str, body: bytes, *, content_type: str) -> None:
        self.visible.setdefault(key, (body, {"content-type": content_type}))

    def etag(self, key: str) -> str:
        digest = hashlib.md5(self.visible[key][0], usedforsecurity=False).digest()
        return f"{hashlib.md5(digest, usedforsecurity=False).hexdigest()}-1"

    def metadata(self, key: str) -> dict[str, str] | None:
        found = self.visible.get(key)
        return found[1] if found else None

    def abort(self, key: str, upload_id: str) -> None:  # noqa: ARG002 - S3 asks for both
        self.in_progress.pop(upload_id, None)


@dataclass
class FolderLake(Lake):
    """The lake as Parquet files below a folder."""

    folder: Path
    bucket: str = "lake"
    held: dict[str, LakeObject] = field(default_factory=dict)

    def objects(self, client: str, window: Window, *, deliver_from: date) -> list[LakeObject]:
        first = max(first_hour(window), midnight(deliver_from))
        listed = [each for each in self.held.values() if first <= each.hour < window.end]
        return sorted(each for each in listed if f"/client={client}/" in each.key)

    def url(self, lake_object: LakeObject) -> str:
        return str(self.folder / lake_object.key)

    def put(self, client: str, moment: datetime, body: bytes) -> None:
        """Land an object of referrals that are stamped at one moment."""
        hour = floor_to_hour(moment)
        key = f"{PREFIX}/client={client}/dt={hour:%Y-%m-%d}/hr={hour:%H}/{len(self.held):06d}.parquet"
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self.held[key] = LakeObject(key, hour, len(body))


# An attribute that no object of a MemoryLake has.
MISSING = "gender"


class MemoryLake:
    """One object for each row; what it holds is in the world."""

    bucket = "lake"

    def __init__(self, rows: Mapping[str, datetime]) -> None:
        self.stamps = {f"{name}.parquet": stamp for name, stamp in rows.items()}

    def objects(self, _client: str, window: Window, *, deliver_from: date) -> list[LakeObject]:
        """All of them that the window may need."""
        del deliver_from
        found = [LakeObject(key, stamp.replace(minute=0, second=0), 1) for key, stamp in self.stamps.items()]
        return sorted(each for each in found if each.hour < window.end)


@dataclass(frozen=True, kw_only=True)
class MemoryWriter(FileWriter):
    """Writes the names of a selection's rows."""

    def write(
        self,
        contract: Contract,
        selection: Selection,
        *,
        key: str,
        metadata: Mapping[str, str],
        skip_empty: bool,
        first_key: str | None = None,  # noqa: ARG002 - nothing is packed here
    ) -> Written | None:
        if any(column.source == MISSING for column in contract.attributes):
            raise MissingAttribute(MISSING)
        window, stamps = selection.window, self.lake.stamps  # type: ignore[attr-defined]
        rows = [each.key for each in selection.seen if window.start <= stamps[each.key] < window.end]
        rows += [each.key for each in selection.new if stamps[each.key] < window.end]
        if skip_empty and not rows:
            return None
        body = ["\n".join(rows).encode()]
        parts: UploadedParts = self.uploads.upload(key, body, content_type="text/csv", metadata=metadata)
        return Written(replace(parts, plain_hash=parts.sha256), len(rows), 0)
