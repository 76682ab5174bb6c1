"""A proxy before an S3 that answers as late as S3 does, and fails as asked."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib.parse import urlsplit

# S3 takes some tens of milliseconds for a small object.
LATENCY_SECONDS = 0.04
_HEAD_BYTES = 64 * 1024


class Fault(Enum):
    """How a request of the lake's objects fails."""

    UNAVAILABLE = auto()  # 503, as S3 says SlowDown
    DENIED = auto()
    RESET = auto()  # no answer, and the connection ends
    CUT = auto()  # half of an answer, and the connection ends


@dataclass
class SlowS3:
    """A running proxy; `faults` maps a method to how its requests fail, `requests` counts them by method."""

    url: str = ""
    latency_seconds: float = LATENCY_SECONDS
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    most_in_flight: int = 0
    _in_flight: int = 0

    async def serve(
        self, upstream: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one connection's requests, over one connection to the S3 behind."""
        to_s3 = None
        try:
            from_s3, to_s3 = await asyncio.open_connection(*upstream, limit=_HEAD_BYTES)
            while head := await _head(reader):
                if b"100-continue" in head.lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
                method, body = head.partition(b" ")[0].decode(), await _body(reader, head)
                self.requests[method] += 1
                self._in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self._in_flight)
                await asyncio.sleep(self.latency_seconds)
                self._in_flight -= 1
                if not await self._answer(method, head + body, from_s3, to_s3, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            if to_s3:
                to_s3.close()

    async def _answer(
        self,
        method: str,
        request: bytes,
        from_s3: asyncio.StreamReader,
        to_s3: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer one request; False where the connection is to end."""
        fault = self.faults.get(method)
        if fault is Fault.RESET:
            return False
        if fault in (Fault.UNAVAILABLE, Fault.DENIED):
            status = "503 Slow Down" if fault is Fault.UNAVAILABLE else "403 Forbidden"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return True
        to_s3.write(request)
        head = await _head(from_s3)
        body = b"" if method == "HEAD" else await _body(from_s3, head)
        if fault is Fault.CUT:
            writer.write(head + body[: len(body) // 2])
            await writer.drain()
            return False
        writer.write(head + body)
        await writer.drain()
        return b"connection: close" not in head.lower()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return b""


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """What follows a request's or an answer's head, as it is on the wire."""
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return await _chunks(reader)
    return await reader.readexactly(int(fields.get(b"content-length", b"0")))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        chunks += line + await reader.readexactly(size + 2)
        if not size:
            return chunks


@contextmanager
def slow_s3(upstream_url: str, *, latency_seconds: float = LATENCY_SECONDS) -> Iterator[SlowS3]:
    """A proxy before `upstream_url`, in a thread of its own, on a free port of the loopback interface."""
    proxy, upstream = SlowS3(latency_seconds=latency_seconds), urlsplit(upstream_url)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    server: list[asyncio.Server] = []

    async def start() -> None:
        behind = (upstream.hostname or "", upstream.port or 80)
        server.append(
            await asyncio.start_server(
                lambda reader, writer: proxy.serve(behind, reader, writer),
                "127.0.0.1",
                0,
                limit=_HEAD_BYTES,
                backlog=512,
            )
        )
        proxy.url = f"http://127.0.0.1:{server[0].sockets[0].getsockname()[1]}"
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, name="slow-s3", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(server[0].close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
