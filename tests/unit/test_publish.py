"""What is told of a file, and which two files have the same rows."""

import json
from dataclasses import replace

import pytest

from referral_delivery.delivery.publish import publish_manifest, same_rows
from referral_delivery.file.upload import UploadedParts
from referral_delivery.file.writer import Written
from referral_delivery.ledger.records import Delivery
from referral_delivery.window import Window
from tests.model import MemoryUploads
from tests.support import contract, utc

KEY = "downloads/acme/referrals_acme_7.csv"
DELIVERY = Delivery(
    client="acme",
    sequence=7,
    occasion="scheduled",
    window=Window(utc("2026-11-20 09:00"), utc("2026-11-20 10:00")),
    key=KEY,
    rows=2,
    size_bytes=16,
    sha256="ab",
    plain_hash="plain",
    late_rows=1,
    published_at=utc("2026-11-20 10:01"),
    contract="c",
    objects=frozenset(),
)


@pytest.mark.parametrize(
    ("sha256", "plain_hash", "same"),
    [
        ("ab", "plain", True),
        ("ab", "other", True),
        ("ab", None, True),
        ("cd", "plain", True),  # packed by another compressor
        ("cd", "other", False),
        ("cd", None, False),
    ],
)
def test_two_files_have_the_same_rows_where_their_bytes_are_the_same_packed_or_not(
    sha256: str, plain_hash: str | None, same: bool
) -> None:
    written = Written(UploadedParts("upload-1", ["etag"], 16, "ab", "plain"), rows=2, late_rows=0)
    assert same_rows(written, sha256, plain_hash) == same


def test_files_without_a_hash_of_their_plain_bytes_are_not_the_same_for_that() -> None:
    written = Written(UploadedParts("upload-1", ["etag"], 16, "ab", None), rows=2, late_rows=0)
    assert not same_rows(written, "cd", None)


def test_a_manifest_lies_beside_its_file_and_says_what_is_in_it() -> None:
    uploads = MemoryUploads()
    publish_manifest(uploads, DELIVERY, contract(file={"manifest": True}), previous_sequence=6)
    (key, (body, metadata)) = uploads.visible.popitem()
    assert (key, metadata) == (f"{KEY}.manifest.json", {"content-type": "application/json"})
    assert json.loads(body) == {
        "version": 1,
        "client": "acme",
        "file": "referrals_acme_7.csv",
        "occasion": "scheduled",
        "sequence": 7,
        "previous_sequence": 6,
        "window_start": "2026-11-20T09:00:00Z",
        "window_end": "2026-11-20T10:00:00Z",
        "rows": 2,
        "bytes": 16,
        "sha256": "ab",
        "columns": ["referral_id"],
        "created_at": "2026-11-20T10:01:00Z",
    }


def test_the_first_manifest_names_none_before_it() -> None:
    uploads = MemoryUploads()
    publish_manifest(uploads, DELIVERY, contract(file={"manifest": True}), previous_sequence=0)
    (body, _) = uploads.visible[f"{KEY}.manifest.json"]
    assert json.loads(body)["previous_sequence"] is None


@pytest.mark.parametrize(
    ("asked", "delivery"),
    [(False, DELIVERY), (True, replace(DELIVERY, key=None)), (True, replace(DELIVERY, sha256=None))],
)
def test_there_is_no_manifest_unless_it_is_asked_for_and_there_is_a_file(asked: bool, delivery: Delivery) -> None:
    uploads = MemoryUploads()
    publish_manifest(uploads, delivery, contract(file={"manifest": asked}), previous_sequence=6)
    assert not uploads.visible
