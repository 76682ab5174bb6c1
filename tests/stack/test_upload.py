"""The upload of a file, through the real client: parts, their order, how many at once, and what a failure leaves."""

import hashlib
import itertools
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from referral_delivery.file import upload
from referral_delivery.file.upload import PART_BYTES, NotCompleted, Uploads
from referralctl.stacks import Stack

PARTS_AT_ONCE = 3
CSV = "text/csv; charset=utf-8"
DEADLINE_SECONDS = 30


@pytest.fixture
def uploads(stack: Stack) -> Uploads:
    """The delivery bucket's uploads."""
    return Uploads(stack.s3, stack["delivery_bucket"])


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"downloads/upload-{uuid.uuid4().hex[:12]}/file.csv"


def content(size: int) -> bytes:
    """So many bytes, of which no part is like another."""
    return b"".join(hashlib.sha256(n.to_bytes(4)).digest() for n in range(-(-size // 32)))[:size]


def blocks(whole: bytes, size: int) -> Iterator[bytes]:
    """The bytes, cut."""
    return (whole[start : start + size] for start in range(0, len(whole), size))


def in_progress(stack: Stack, key: str) -> list[str]:
    """Uploads of the key that are neither completed nor aborted."""
    found = stack.s3.list_multipart_uploads(Bucket=stack["delivery_bucket"]).get("Uploads", [])
    return [each["UploadId"] for each in found if each["Key"] == key]


@pytest.mark.parametrize("block_bytes", [1024 * 1024, 3_000_001, 2 * PART_BYTES + 1])
def test_a_file_of_several_parts_is_whole_and_in_order(
    stack: Stack, uploads: Uploads, key: str, block_bytes: int
) -> None:
    whole = content(5 * PART_BYTES + 1)
    parts = uploads.upload(key, blocks(whole, block_bytes), content_type=CSV, metadata={"client": "acme"})
    assert uploads.metadata(key) is None
    assert parts.etags == [f'"{hashlib.md5(part).hexdigest()}"' for part in blocks(whole, PART_BYTES)]
    assert (parts.size_bytes, parts.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())

    assert uploads.complete(key, parts) == uploads.etag(key)
    assert uploads.metadata(key) == {"client": "acme"}
    assert stack.s3.get_object(Bucket=uploads.bucket, Key=key)["Body"].read() == whole


@pytest.mark.parametrize("more", [0, 1])
def test_a_file_that_ends_at_the_end_of_a_part_has_no_empty_one(uploads: Uploads, key: str, more: int) -> None:
    parts = uploads.upload(key, blocks(content(2 * PART_BYTES + more), PART_BYTES), content_type=CSV, metadata={})
    assert len(parts.etags) == 2 + more
    uploads.abort(key, parts.upload_id)


def test_parts_are_twice_as_large_after_each_so_many_of_a_size(
    uploads: Uploads, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 1_000)
    monkeypatch.setattr(upload, "_PARTS_OF_A_SIZE", 2)
    cuts = [0, 1_000, 2_000, 4_000, 6_000, 10_000, 14_000, 14_001]
    whole = content(cuts[-1])
    parts = uploads.upload(key, blocks(whole, 999), content_type=CSV, metadata={})
    assert parts.etags == [f'"{hashlib.md5(whole[start:end]).hexdigest()}"' for start, end in itertools.pairwise(cuts)]
    uploads.abort(key, parts.upload_id)


def test_an_upload_that_is_gone_may_be_aborted_again_and_any_other_refusal_is_raised(
    stack: Stack, uploads: Uploads, key: str
) -> None:
    parts = uploads.upload(key, iter([b"x"]), content_type=CSV, metadata={})
    for _ in range(2):
        uploads.abort(key, parts.upload_id)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        Uploads(stack.s3, f"nowhere-{uuid.uuid4().hex[:12]}").abort(key, parts.upload_id)


def test_three_parts_are_in_flight_and_only_one_more_is_held(system: dict[str, Any], key: str) -> None:
    stack = Stack(system["outputs"], local=system)  # a client of this test's own: its calls are held up
    asked, answered, gate = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def hold(**_: Any) -> None:
        asked.release()
        assert gate.wait(DEADLINE_SECONDS)

    stack.s3.meta.events.register("before-call.s3.UploadPart", hold)
    stack.s3.meta.events.register("after-call.s3.UploadPart", lambda **_: answered.release())

    def stream() -> Iterator[bytes]:
        """Parts; from when three are in flight and one is in memory, each only after one more was answered."""
        for number in range(8):
            if number == PARTS_AT_ONCE:
                for _ in range(PARTS_AT_ONCE):
                    assert asked.acquire(timeout=DEADLINE_SECONDS), "less parts in flight"
                assert not asked.acquire(blocking=False), "more parts in flight"
                gate.set()
            if number > PARTS_AT_ONCE:
                assert answered.acquire(blocking=False), "a part was asked for before one was answered"
            yield number.to_bytes() * PART_BYTES

    uploads = Uploads(stack.s3, stack["delivery_bucket"])
    assert uploads.complete(key, uploads.upload(key, stream(), content_type=CSV, metadata={})) == uploads.etag(key)


@pytest.mark.parametrize(
    "error", [OSError("the stream broke"), KeyboardInterrupt()], ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize("parts", [0, 1, 5])
def test_a_stream_that_fails_leaves_no_upload(
    stack: Stack, uploads: Uploads, key: str, error: BaseException, parts: int
) -> None:
    def failing() -> Iterator[bytes]:
        for _ in range(parts):
            yield b"x" * PART_BYTES
        assert len(in_progress(stack, key)) == 1
        raise error

    with pytest.raises(type(error)) as raised:
        uploads.upload(key, failing(), content_type=CSV, metadata={})
    assert raised.value is error
    assert in_progress(stack, key) == []
    assert uploads.metadata(key) is None


def test_a_part_that_is_refused_is_raised_and_an_abort_that_fails_hides_nothing(
    stack: Stack, uploads: Uploads, key: str
) -> None:
    def swept() -> Iterator[bytes]:
        yield b"x" * PART_BYTES
        for upload_id in in_progress(stack, key):
            stack.s3.abort_multipart_upload(Bucket=uploads.bucket, Key=key, UploadId=upload_id)
        yield b"y" * PART_BYTES * 5

    with pytest.raises(ClientError, match="NoSuchUpload"):
        uploads.upload(key, swept(), content_type=CSV, metadata={})


def test_a_file_says_what_it_is(stack: Stack, uploads: Uploads, key: str) -> None:
    uploads.complete(key, uploads.upload(key, iter([b"x"]), content_type="application/gzip", metadata={}))
    assert stack.s3.head_object(Bucket=uploads.bucket, Key=key)["ContentType"] == "application/gzip"


def test_a_file_of_no_bytes_is_a_file(stack: Stack, uploads: Uploads, key: str) -> None:
    parts = uploads.upload(key, iter([]), content_type=CSV, metadata={})
    uploads.complete(key, parts)
    assert (len(parts.etags), parts.size_bytes) == (1, 0)
    assert stack.s3.get_object(Bucket=uploads.bucket, Key=key)["Body"].read() == b""


def test_the_first_of_two_uploads_of_a_name_stays(stack: Stack, uploads: Uploads, key: str) -> None:
    first, second = (
        uploads.upload(key, iter([body]), content_type=CSV, metadata={"body": body.decode()}) for body in (b"a", b"b")
    )
    assert uploads.complete(key, first) == uploads.etag(key)
    assert uploads.complete(key, second) is NotCompleted.NAME_TAKEN
    assert uploads.metadata(key) == {"body": "a"}
    uploads.abort(key, second.upload_id)
    assert uploads.complete(f"{key}-other.csv", second) is NotCompleted.NO_SUCH_UPLOAD


def test_a_refusal_that_is_none_of_these_is_raised(stack: Stack, uploads: Uploads, key: str) -> None:
    elsewhere = Uploads(stack.s3, f"nowhere-{uuid.uuid4().hex[:12]}")
    parts = upload.UploadedParts("no-such-upload", ["x"], 1, "")
    for refused in (
        lambda: elsewhere.upload(key, iter([b"x"]), content_type=CSV, metadata={}),
        lambda: elsewhere.complete(key, parts),
        lambda: elsewhere.put_new(key, b"x", content_type="text/plain"),
    ):
        with pytest.raises(ClientError, match="NoSuchBucket"):
            refused()
    with pytest.raises(ClientError, match=r"403|Forbidden|InvalidAccessKeyId"):
        _stranger(stack, uploads.bucket).metadata(key)


def _stranger(stack: Stack, bucket: str) -> Uploads:
    s3 = boto3.client(
        "s3",
        endpoint_url=stack.s3.meta.endpoint_url,
        region_name="ap-southeast-2",
        aws_access_key_id="AKIANOBODY0000000000",
        aws_secret_access_key="nothing",
    )
    return Uploads(s3, bucket)


def test_a_small_object_is_put_once_and_says_what_it_is(stack: Stack, uploads: Uploads, key: str) -> None:
    for body in (b"first", b"second"):
        uploads.put_new(key, body, content_type="application/json")
    found = stack.s3.get_object(Bucket=uploads.bucket, Key=key)
    assert (found["Body"].read(), found["ContentType"]) == (b"first", "application/json")
