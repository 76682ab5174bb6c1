"""Encryption: what recipients read, and that no failure on either side leaves a process, a hang or half a file."""

import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from referral_delivery.errors import ContractError, EncryptionFailed, KeyExpired
from referral_delivery.file import encrypt_process
from referral_delivery.file.encrypt import encrypted
from tests.pgp import decrypted, later, now, recipient, secret_key

# Against hangs only: each of these takes less than a second.
pytestmark = pytest.mark.timeout(60)

ACME, NEW, SIGNER = secret_key(days=400), secret_key(), secret_key("Referrals <referrals@platform.example>")
MEBIBYTE = 1024 * 1024


def message(*blocks: bytes, signed: bool = False) -> bytes:
    signing_key = bytes(SIGNER) if signed else None
    return b"".join(encrypted(blocks, [recipient(ACME)], signing_key=signing_key, now=now()))


def rows(count: int) -> Iterator[bytes]:
    """Blocks of a mebibyte that nothing makes smaller."""
    block = os.urandom(MEBIBYTE)
    return (block for _ in range(count))


def processes() -> list[psutil.Process]:
    """Those that encrypt, dead ones that nobody has waited for among them."""
    found = []
    for child in psutil.Process().children():
        if child.status() == psutil.STATUS_ZOMBIE or encrypt_process.__name__ in child.cmdline():
            found.append(child)
    return found


def descriptors() -> int:
    return psutil.Process().num_fds()


@pytest.mark.parametrize("signed", [False, True])
def test_the_recipient_reads_what_was_written(signed: bool) -> None:
    for blocks in ([], [b""], [b"email\n", b"", b"a@b.example\n"], [os.urandom(3 * MEBIBYTE + 1)]):
        read = decrypted(message(*blocks, signed=signed), ACME, signed_by=SIGNER if signed else None)
        assert read == b"".join(blocks)


def test_every_recipient_reads_the_file_and_nobody_else() -> None:
    sent = b"".join(encrypted([b"rows"], [recipient(ACME), recipient(NEW)], signing_key=None, now=now()))
    assert [decrypted(sent, key) for key in (ACME, NEW)] == [b"rows", b"rows"]
    with pytest.raises(RuntimeError):
        decrypted(sent, SIGNER)


def test_no_plaintext_comes_out() -> None:
    assert b"crm@acme.example" not in message(b"crm@acme.example\n" * 1000)


def test_a_key_that_has_expired_is_refused_before_a_row_is_read() -> None:
    key = recipient(ACME)
    read: list[bytes] = []
    named, day = rf"{key.fingerprint} \(Acme CRM <crm@acme\.example>\)", f"{key.expires:%Y-%m-%d}"
    with pytest.raises(
        KeyExpired,
        match=rf"^the PGP key {named} expired on {day}, and "
        r"no file can be encrypted to it any more; expected .*; ask the client for the key with a later expiry",
    ):
        encrypted(map(read.append, [b"rows"]), [recipient(NEW), key], signing_key=None, now=later(401))  # type: ignore[arg-type]
    assert read == []


def test_no_recipient_is_no_file() -> None:
    with pytest.raises(ContractError, match="found an encrypted file without a recipient; expected at least one key"):
        encrypted([b"rows"], [], signing_key=None, now=now())


@pytest.mark.parametrize(
    ("signing_key", "said"),
    [
        (b"rubbish", "found the signing key: unexpected EOF; expected"),
        (bytes(SIGNER.extract_certificate()), "found the signing key: No suitable signing subkey"),
    ],
)
def test_a_signing_key_that_cannot_sign_is_said(signing_key: bytes, said: str) -> None:
    with pytest.raises(EncryptionFailed, match=said):
        list(encrypted(rows(8), [recipient(ACME)], signing_key=signing_key, now=now()))
    assert processes() == []


def test_a_recipient_that_is_no_certificate_is_said() -> None:
    broken = recipient(ACME).model_copy(update={"certificate": b64encode(b"rubbish").decode()})
    with pytest.raises(EncryptionFailed, match="found a recipient's key: unexpected EOF; expected the whole file, and"):
        list(encrypted(rows(8), [broken], signing_key=None, now=now()))


def test_what_the_rows_raise_is_raised_and_the_process_ended() -> None:
    def failing() -> Iterator[bytes]:
        yield from rows(3)
        raise OSError("the lake is gone")

    before = descriptors()
    with pytest.raises(OSError, match="the lake is gone"):
        list(encrypted(failing(), [recipient(ACME)], signing_key=None, now=now()))
    assert (processes(), descriptors()) == ([], before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_is_no_end_of_the_file(number: signal.Signals) -> None:
    def killing() -> Iterator[bytes]:
        yield from rows(3)
        [process] = processes()
        process.send_signal(number)
        yield from rows(3)

    with pytest.raises(EncryptionFailed, match=f"found killed by {number.name}; expected the whole file"):
        list(encrypted(killing(), [recipient(ACME)], signing_key=None, now=now()))
    assert processes() == []


def test_a_process_that_is_killed_at_the_very_end_is_no_end_of_the_file() -> None:
    def killing() -> Iterator[bytes]:
        yield b"rows"
        [process] = processes()
        process.kill()

    with pytest.raises(EncryptionFailed, match="found killed by SIGKILL"):
        list(encrypted(killing(), [recipient(ACME)], signing_key=None, now=now()))


@pytest.mark.parametrize("taken", [1, 4])
def test_a_reader_that_stops_leaves_neither_process_nor_descriptor(taken: int) -> None:
    before = descriptors()
    stream = encrypted(rows(100), [recipient(ACME)], signing_key=None, now=now())
    for _ in range(taken):
        next(stream)
    assert len(processes()) == 1
    stream.close()
    assert (processes(), descriptors()) == ([], before)


def test_a_process_that_hangs_ends_with_its_reader() -> None:
    stream = encrypted(rows(100), [recipient(ACME)], signing_key=None, now=now())
    next(stream)
    [process] = processes()
    process.suspend()
    stream.close()
    assert processes() == []


def test_a_file_leaves_neither_process_nor_descriptor() -> None:
    before = descriptors()
    message(b"rows")
    assert (processes(), descriptors()) == ([], before)


def test_keys_reach_the_process_by_its_input_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for the process")
    stream = encrypted(rows(20), [recipient(ACME)], signing_key=bytes(SIGNER), now=now())
    next(stream)
    [process] = processes()
    assert set(process.environ()) <= {"PYTHONPATH", "LD_LIBRARY_PATH"}
    assert process.cmdline() == [sys.executable, "-S", "-P", "-m", encrypt_process.__name__]
    opened = {
        Path(f"/proc/{process.pid}/fd/{each.name}").readlink() for each in Path(f"/proc/{process.pid}/fd").iterdir()
    }
    assert {str(each).partition(":")[0] for each in opened} == {"pipe"}
    stream.close()


def test_memory_does_not_grow_with_the_file() -> None:
    def peak(mebibytes: int) -> int:
        stream = encrypted(rows(mebibytes), [recipient(ACME)], signing_key=bytes(SIGNER), now=now())
        return max(both() for _ in stream)

    assert peak(150) - peak(15) < 16 * MEBIBYTE


def both() -> int:
    """The memory of this process and of the one that encrypts."""
    return sum(each.memory_info().rss for each in (psutil.Process(), *processes()) if each.is_running())


def test_the_function_imports_sequoia_only_where_it_encrypts(run_python: Callable[[str], str]) -> None:
    loaded = run_python("import sys, referral_delivery.handlers.export; print('pysequoia' in sys.modules)")
    assert loaded.strip() == "False"


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """What a fresh interpreter prints."""

    def run(program: str) -> str:
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    return run
