"""Webhook: one signed POST to an address that a client has given, as https://www.standardwebhooks.com has it.

The address is a stranger's: it is resolved once, what it resolves to must be public, and the connection goes to exactly
what was looked at, so that no later answer of a name server can lead it elsewhere. No redirect is followed.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from referral_delivery.errors import NoticeFailed, SecretUnusable
from referral_delivery.watch.public_address import Resolve, public_addresses, resolve

SECONDS = 5.0
HTTPS = 443
SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64
_SHOWN_BYTES = 300
_OK = range(200, 300)

Connect = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True)
class Answer:
    """What the other side said; `text` is the beginning of it, for people."""

    status: int
    seconds: float
    text: str


def _connect(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=seconds)


@dataclass(frozen=True)
class Sender:
    """Sends webhooks; all of one takes at most `seconds`."""

    resolve: Resolve = resolve
    connect: Connect = _connect
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    clock: Callable[[], float] = time.time
    seconds: float = SECONDS

    def send(self, url: str, secrets: str, *, id_: str, body: bytes) -> Answer:
        """Post a body, signed with each of the secrets; NoticeFailed unless the answer is one of success."""
        timestamp = int(self.clock())
        headers = {
            "content-type": "application/json",
            "user-agent": "referral-delivery",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(secrets, id_=id_, timestamp=timestamp, body=body),
        }
        began = time.monotonic()
        try:
            status, text = self._post(url, headers, body, until=began + self.seconds)
        except (OSError, http.client.HTTPException) as error:
            spent = time.monotonic() - began
            why = f"no answer within {self.seconds:g} seconds" if spent >= self.seconds else f"{error}"
            raise NoticeFailed(f"{_host(url)}: {why or type(error).__name__}") from error
        if status not in _OK:
            raise NoticeFailed(f"{_host(url)}: answered {status}, and only 2xx is success: {text}")
        return Answer(status, time.monotonic() - began, text)

    def _post(self, url: str, headers: dict[str, str], body: bytes, *, until: float) -> tuple[int, str]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or HTTPS
        addresses = public_addresses(host, port, self.resolve, seconds=until - time.monotonic())
        plain = self._connected(addresses, port, until)
        with plain, self.trust.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) as secured:
            with _ended(secured, until):
                secured.do_handshake()
                connection = http.client.HTTPSConnection(host, port, context=self.trust)
                connection.auto_open = 0  # this socket, or none
                connection.sock = secured
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request("POST", path, body, headers)
                with connection.getresponse() as answer:
                    text = answer.read(_SHOWN_BYTES).decode(errors="replace")
            # What was cut off may look like the end of an answer.
            if time.monotonic() >= until:
                raise TimeoutError
            return answer.status, text

    def _connected(self, addresses: list[str], port: int, until: float) -> socket.socket:
        """A connection to the first of the addresses that takes one."""
        refusal = OSError("no time left to connect")
        for address in addresses:
            if (left := until - time.monotonic()) <= 0:
                break
            try:
                return self.connect(address, port, left)
            except OSError as error:
                refusal = error
        raise refusal


@contextmanager
def _ended(connection: ssl.SSLSocket, until: float) -> Iterator[None]:
    """Ends a connection at a moment, however slowly the other side drips: a socket's own timeout is for each read."""

    def end() -> None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # ended already
            return

    timer = threading.Timer(max(until - time.monotonic(), 0), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def signatures(secrets: str, *, id_: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, so that either of two is good during rotation."""
    signed = f"{id_}.{timestamp}.".encode() + body
    keys = [_key(secret) for secret in secrets.split()]
    if not keys:
        raise SecretUnusable("found nothing; expected `whsec_` and base64; write the secret into the parameter")
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)


def _key(secret: str) -> bytes:
    """The bytes of a secret; no message shows any of it."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not (secret.startswith(SECRET_PREFIX) and LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES):
        raise SecretUnusable(
            f"found what is not shown here; expected `{SECRET_PREFIX}` and the base64 of {LEAST_SECRET_BYTES} to "
            f"{MOST_SECRET_BYTES} bytes, or two such with a blank between"
        ) from None
    return key


def payload(type_: str, *, timestamp: str, data: dict[str, Any]) -> bytes:
    """A webhook's body."""
    return json.dumps({"type": type_, "timestamp": timestamp, "data": data}, ensure_ascii=False).encode()


def _host(url: str) -> str:
    """A path or query may hold a token: only the host is shown."""
    return urlsplit(url).hostname or ""
