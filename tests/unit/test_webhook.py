"""Webhooks: their signatures, by the scheme's own library, and where they never go."""

import base64
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from referral_delivery.errors import AddressRefused, NoticeFailed, SecretUnusable
from referral_delivery.watch.public_address import is_public
from referral_delivery.watch.webhook import Sender, payload, signatures

HOST, PUBLIC = "hooks.acme.example", "93.184.215.14"
OLD, NEW = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))
BODY = payload("file_available", timestamp="2026-11-05T06:00:04Z", data={"file": "acmé-7.csv"})
REFUSED = [
    *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "127.0.0.1", "127.9.9.9", "0.0.0.0"),
    *("169.254.169.254", "169.254.170.2", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1"),
    *("64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "100::1", "localhost", ""),
]


@dataclass
class Receiver:
    """A client's server on this machine; keeps what arrives."""

    port: int
    certificate: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip_seconds: float = 0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


def certificate(host: str) -> tuple[bytes, bytes]:
    """A certificate of its own for a host, and its key, in PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return made.public_bytes(serialization.Encoding.PEM), secret


@contextmanager
def receiving(folder: Path, host: str = HOST) -> Iterator[Receiver]:
    """A receiver with a certificate of this host."""
    public, secret = certificate(host)
    (folder / "pair.pem").write_bytes(public + secret)
    receiver = Receiver(0, public)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append((self.path, dict(self.headers.items()), body))
            if receiver.drip_seconds:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                until = time.monotonic() + receiver.drip_seconds
                while time.monotonic() < until:
                    try:
                        self.wfile.write(b"x: y\r\n")
                    except OSError:
                        return
                    time.sleep(0.1)
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"thanks")

        def log_request(self, *_: object) -> None:
            return

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        receiver.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as found:
        yield found


def led_to(
    receiver: Receiver, asked: list[tuple[str, int]] | None = None
) -> Callable[[str, int, float], socket.socket]:
    """A connector that notes what it was asked for, and leads to the receiver."""

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        if asked is not None:
            asked.append((address, port))
        return socket.create_connection(("127.0.0.1", receiver.port), timeout=seconds)

    return connect


def sender_to(receiver: Receiver, asked: list[tuple[str, int]] | None = None) -> Sender:
    """A sender for which the host is public, and leads to the receiver."""
    trust = ssl.create_default_context(cadata=receiver.certificate.decode())
    return Sender(resolve=lambda *_: [PUBLIC], connect=led_to(receiver, asked), trust=trust)


def unreachable(*_: object) -> socket.socket:
    pytest.fail("a connection was made")


def test_the_reference_library_verifies_what_arrives(receiver: Receiver) -> None:
    answer = sender_to(receiver).send(f"https://{HOST}/in?t=1", OLD, id_="file_available/acme/7", body=BODY)
    assert (answer.status, answer.text) == (200, "thanks")
    ((path, headers, body),) = receiver.got
    assert path == "/in?t=1"
    assert headers["Host"] == HOST
    assert headers["webhook-id"] == "file_available/acme/7"
    assert Webhook(OLD).verify(body, {name.lower(): value for name, value in headers.items()}) == json.loads(BODY)


def test_either_of_two_secrets_verifies_during_rotation_and_no_third() -> None:
    now = int(time.time())
    headers = {
        "webhook-id": "x",
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(f"{OLD} {NEW}", id_="x", timestamp=now, body=BODY),
    }
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)
    third = f"whsec_{base64.b64encode(bytes([3]) * 32).decode()}"
    with pytest.raises(WebhookVerificationError):
        Webhook(third).verify(BODY, headers)


@pytest.mark.parametrize("changed", [{"id_": "y"}, {"timestamp": 1}, {"body": BODY + b" "}], ids=str)
def test_a_signature_is_of_id_time_and_body(changed: dict[str, object]) -> None:
    signed: dict[str, object] = {"id_": "x", "timestamp": 2, "body": BODY}
    assert signatures(OLD, **signed) != signatures(OLD, **signed | changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("secret", ["", " ", "geheim", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", OLD[6:], f"{OLD} x"])
def test_what_is_no_secret_signs_nothing_and_is_never_shown(secret: str) -> None:
    with pytest.raises(SecretUnusable) as raised:
        signatures(secret, id_="x", timestamp=1, body=BODY)
    assert not secret.strip() or all(
        part not in str(raised.value) for part in secret.split() if part not in {"whsec_", "x"}
    )


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused_and_nothing_is_sent(address: str) -> None:
    assert not is_public(address)
    sender = Sender(resolve=lambda *_: [address], connect=unreachable)
    with pytest.raises(AddressRefused, match="no public address; nothing was sent"):
        sender.send(f"https://{HOST}/", OLD, id_="x", body=BODY)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address_is_taken(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/"])
def test_an_address_in_the_place_of_a_host_is_refused_by_the_systems_own_resolver(url: str) -> None:
    with pytest.raises(AddressRefused):
        Sender(connect=unreachable).send(url, OLD, id_="x", body=BODY)


def test_one_address_among_public_ones_that_is_not_is_refused() -> None:
    sender = Sender(resolve=lambda *_: [PUBLIC, "10.0.0.1"], connect=unreachable)
    with pytest.raises(AddressRefused):
        sender.send(f"https://{HOST}/", OLD, id_="x", body=BODY)


def test_a_name_server_that_changes_its_answer_is_asked_once_and_leads_nowhere_else(receiver: Receiver) -> None:
    answers, asked = iter([[PUBLIC], ["127.0.0.1"], ["169.254.169.254"]]), list[tuple[str, int]]()
    sender = replace(sender_to(receiver, asked), resolve=lambda *_: next(answers))
    sender.send(f"https://{HOST}/", OLD, id_="x", body=BODY)
    assert asked == [(PUBLIC, 443)]
    assert next(answers) == ["127.0.0.1"]


def test_the_next_address_is_tried_where_one_takes_no_connection(receiver: Receiver) -> None:
    reach = led_to(receiver)

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        if address == PUBLIC:
            raise ConnectionRefusedError
        return reach(address, port, seconds)

    sender = replace(sender_to(receiver), resolve=lambda *_: [PUBLIC, "1.1.1.1"], connect=connect)
    assert sender.send(f"https://{HOST}/", OLD, id_="x", body=BODY).status == 200


def test_a_certificate_of_another_host_ends_it_before_anything_is_sent(tmp_path: Path) -> None:
    with receiving(tmp_path, "elsewhere.example") as other:
        with pytest.raises(NoticeFailed, match="certificate"):
            sender_to(other).send(f"https://{HOST}/", OLD, id_="x", body=BODY)
        assert other.got == []


def test_a_certificate_that_nobody_vouches_for_ends_it(receiver: Receiver) -> None:
    stranger = replace(sender_to(receiver), trust=ssl.create_default_context())
    with pytest.raises(NoticeFailed, match="certificate"):
        stranger.send(f"https://{HOST}/", OLD, id_="x", body=BODY)
    assert receiver.got == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.headers = status, {"location": f"https://{HOST}/elsewhere"}
    with pytest.raises(NoticeFailed, match=str(status)):
        sender_to(receiver).send(f"https://{HOST}/", OLD, id_="x", body=BODY)
    assert [path for path, *_ in receiver.got] == ["/"]


@pytest.mark.parametrize("status", [400, 410, 500, 503])
def test_any_answer_but_success_is_a_failure_that_says_it(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(NoticeFailed, match=f"answered {status}.*thanks"):
        sender_to(receiver).send(f"https://{HOST}/", OLD, id_="x", body=BODY)


def test_an_answer_that_drips_is_ended_when_its_time_is_up(receiver: Receiver) -> None:
    receiver.drip_seconds = 30
    began = time.monotonic()
    with pytest.raises(NoticeFailed, match="no answer within 1 seconds"):
        replace(sender_to(receiver), seconds=1.0).send(f"https://{HOST}/", OLD, id_="x", body=BODY)
    assert time.monotonic() - began < 5


def test_a_name_server_that_says_nothing_takes_no_more_than_the_time() -> None:
    asleep = threading.Event()

    def resolve(*_: object) -> list[str]:
        asleep.wait(30)
        return [PUBLIC]

    with pytest.raises(NoticeFailed, match=r"no answer within 0\.5 seconds"):
        Sender(resolve=resolve, connect=unreachable, seconds=0.5).send(f"https://{HOST}/", OLD, id_="x", body=BODY)
    asleep.set()


def test_a_host_that_is_not_there_fails_without_its_path_in_the_message() -> None:
    def resolve(*_: object) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(NoticeFailed) as raised:
        Sender(resolve=resolve).send(f"https://{HOST}/token-in-the-path", OLD, id_="x", body=BODY)
    assert str(raised.value) == f"{HOST}: [Errno -2] Name or service not known"
