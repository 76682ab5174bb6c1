"""A client's files, read as the client would, and what they are to hold; made without the code that is on show."""

import csv
import gzip
import hashlib
import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pysequoia

from demonstration.samples import COLUMNS, referrals
from referral_delivery.agreement.client import Client
from referral_delivery.agreement.column import Column

Line = tuple[str, ...]


@dataclass(frozen=True)
class PgpKey:
    """A client's own PGP key, and the program that it was made with and opens files with: gpg, or Sequoia."""

    secret: bytes
    public: str
    program: str

    def opened(self, content: bytes) -> bytes:
        """What an encrypted file holds; no bytes where the key does not open it."""
        if self.program == "gpg":
            with _gnupg() as gpg:
                subprocess.run([*gpg, "--import"], input=self.secret, capture_output=True, check=True)
                return subprocess.run([*gpg, "--decrypt"], input=content, capture_output=True, check=False).stdout
        decryptor = pysequoia.Tsk.from_bytes(self.secret).decryptor()
        return pysequoia.decrypt(content, decryptor).bytes or b""


def make_pgp_key(user_id: str) -> PgpKey:
    """A new key pair, made with GnuPG where it is installed, else with Sequoia."""
    if not (shutil.which("gpg") and shutil.which("gpgconf")):
        made = pysequoia.Tsk.generate(user_id)
        return PgpKey(bytes(made), str(made.extract_certificate()), "Sequoia")
    with _gnupg() as gpg:
        subprocess.run([*gpg, "--quick-generate-key", user_id, "future-default"], capture_output=True, check=True)
        public, secret = (
            subprocess.run([*gpg, "--armor", export], capture_output=True, check=True).stdout
            for export in ("--export", "--export-secret-keys")
        )
    return PgpKey(secret, public.decode(), "gpg")


def lines(content: bytes, client: Client, key: PgpKey | None) -> list[Line]:
    """The rows of a file, without its header."""
    file = client.file
    if file.pgp and key:
        content = key.opened(content)
    text = (gzip.decompress(content) if file.compression == "gzip" and content else content).decode("utf-8")
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=file.delimiter or ",")][1:]


def expected(client: Client, *, first: int, count: int) -> list[Line]:
    """The client's columns of the sample rows."""
    sample = (dict(zip(COLUMNS, row, strict=True)) for row in referrals(count, first=first))
    return [tuple(_written(column, row, client.file.null) for column in client.attributes) for row in sample]


def _written(column: Column, row: dict[str, str | None], null: str) -> str:
    if column.source is None:
        return str(column.value)
    value = row[column.source]
    if column.source == "opted_in_at" and value:
        value = _moment(value, column)
    if column.map or column.if_empty:
        value = _mapped(value, column)
    if column.transform and value:
        value = hashlib.new(column.transform, value.strip().lower().encode()).hexdigest()
    return null if value is None else value


def _moment(value: str, column: Column) -> str:
    if column.format is None:
        return value.replace(" ", "T") + ".000000Z"
    moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
    return moment.astimezone(ZoneInfo(column.timezone or "UTC")).strftime(column.format)


def _mapped(value: str | None, column: Column) -> str | None:
    if not (value or "").strip():
        return value if column.if_empty is None else str(column.if_empty)
    for kind, text, output in column.map.entries if column.map else ():
        if value == text or (kind == "contains" and text in str(value)):
            return str(output)
    return value if column.if_no_match is None else str(column.if_no_match)


@contextmanager
def _gnupg() -> Iterator[list[str]]:
    """GnuPG without keys. Its home's path is short: its agent's socket has room for 107 characters."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        try:
            loopback = ["--pinentry-mode", "loopback", "--passphrase", ""]
            yield ["gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", *loopback]
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True, check=False)
