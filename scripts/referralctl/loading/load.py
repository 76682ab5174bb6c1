"""One load: which objects a file's referrals become, which of them the lake has, and the upload of the others.

The name of an object follows from the file's bytes and its place from the referrals' hour, so a second load of the file
finds what the first one wrote. Referrals without stamps get one from the first load, which claims the file: an object
`client=<client>/_loads/<name>.json`, written on condition that there is none, holds the stamp for every later load.
No reader of the lake looks there: names that begin with `_` are a writer's own.
"""

import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from referral_delivery.lake.objects import REACH, Lake
from referral_delivery.window import floor_to_hour
from referralctl.errors import FileRefused
from referralctl.loading.staging import Staged, staged
from referralctl.loading.steps import Steps

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_REQUESTS_AT_ONCE = 8
# S3 answers 409 while another conditional write of the same key is under way.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_TRIES = 5


@dataclass(frozen=True)
class Planned:
    """An object of the lake that holds a file's referrals of one hour."""

    key: str
    hour: datetime
    rows: int
    new: bool


@contextmanager
def prepared(file: Path, s3: "S3Client", lake: Lake, client: str, *, now: datetime) -> Iterator["Load"]:
    """The load of a file that fits the lake's contract; FileRefused for another, with line and column."""
    steps = Steps()
    with (
        tempfile.TemporaryDirectory(prefix="lake-load-") as name,
        staged(file, folder := Path(name), now=now, steps=steps) as found,
    ):
        yield Load(s3, lake, client, now, found, folder, steps)


@dataclass
class Load:
    """A file's referrals on their way into a client's part of the lake; `now` is when they arrive."""

    s3: "S3Client"
    lake: Lake
    client: str
    now: datetime
    staged: Staged
    folder: Path
    steps: Steps
    stamp: datetime | None = None
    objects: list[Planned] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    @property
    def so_far(self) -> str:
        """What a load that ends early has done."""
        if not self.written:
            return "nothing was written"
        written, new = len(self.written), sum(planned.new for planned in self.objects)
        return f"{written:,} of {new:,} new objects were written; load the same file again: it adds only the rest"

    def plan(self, *, dry_run: bool = False, allow_too_late: bool = False) -> None:
        """Find out what is to be written; claims a file without stamps, unless in a dry run.

        Raises FileRefused where referrals would be too late ever to be delivered.
        """
        if not self.staged.stamped and self.staged.rows:
            self.stamp = (self._claimed() or self.now) if dry_run else self._claim()
        keys = {self._key(hour): (hour, rows) for hour, rows in self._hours().items()}
        with (
            self.steps.step("looking into the lake", total=len(keys)) as advance,
            ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool,
        ):
            for key, there in zip(keys, pool.map(self._is_there, keys), strict=True):
                self.objects.append(Planned(key, *keys[key], new=not there))
                advance(1)
        if not allow_too_late:
            self._refuse_too_late()

    def write(self) -> None:
        """Write and upload the new objects; `written` has the keys of those that are, whatever ends this."""
        new = [planned for planned in self.objects if planned.new]
        with self.steps.step(f"writing {len(new):,} objects", total=len(new)) as advance:
            for number, planned in enumerate(new):
                hour = planned.hour if self.staged.stamped else None
                self.staged.write(hour, self.folder / f"{number}.parquet", stamp=self.stamp)
                advance(1)
        with (
            self.steps.step(f"uploading {len(new):,} objects", total=len(new)) as advance,
            ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool,
        ):
            try:
                puts = [
                    pool.submit(self._upload, each, self.folder / f"{number}.parquet")
                    for number, each in enumerate(new)
                ]
                for put in as_completed(puts):
                    put.result()
                    advance(1)
            finally:
                pool.shutdown(cancel_futures=True)  # waits for what is under way

    def _upload(self, planned: Planned, path: Path) -> None:
        if self._put(planned.key, path):
            self.written.append(planned.key)

    def _hours(self) -> dict[datetime, int]:
        """Rows by hour; without stamps in the file, all of them in the hour of its own."""
        return {hour or floor_to_hour(cast("datetime", self.stamp)): rows for hour, rows in self.staged.hours.items()}

    def _key(self, hour: datetime) -> str:
        return f"{self.lake.client_prefix(self.client)}/dt={hour.date()}/hr={hour:%H}/{self.staged.digest}.parquet"

    @property
    def _claim_key(self) -> str:
        return f"{self.lake.client_prefix(self.client)}/_loads/{self.staged.digest}.json"

    def _claimed(self) -> datetime | None:
        """The stamp of an earlier load of this file, also of one that ended before it wrote anything else."""
        try:
            answer = self.s3.get_object(Bucket=self.lake.bucket, Key=self._claim_key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        return datetime.fromisoformat(json.loads(answer["Body"].read())["received_at"])

    def _claim(self) -> datetime:
        """Claim the file with a stamp; the answer is that of whoever came first."""
        body = json.dumps({"received_at": self.now.astimezone(UTC).isoformat(), "rows": self.staged.rows}).encode()
        if not self._put(self._claim_key, body) and (earlier := self._claimed()):
            return earlier
        return self.now

    def _is_there(self, key: str) -> bool:
        found = self.s3.list_objects_v2(Bucket=self.lake.bucket, Prefix=key, MaxKeys=1)
        return any(entry["Key"] == key for entry in found.get("Contents", ()))

    def _put(self, key: str, content: Path | bytes) -> bool:
        """Put an object unless it is there: objects of the lake never change."""
        for attempt in range(1, _TRIES + 1):
            body = content if isinstance(content, bytes) else content.open("rb")
            try:
                self.s3.put_object(Bucket=self.lake.bucket, Key=key, Body=body, IfNoneMatch="*")
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "PreconditionFailed":
                    return False
                if code != "ConditionalRequestConflict" or attempt == _TRIES:
                    raise
            else:
                return True
            finally:
                if not isinstance(body, bytes):
                    body.close()
        raise AssertionError(key)

    def _refuse_too_late(self) -> None:
        """FileRefused where new objects hold referrals that no delivery from now on looks for."""
        new = [planned.hour for planned in self.objects if planned.new]
        if not new:
            return
        earliest, file = self.now - REACH, self.staged.source.file
        expected = f"arrival in the last {REACH.total_seconds() / 3600:.0f} hours: deliveries look no further back"
        if self.stamp:
            if self.stamp < earliest:
                raise FileRefused(
                    file,
                    found=f"a load begun at {self.stamp:%Y-%m-%d %H:%M} UTC that wrote nothing",
                    expected=expected,
                    do=f"delete s3://{self.lake.bucket}/{self._claim_key} and load the file again, with a new stamp",
                )
            return
        count, place = self.staged.older(earliest, new)
        if count:
            raise FileRefused(
                file,
                place=place,
                column="received_at",
                found=f"a referral that is too late ever to be delivered ({count:,} are)",
                expected=expected,
                do="give --allow-too-late if a backfill, or a client's first delivery, is to deliver them",
            )
