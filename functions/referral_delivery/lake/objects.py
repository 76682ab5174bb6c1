"""The referral lake: which objects hold a window, and which of them a delivery is the first to read.

Layout: `<prefix>/client=<client>/dt=YYYY-MM-DD/hr=HH/*.parquet`, dt and hr from `received_at`. Objects are
immutable, and land at most `REACH` after the stamps that they hold.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from referral_delivery.errors import MissingLake, UnreadableObject
from referral_delivery.window import Window, days_between, floor_to_hour, midnight

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Where a lake's referrals lie, unless a stack says otherwise.
PREFIX = "referrals"
REACH = timedelta(hours=48)

HASH_BYTES = 8

# No glob characters: DuckDB would expand them.
_KEY = re.compile(r"/dt=(\d{4}-\d{2}-\d{2})/hr=([01]\d|2[0-3])/[^/*?\[\]{}]+\.parquet")


@dataclass(frozen=True, order=True)
class LakeObject:
    """One Parquet object and the hour of the stamps that it holds."""

    key: str
    hour: datetime
    size_bytes: int

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

    def __init__(self, s3: "S3Client", bucket: str, *, prefix: str = PREFIX) -> None:
        self._s3 = s3
        self.bucket, self.prefix = bucket, prefix

    def objects(self, client: str, window: Window, *, deliver_from: date) -> list[LakeObject]:
        """Objects of the hours from `window.start - REACH`, or from `deliver_from`, to `window.end`, in key order.

        Lists from the first day on, a thousand keys a request, whatever came before. Raises MissingLake, or
        UnreadableObject for a key in one of the days that is outside the layout.
        """
        first, folder = max(first_hour(window), midnight(deliver_from)), f"{self.client_prefix(client)}/"
        days = [f"{folder}dt={day:%Y-%m-%d}/" for day in days_between(first, window.end)]
        found = []
        for key, size_bytes in self._entries(folder, days):
            if (hour := _hour_of(key)) and first <= hour < window.end:
                found.append(LakeObject(key, hour, size_bytes))
        return found

    def client_prefix(self, client: str) -> str:
        """The key below which a client's days lie."""
        return f"{self.prefix}/client={client}"

    def url(self, lake_object: LakeObject) -> str:
        """The object as DuckDB reads it."""
        return f"s3://{self.bucket}/{lake_object.key}"

    def _entries(self, folder: str, days: list[str]) -> Iterable[tuple[str, int]]:
        """What lies in days, which are in order, of a folder; S3 lists in key order."""
        if not days:
            return
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=folder, StartAfter=days[0]
        )
        try:
            for page in pages:
                for entry in page.get("Contents", ()):
                    if entry["Key"] > days[-1] and not entry["Key"].startswith(days[-1]):
                        return
                    if entry["Key"].startswith(tuple(days)):
                        yield entry["Key"], entry["Size"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                raise MissingLake(
                    f"lake bucket {self.bucket!r} does not exist; check the stack's `lake_bucket` setting"
                ) from error
            raise


def first_hour(window: Window) -> datetime:
    """The earliest hour whose objects a delivery of this window lists."""
    return floor_to_hour(window.start - REACH)


def _hour_of(key: str) -> datetime | None:
    """The hour that a key says; None for what is no object of the lake."""
    parts = key.rpartition("/client=")[2].split("/")
    if not key.endswith(".parquet") or any(part.startswith(("_", ".")) for part in parts):
        return None  # folder markers and a writer's work in progress
    match = _KEY.search(key)
    if match is None:
        raise UnreadableObject(
            f"object {key!r} is outside the lake's layout; expected …/dt=YYYY-MM-DD/hr=HH/<name>.parquet"
        )
    return datetime.strptime(f"{match[1]} {match[2]}+0000", "%Y-%m-%d %H%z").astimezone(UTC)
