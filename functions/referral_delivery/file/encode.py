"""DuckDB → CSV → gzip, as one stream: nothing is stored on the way, and memory does not grow with the rows.

DuckDB writes CSV into a FIFO from a thread of its own; the stream is read here in blocks. A failure on either
side ends the other.
"""

import fcntl
import os
import select
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import xxhash
from isal import isal_zlib

from referral_delivery.agreement.contract import Compression
from referral_delivery.lake.connection import identifier
from referral_delivery.lake.query import Batch, Query
from referral_delivery.lake.refusals import explained

BLOCK_BYTES = 1024 * 1024
# ISA-L's levels are 0 to 3.
_GZIP_LEVEL = 1
# https://docs.python.org/3/library/zlib.html#zlib.compressobj: 16 + 15 writes a gzip header, without a time.
_GZIP_WINDOW_BITS = 31
_POLL_MILLISECONDS = 50
# No quotes for nothing, and `""` for an empty text, which is then told from it.
_CSV = "FORMAT csv, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR '', USE_TMP_FILE false"


class CsvStream:
    """The rows of a query as blocks of CSV; a context manager, read once.

    `rows` is known once the stream has been read to its end. Leaving the context early interrupts DuckDB.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, query: Query) -> None:
        self._con, self._query = con, query
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="duckdb-copy")
        self.rows: int | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="delivery-")
        path = Path(self._folder.name) / "csv"
        os.mkfifo(path, 0o600)
        # Opened before the writer starts, without waiting for it: so neither can wait for the other to open.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        # Each COPY opens the pipe and closes it: held open by this, it ends after the last one.
        self._held_open = os.open(path, os.O_WRONLY)
        _widen(self._descriptor)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._copied: Future[int] = self._writer.submit(self._copy, path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not closed before the writer has ended: one that opens a pipe without a reader waits for ever.
        while not self._copied.done():
            self._con.interrupt()
            if self._poll.poll(_POLL_MILLISECONDS):
                os.read(self._descriptor, BLOCK_BYTES)
        self._writer.shutdown()
        os.close(self._descriptor)
        self._folder.cleanup()

    def __iter__(self) -> Iterator[bytes]:
        """Blocks of exactly BLOCK_BYTES, but for the last; raises what DuckDB raised.

        Equal blocks, because the compressor's output depends on how its input is cut, and a delivery must be
        the same bytes whenever it is made again.
        """
        while block := self._block():
            yield block
        # The end of the pipe may be that of a failed writer: result() tells them apart.
        self.rows = self._copied.result()

    def _block(self) -> bytes:
        block = bytearray()
        while len(block) < BLOCK_BYTES:
            finished = self._copied.done()  # asked first: what it wrote before that is still in the pipe
            if self._poll.poll(_POLL_MILLISECONDS):
                piece = os.read(self._descriptor, BLOCK_BYTES - len(block))
                if not piece:
                    break
                block += piece
            elif finished:
                break
        return bytes(block)

    def _copy(self, path: Path) -> int:
        header = ", ".join(f"NULL AS {identifier(name)}" for name in self._query.header)
        try:
            self._con.execute(f"COPY (SELECT {header} LIMIT 0) TO '{path}' ({_CSV}, HEADER true)")
            return sum(self._copy_batch(batch, path) for batch in self._query.batches)
        except duckdb.Error as error:
            raise explained(error) from error
        finally:
            os.close(self._held_open)

    def _copy_batch(self, batch: Batch, path: Path) -> int:
        if batch.ahead:
            batch.ahead.fetch(self._con)
        copied = self._con.execute(f"COPY ({batch.sql}) TO '{path}' ({_CSV}, HEADER false)", batch.parameters)
        [(rows,)] = copied.fetchall()
        return int(rows)


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


def compressed(blocks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """The blocks, packed as the contract says."""
    if compression == Compression.NONE:
        yield from blocks
        return
    packer = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW_BITS)
    for block in blocks:
        if packed := packer.compress(block):
            yield packed
    yield packer.flush()


def _widen(descriptor: int) -> None:
    """Let the pipe hold a block, where the system allows it: fewer switches between the two sides."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, BLOCK_BYTES)
    except (AttributeError, PermissionError):
        return
