"""A stream → one S3 object by multipart upload, hashed on the way; invisible until it is completed."""

import hashlib
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# The folder of the delivery bucket that holds one folder for each client.
DOWNLOADS = "downloads"
# Parts are 5 MiB to 5 GiB, and 10,000 at most. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
# Ours double after each thousand, so that MAX_PARTS are 260 GB, more than a function writes in its time; the ledger has
# room for as many ETags.
PART_BYTES = 8 * 1024 * 1024
_PARTS_OF_A_SIZE = 1_000
MAX_PARTS = 5_000
_PARTS_IN_FLIGHT = 3


@dataclass(frozen=True)
class UploadedParts:
    """An upload that is whole but not completed: nobody can see it yet.

    `plain_hash` is of the bytes before they were compressed; what an older version wrote down has none.
    """

    upload_id: str
    etags: list[str]
    size_bytes: int
    sha256: str
    plain_hash: str | None = None


class NotCompleted(Enum):
    """Why S3 did not complete an upload."""

    NAME_TAKEN = auto()
    NO_SUCH_UPLOAD = auto()
    CONFLICT = auto()


class Uploads:
    """The delivery bucket's objects, as far as a delivery writes and looks at them."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def upload(
        self, key: str, blocks: Iterable[bytes], *, content_type: str, metadata: Mapping[str, str]
    ) -> UploadedParts:
        """Upload the stream as parts; a failure anywhere aborts the upload and is raised.

        Metadata is fixed when the upload is created, before a byte is known.
        """
        upload_id = self._s3.create_multipart_upload(
            Bucket=self.bucket, Key=key, ContentType=content_type, Metadata=dict(metadata)
        )["UploadId"]
        try:
            return self._upload_parts(key, upload_id, blocks)
        except BaseException:
            # Best effort: the error at hand is the one to report, and the bucket's lifecycle rule sweeps parts.
            with suppress(ClientError, BotoCoreError):
                self.abort(key, upload_id)
            raise

    def complete(self, key: str, parts: UploadedParts) -> str | NotCompleted:
        """Make the object visible, whole, unless an object of that name exists; the answer is its ETag."""
        try:
            completed = self._s3.complete_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                UploadId=parts.upload_id,
                IfNoneMatch="*",
                MultipartUpload={
                    "Parts": [{"ETag": etag, "PartNumber": n} for n, etag in enumerate(parts.etags, start=1)]
                },
            )
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "PreconditionFailed":
                    return NotCompleted.NAME_TAKEN
                case "NoSuchUpload":
                    return NotCompleted.NO_SUCH_UPLOAD
                # The parts must be uploaded again.
                # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
                case "ConditionalRequestConflict":
                    return NotCompleted.CONFLICT
            raise
        return _bare(completed["ETag"])

    def put_new(self, key: str, body: bytes, *, content_type: str) -> None:
        """Put a small object, unless one of that name exists or is being made: then the first stays."""
        try:
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise

    def metadata(self, key: str) -> dict[str, str] | None:
        """The user metadata of a visible object, or None where there is none."""
        try:
            return self._s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise

    def etag(self, key: str) -> str:
        """The ETag of a visible object."""
        return _bare(self._s3.head_object(Bucket=self.bucket, Key=key)["ETag"])

    def digest(self, key: str) -> tuple[int, str]:
        """Size and SHA-256, in lower-case hex, of a visible object's bytes, which are read for it."""
        sha256, size = hashlib.sha256(), 0
        for block in self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(PART_BYTES):
            sha256.update(block)
            size += len(block)
        return size, sha256.hexdigest()

    def abort(self, key: str, upload_id: str) -> None:
        """Drop the upload's parts, so that it can never be completed; nothing happens where it is gone already."""
        try:
            self._s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise

    def free_key(self, key: str, extension: str, *, mark: str) -> str:
        """The first of the key's `names` that no object has."""
        return next(name for name in names(key, extension, mark=mark) if self.metadata(name) is None)

    def _upload_parts(self, key: str, upload_id: str, blocks: Iterable[bytes]) -> UploadedParts:
        sha256, size = hashlib.sha256(), 0
        etags: list[str] = []
        in_flight: deque[Future[str]] = deque()
        with ThreadPoolExecutor(_PARTS_IN_FLIGHT, thread_name_prefix="upload-part") as pool:
            for number, part in enumerate(_parts(blocks), start=1):
                if len(in_flight) == _PARTS_IN_FLIGHT:
                    etags.append(in_flight.popleft().result())
                sha256.update(part)
                size += len(part)
                in_flight.append(pool.submit(self._upload_part, key, upload_id, number, part))
            etags += [future.result() for future in in_flight]
        return UploadedParts(upload_id, etags, size, sha256.hexdigest())

    def _upload_part(self, key: str, upload_id: str, number: int, part: bytes) -> str:
        return self._s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=part)[
            "ETag"
        ]


def _bare(etag: str) -> str:
    return etag.strip('"')


def _parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The stream, cut into parts of `part_bytes`; the last may be shorter. An upload needs a part: no bytes are one."""
    part, number = bytearray(), 1
    for block in blocks:
        part += block
        while len(part) >= (size := part_bytes(number)):
            yield bytes(part[:size])
            del part[:size]
            number += 1
    if part or number == 1:
        yield bytes(part)


def part_bytes(number: int) -> int:
    """The size of an upload's part, counted from 1."""
    return PART_BYTES << (number - 1) // _PARTS_OF_A_SIZE


def names(key: str, extension: str, *, mark: str) -> Iterator[str]:
    """The key, then `<key><mark>2`, `<key><mark>3` and so on, before the extension."""
    stem = key.removesuffix(extension)
    yield key
    for number in itertools.count(2):
        yield f"{stem}{mark}{number}{extension}"
