"""Blocks → an OpenPGP message that only its recipients can read, as a stream through a process of its own.

Keys reach it by its standard input, never by a file, an argument or the environment. A failure on either side ends
the other, and no end of the process but the right one is taken for the end of the file.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from types import TracebackType
from typing import IO, Self

from referral_delivery.agreement.recipient import Recipient
from referral_delivery.errors import ContractError, EncryptionFailed, KeyExpired
from referral_delivery.file import encrypt_process

_PIPE_BYTES = 1024 * 1024
# From when it has closed its output until it has ended.
_SECONDS_TO_END = 10
_COMMAND = [sys.executable, "-S", "-P", "-m", encrypt_process.__name__]
# Where an interpreter that is not installed in the usual place finds its libraries.
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH",)


def check_recipients(recipients: Sequence[Recipient], now: datetime) -> None:
    """Raise KeyExpired where one of the keys has expired, or ContractError where there is none: never plaintext."""
    if not recipients:
        raise ContractError(
            "found an encrypted file without a recipient; expected at least one key; deploy the client's file anew"
        )
    for recipient in recipients:
        if recipient.expires and recipient.has_expired(now):
            raise KeyExpired(
                f"the PGP key {recipient} expired on {recipient.expires:%Y-%m-%d}, and no file can be encrypted to it "
                "any more; expected a key that is valid on the day of the delivery; ask the client for the key with a "
                "later expiry, or for a new key, put it into its key file, and deploy"
            )


def encrypted(
    blocks: Iterable[bytes], recipients: Sequence[Recipient], *, signing_key: bytes | None, now: datetime
) -> Generator[bytes]:
    """The blocks as one binary OpenPGP message, signed where there is a key to sign with.

    Raises KeyExpired at once; the iteration, what `blocks` raises, or EncryptionFailed. To be closed where it is not
    read to its end.
    """
    check_recipients(recipients, now)
    keys = {
        "recipients": [each.certificate for each in recipients],
        "signing_key": b64encode(signing_key).decode() if signing_key else None,
    }
    sent = json.dumps(keys).encode()
    return _streamed(chain([len(sent).to_bytes(encrypt_process.LENGTH_BYTES), sent], blocks))


def _streamed(blocks: Iterable[bytes]) -> Generator[bytes]:
    with _Process() as process:
        for block in blocks:
            yield from process.passed(block)
        yield from process.rest()


class _Process:
    """One process that encrypts; leaving the context ends it, wherever it is."""

    def __enter__(self) -> Self:
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # The function's folder is no installed package: what is found here is found there.
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        )
        self._stdin, self._stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        os.set_blocking(self._stdin.fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._stdin, select.POLLOUT)
        self._poll.register(self._stdout, select.POLLIN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        # Closes the pipes and waits, so that it leaves neither a descriptor nor a zombie.
        with suppress(BrokenPipeError):
            self._process.__exit__(kind, error, trace)

    def passed(self, block: bytes) -> Iterator[bytes]:
        """Pass a block on, and yield what comes back meanwhile."""
        left = memoryview(block)
        while left:
            ready = dict(self._poll.poll())
            if self._stdout.fileno() in ready:
                piece = self._stdout.read(_PIPE_BYTES)
                if not piece:
                    raise self._failure()
                yield piece
            elif self._stdin.fileno() in ready:
                try:
                    left = left[os.write(self._stdin.fileno(), left) :]
                except BrokenPipeError:
                    raise self._failure() from None

    def rest(self) -> Iterator[bytes]:
        """Say that there is no more, and yield the rest of the message."""
        self._stdin.close()
        while piece := self._stdout.read(_PIPE_BYTES):
            yield piece
        if self._ended():
            raise self._failure()

    def _ended(self) -> int:
        """The process's exit code, once it has closed its output."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_SECONDS_TO_END)
        self._process.kill()
        return self._process.wait()

    def _failure(self) -> EncryptionFailed:
        code = self._ended()
        said = _pipe(self._process.stderr).read().decode(errors="replace").strip().rpartition("\n")[2]
        if code < 0:
            said = f"killed by {signal.Signals(-code).name}"
        return EncryptionFailed(
            f"the process that encrypts has ended: found {said or f'exit code {code}'}; expected the whole file, and "
            "nothing of it was published; look at the client's keys and at the signing key's secret, and run it again"
        )


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """A pipe that holds a block, where the system allows it: fewer switches between the two sides."""
    assert stream is not None  # noqa: S101 - all three are pipes
    with suppress(AttributeError, PermissionError):
        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return stream
