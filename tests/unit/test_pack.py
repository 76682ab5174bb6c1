"""How files are packed: the same bytes for the same rows, readable by others' tools."""

import gzip
import hashlib
import io
import platform
import zipfile
from collections.abc import Iterator

import pytest
from isal import isal_zlib

from referral_delivery.agreement.file_format import Compression
from referral_delivery.file.pack import Hashed, packed
from referral_delivery.file.rows import BLOCK_BYTES

TEXT = b"".join(b"%d,referral %d of %d\n" % (n, n * n, n % 7) for n in range(40_000))
NAME = "referrals_acme_000001.csv"


def blocks(text: bytes = TEXT) -> Iterator[bytes]:
    return (text[start : start + BLOCK_BYTES] for start in range(0, len(text), BLOCK_BYTES))


def pack(compression: Compression, text: bytes = TEXT) -> bytes:
    return b"".join(packed(blocks(text), compression, name=NAME))


@pytest.mark.parametrize("compression", Compression)
def test_the_same_rows_give_the_same_bytes(compression: Compression) -> None:
    assert len({pack(compression) for _ in range(3)}) == 1


def test_no_compression_changes_nothing() -> None:
    assert pack(Compression.NONE) == TEXT


def test_gzip_is_packed_at_its_level_and_names_neither_file_nor_time() -> None:
    """The bytes are pinned: a resend is told from a changed lake by them.

    ISA-L has other code for other families of processors, which may pack the same rows otherwise (docs/delivery.md); on
    those the bytes are held against ISA-L alone.
    """
    assert len([*blocks()]) == 2
    made = pack(Compression.GZIP)
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, 16 + 15)
    assert made == b"".join(map(packer.compress, blocks())) + packer.flush()
    assert (made[:8], gzip.decompress(made)) == (b"\x1f\x8b\x08" + bytes(5), TEXT)
    if platform.machine() == "x86_64":
        assert hashlib.sha256(made).hexdigest() == "735f13fe5dd629b3ac54c63fa5855f7e806f66c4b6ead2d977bd323923572dd7"


def test_a_zip_holds_one_file_under_its_name_with_its_sizes_and_without_a_time() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(Compression.ZIP))) as archive:
        [entry] = archive.infolist()
        assert (entry.filename, entry.file_size, entry.date_time) == (NAME, len(TEXT), (1980, 1, 1, 0, 0, 0))
        assert archive.testzip() is None
        assert archive.read(NAME) == TEXT


def test_a_zip_of_nothing_holds_an_empty_file() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(Compression.ZIP, b""))) as archive:
        assert archive.read(NAME) == b""


def test_a_zip_is_a_stream_and_not_made_in_memory() -> None:
    """A piece comes out long before the last block has gone in."""
    gone_in = 0

    def counted() -> Iterator[bytes]:
        nonlocal gone_in
        for number in range(64):
            gone_in = number
            yield TEXT[:BLOCK_BYTES]

    pieces = packed(counted(), Compression.ZIP, name=NAME)
    next(pieces)
    assert gone_in < 2


def test_what_is_hashed_is_what_was_passed() -> None:
    one, other = Hashed(blocks()), Hashed(blocks(TEXT[:-1]))
    assert b"".join(one) == TEXT
    assert b"".join(other) != TEXT
    assert one.hash != other.hash
    assert one.hash.startswith("xxh3-128:")
