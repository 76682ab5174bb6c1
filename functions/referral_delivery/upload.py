"""A stream → one S3 object by multipart upload, hashed on the way; invisible until it is completed."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Parts are 5 MiB to 5 GiB, and 10,000 at most: 80 GB a file.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PART_BYTES = 8 * 1024 * 1024
_PARTS_IN_FLIGHT = 3
CONTENT_TYPES = {".csv": "text/csv; charset=utf-8", ".csv.gz": "application/gzip"}


@dataclass(frozen=True)
class UploadedParts:
    """An upload that is whole but not completed: nobody can see it yet."""

    upload_id: str
    etags: list[str]
    size_bytes: int
    sha256: str


class Completion(Enum):
    """What came of asking S3 to complete an upload."""

    DONE = auto()
    NAME_TAKEN = auto()
    NO_SUCH_UPLOAD = auto()


class Uploads:
    """The delivery bucket's objects, as far as a delivery writes and looks at them."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def upload(self, key: str, blocks: Iterable[bytes], *, metadata: Mapping[str, str]) -> UploadedParts:
        """Upload the stream as parts; a failure anywhere aborts the upload and is raised.

        Metadata is fixed when the upload is created, before a byte is known.
        """
        content_type = next(type_ for suffix, type_ in CONTENT_TYPES.items() if key.endswith(suffix))
        upload_id = self._s3.create_multipart_upload(
            Bucket=self.bucket, Key=key, ContentType=content_type, Metadata=dict(metadata)
        )["UploadId"]
        try:
            return self._upload_parts(key, upload_id, blocks)
        except BaseException:
            self.abort(key, upload_id)
            raise

    def complete(self, key: str, parts: UploadedParts) -> Completion:
        """Make the object visible, whole, unless an object of that name exists."""
        try:
            self._s3.complete_multipart_upload(
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
                    return Completion.NAME_TAKEN
                case "NoSuchUpload":
                    return Completion.NO_SUCH_UPLOAD
            raise
        return Completion.DONE

    def put_new(self, key: str, body: bytes, *, content_type: str) -> None:
        """Put a small object, unless one of that name exists: then the first stays."""
        try:
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise

    def metadata(self, key: str) -> dict[str, str] | None:
        """The user metadata of a visible object, or None where there is none."""
        try:
            return self._s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise

    def abort(self, key: str, upload_id: str) -> None:
        """Drop the upload's parts; where that fails, the bucket's lifecycle rule does it later."""
        try:
            self._s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        except ClientError:
            return

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


def _parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The stream, cut into parts of PART_BYTES; the last may be shorter. No bytes make no part."""
    part = bytearray()
    for block in blocks:
        part += block
        while len(part) >= PART_BYTES:
            yield bytes(part[:PART_BYTES])
            del part[:PART_BYTES]
    if part:
        yield bytes(part)
