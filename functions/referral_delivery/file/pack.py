"""The bytes of a file, hashed as they are and packed as the contract says, as one stream."""

import zipfile
from collections.abc import Iterable, Iterator
from io import RawIOBase

import xxhash
from isal import isal_zlib

from referral_delivery.agreement.file_format import Compression

# ISA-L's levels are 0 to 3.
_GZIP_LEVEL = 1
# https://docs.python.org/3/library/zlib.html#zlib.compressobj: 16 + 15 writes a gzip header, without a time.
_GZIP_WINDOW_BITS = 31
_ZIP_LEVEL = 1


class Hashed:
    """Blocks, passed on; `hash` is of what has been passed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks, self._hash = blocks, xxhash.xxh3_128()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self._hash.update(block)
            yield block

    @property
    def hash(self) -> str:
        """`xxh3-128:` and lower-case hex: tells the same rows from other ones, and is no proof against an adversary."""
        return f"xxh3-128:{self._hash.hexdigest()}"


def packed(blocks: Iterable[bytes], compression: Compression, *, name: str) -> Iterator[bytes]:
    """The blocks, packed; `name` is what a zip calls the file inside."""
    match compression:
        case Compression.GZIP:
            yield from _gzip(blocks)
        case Compression.ZIP:
            yield from _zip(blocks, name)
        case _:
            yield from blocks


def _gzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    packer = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW_BITS)
    for block in blocks:
        if piece := packer.compress(block):
            yield piece
    yield packer.flush()


def _zip(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """A zip of one file, of any size: its sizes stand behind it, in zip64's form."""
    written = _Written()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=_ZIP_LEVEL) as archive:
        # Named by a text, it is of 1980: the same rows are the same bytes whenever they are packed.
        # https://docs.python.org/3/library/zipfile.html#zipfile.ZipInfo
        with archive.open(name, "w", force_zip64=True) as file:
            for block in blocks:
                file.write(block)
                yield from written.taken()
        yield from written.taken()
    yield from written.taken()


class _Written(RawIOBase):
    """What has been written and not yet taken; it cannot go back, so a zip is written as a stream."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> Iterator[bytes]:
        """The pieces since the last call."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            yield b"".join(pieces)
