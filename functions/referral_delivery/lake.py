"""The referral lake: which objects hold a window, and which of them a delivery is the first to read.

Layout: `referrals/client=<client>/dt=YYYY-MM-DD/hr=HH/*.parquet`, dt and hr from `received_at`. Objects are
immutable, and land at most `REACH` after the stamps that they hold.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from referral_delivery.errors import MissingLake, TooManyObjects, UnreadableObject
from referral_delivery.window import HOUR, Window, days_between, floor_to_hour

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PREFIX = "referrals"
REACH = timedelta(hours=48)

HASH_BYTES = 8
# A DynamoDB item holds 400 KB, and the pending record is part of the cursor's item: 20,000 hashes are 160 KB.
# Twice as many still fit, for objects that land after a window was fixed.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_NEW_OBJECTS = 20_000
MAX_NAMED_OBJECTS = 2 * MAX_NEW_OBJECTS

# No glob characters: DuckDB would expand them.
_KEY = re.compile(r"/dt=(\d{4}-\d{2}-\d{2})/hr=([01]\d|2[0-3])/[^/*?\[\]{}]+\.parquet")


@dataclass(frozen=True, order=True)
class LakeObject:
    """One Parquet object and the hour of the stamps that it holds."""

    key: str
    hour: datetime

    @property
    def name_hash(self) -> bytes:
        """The 8 bytes by which a delivery record names this object."""
        return hashlib.blake2b(self.key.encode(), digest_size=HASH_BYTES).digest()


@dataclass(frozen=True)
class Selection:
    """The objects of one delivery, each list in key order.

    Of `seen` objects, which an earlier delivery read, only those whose hour touches the window are here.
    """

    window: Window
    seen: list[LakeObject]
    new: list[LakeObject]

    @property
    def late(self) -> list[LakeObject]:
        """New objects that may hold referrals from before the window."""
        return [found for found in self.new if found.hour < self.window.start]


class Lake:
    """Reads the lake's listing."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def objects(self, client: str, window: Window) -> list[LakeObject]:
        """Objects of the hours from `window.start - REACH` to `window.end`, in key order.

        Lists one prefix per day. Raises MissingLake, or UnreadableObject for a key outside the layout.
        """
        first, found = first_hour(window), []
        for day in days_between(first, window.end):
            for key in self._keys(f"{PREFIX}/client={client}/dt={day:%Y-%m-%d}/"):
                if (lake_object := _parse(key)) and first <= lake_object.hour < window.end:
                    found.append(lake_object)
        return sorted(found)

    def url(self, lake_object: LakeObject) -> str:
        """The object as DuckDB reads it."""
        return f"s3://{self.bucket}/{lake_object.key}"

    def _keys(self, prefix: str) -> Iterable[str]:
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield entry["Key"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                raise MissingLake(
                    f"lake bucket {self.bucket!r} does not exist; check the stack's `lake_bucket` setting"
                ) from error
            raise


def first_hour(window: Window) -> datetime:
    """The earliest hour whose objects a delivery of this window lists."""
    return floor_to_hour(window.start - REACH)


def select(listed: Iterable[LakeObject], window: Window, *, already_read: Collection[bytes]) -> Selection:
    """Divide a listing into what earlier deliveries have read and what this one is the first to read."""
    seen, new = [], []
    for lake_object in listed:
        if lake_object.hour >= window.end:
            continue
        if lake_object.name_hash not in already_read:
            new.append(lake_object)
        elif lake_object.hour + HOUR > window.start:
            seen.append(lake_object)
    if len(new) > MAX_NAMED_OBJECTS:
        hour, count = Counter(lake_object.hour for lake_object in new).most_common(1)[0]
        raise TooManyObjects(
            f"{len(new):,} new objects up to {window.end:%Y-%m-%d %H:%M} UTC, {count:,} of them in hour "
            f"{hour:%Y-%m-%d %H}:00; a delivery can name {MAX_NAMED_OBJECTS:,}; write fewer, larger objects"
        )
    return Selection(window, seen, new)


def drawn_in(
    listed: Iterable[LakeObject],
    window: Window,
    *,
    already_read: Collection[bytes],
    limit: int = MAX_NEW_OBJECTS,
) -> Window:
    """The window, its end drawn in to an hour boundary where it has more new objects than a record can name."""
    per_hour = Counter(found.hour for found in listed if found.name_hash not in already_read)
    hours = sorted(per_hour)
    for hour, total in zip(hours, accumulate(per_hour[hour] for hour in hours), strict=True):
        if total > limit and hour > window.start:
            return Window(window.start, min(hour, window.end))
    return window


def _parse(key: str) -> LakeObject | None:
    parts = key.rsplit("/client=", 1)[1].split("/")
    if key.endswith("/") or not key.endswith(".parquet") or any(part.startswith(("_", ".")) for part in parts):
        return None  # folder markers and a writer's work in progress
    match = _KEY.search(key)
    if match is None:
        raise UnreadableObject(
            f"object {key!r} is outside the lake's layout; expected …/dt=YYYY-MM-DD/hr=HH/<name>.parquet"
        )
    return LakeObject(key, datetime.strptime(f"{match[1]} {match[2]}+0000", "%Y-%m-%d %H%z").astimezone(UTC))
