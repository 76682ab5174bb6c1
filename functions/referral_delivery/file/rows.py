"""The rows of a query as one stream of bytes: DuckDB writes them into a FIFO, and nothing is stored on the way.

DuckDB writes from a thread of its own; the stream is read here in blocks. A failure on either side ends the other.
"""

import fcntl
import os
import select
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from referral_delivery.lake.connection import requests_in_flight
from referral_delivery.lake.query import Batch
from referral_delivery.lake.refusals import explaining

BLOCK_BYTES = 1024 * 1024
_POLL_MILLISECONDS = 50


@dataclass(frozen=True)
class Copy:
    """One COPY into the stream: a SELECT, and how its rows are written.

    `ahead` is read first, with many requests at once; `requests` as many objects are then asked for at once.
    """

    sql: str
    options: str
    parameters: Mapping[str, Any]
    ahead: Sequence[Batch] = ()
    requests: int = 0


class RowStream:
    """What COPYs write, one after another, as blocks of bytes; a context manager, read once.

    `rows` is known once the stream has been read to its end. Leaving the context early interrupts DuckDB.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, copies: Sequence[Copy]) -> None:
        self._con, self._copies = con, copies
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="duckdb-copy")
        self.rows: int | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="delivery-")
        path = Path(self._folder.name) / "rows"
        os.mkfifo(path, 0o600)
        # Opened before the writer starts, without waiting for it: so neither can wait for the other to open.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        # Each COPY opens the pipe and closes it: held open by this, it ends after the last one.
        self._held_open = os.open(path, os.O_WRONLY)
        _widen(self._descriptor)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._copied: Future[int] = self._writer.submit(self._copy_all, path)
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

    def _copy_all(self, path: Path) -> int:
        try:
            with explaining():
                return sum(self._copy(copy, path) for copy in self._copies)
        finally:
            os.close(self._held_open)

    def _copy(self, copy: Copy, path: Path) -> int:
        for batch in copy.ahead:
            batch.fetch(self._con)
        with ExitStack() as stack:
            if copy.requests:
                stack.enter_context(requests_in_flight(self._con, copy.requests))
            sql = f"COPY ({copy.sql}) TO '{path}' ({copy.options}, USE_TMP_FILE false)"
            [(rows,)] = self._con.execute(sql, dict(copy.parameters)).fetchall()
        return int(rows)


def _widen(descriptor: int) -> None:
    """Let the pipe hold a block, where the system allows it: fewer switches between the two sides."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, BLOCK_BYTES)
    except (AttributeError, PermissionError):
        return
