"""Ledger, uploads and lake in memory: the boundary behind which AWS lies, for tests of many thousand steps.

tests/stack/test_model.py proves that these answer as DynamoDB and S3 do.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from referral_delivery.errors import Overtaken
from referral_delivery.lake import PREFIX, Lake, LakeObject, first_hour
from referral_delivery.ledger import Ledger
from referral_delivery.records import Claim, Delivery, LeaseHeld, Pending, Position, Sealed
from referral_delivery.upload import Completion, UploadedParts, Uploads
from referral_delivery.window import Window, floor_to_hour


@dataclass
class _Cursor:
    fence: int = 0
    position: datetime | None = None
    sequence: int = 0
    pending: Pending | None = None
    owner: str | None = None
    expires: float = 0.0


class MemoryLedger(Ledger):
    """The ledger's promises, kept by a dict."""

    def __init__(self) -> None:
        self._cursors: dict[str, _Cursor] = {}
        self._deliveries: dict[tuple[str, datetime], Delivery] = {}

    def claim(self, client: str, *, owner: str, now: float, expires: float) -> Claim | LeaseHeld:
        cursor = self._cursors.setdefault(client, _Cursor())
        if cursor.owner not in (None, owner) and cursor.expires > int(now):
            return LeaseHeld(str(cursor.owner), cursor.expires)
        cursor.owner, cursor.expires, cursor.fence = owner, int(expires), cursor.fence + 1
        return Claim(client, cursor.fence, cursor.position, cursor.sequence, cursor.pending)

    def begin(self, claim: Claim, pending: Pending) -> None:
        self._held(claim).pending = pending

    def seal(self, claim: Claim, pending: Pending, sealed: Sealed, objects: frozenset[bytes]) -> Pending:
        done = replace(pending, sealed=sealed, objects=objects)
        self._held(claim).pending = done
        return done

    def unseal(self, claim: Claim, pending: Pending) -> Pending:
        done = replace(pending, sealed=None)
        self._held(claim).pending = done
        return done

    def commit(self, claim: Claim, delivery: Delivery) -> None:
        cursor, key = self._held(claim), (delivery.client, delivery.window.end)
        if key in self._deliveries or cursor.position not in (None, delivery.window.start):
            raise Overtaken("the cursor stands elsewhere")
        self._deliveries[key] = delivery
        cursor.position = delivery.window.end
        cursor.sequence = claim.sequence if delivery.sequence is None else delivery.sequence
        cursor.pending, cursor.owner, cursor.expires = None, None, 0.0

    def release(self, claim: Claim) -> None:
        cursor = self._cursors[claim.client]
        if cursor.fence == claim.fence:
            cursor.owner, cursor.expires = None, 0.0

    def holds(self, claim: Claim) -> bool:
        return self._cursors[claim.client].fence == claim.fence

    def already_read(self, client: str, *, since: datetime, until: datetime | None = None) -> set[bytes]:
        found = [each for each in self.deliveries(client, since=since) if until is None or each.window.end <= until]
        return {name_hash for each in found for name_hash in each.objects}

    def deliveries(self, client: str, *, since: datetime | None = None) -> list[Delivery]:
        mine = [each for (name, _), each in self._deliveries.items() if name == client]
        return sorted((each for each in mine if since is None or each.window.end >= since), key=lambda e: e.window.end)

    def position(self, client: str) -> Position:
        cursor = self._cursors.get(client, _Cursor())
        expires = cursor.expires if cursor.owner else None
        return Position(cursor.position, cursor.sequence, cursor.pending, cursor.owner, expires)

    def _held(self, claim: Claim) -> _Cursor:
        cursor = self._cursors[claim.client]
        if cursor.fence != claim.fence:
            raise Overtaken("another run has taken the lease over")
        return cursor


@dataclass
class MemoryUploads(Uploads):
    """S3's objects and uploads, as far as a delivery sees them."""

    bucket: str = "downloads"
    visible: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    in_progress: dict[str, tuple[str, bytes, dict[str, str]]] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    def upload(self, key: str, blocks: Iterable[bytes], *, metadata: Mapping[str, str]) -> UploadedParts:
        body, upload_id = b"".join(blocks), f"upload-{next(self._ids)}"
        self.in_progress[upload_id] = (key, body, dict(metadata))
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return UploadedParts(upload_id, [etag], len(body), hashlib.sha256(body).hexdigest())

    def complete(self, key: str, parts: UploadedParts) -> Completion:
        if parts.upload_id not in self.in_progress:
            return Completion.NO_SUCH_UPLOAD
        if key in self.visible:
            return Completion.NAME_TAKEN
        _, body, metadata = self.in_progress.pop(parts.upload_id)
        self.visible[key] = (body, metadata)
        return Completion.DONE

    def put_new(self, key: str, body: bytes, *, content_type: str) -> None:
        self.visible.setdefault(key, (body, {"content-type": content_type}))

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
    keys: dict[str, datetime] = field(default_factory=dict)

    def objects(self, client: str, window: Window) -> list[LakeObject]:
        first = first_hour(window)
        listed = [LakeObject(key, hour) for key, hour in self.keys.items() if first <= hour < window.end]
        return sorted(each for each in listed if f"/client={client}/" in each.key)

    def url(self, lake_object: LakeObject) -> str:
        return str(self.folder / lake_object.key)

    def put(self, client: str, moment: datetime, body: bytes) -> None:
        """Land an object of referrals that are stamped at one moment."""
        hour = floor_to_hour(moment)
        key = f"{PREFIX}/client={client}/dt={hour:%Y-%m-%d}/hr={hour:%H}/{len(self.keys):06d}.parquet"
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self.keys[key] = hour
