"""What several tests need: client files, keys, contracts and Parquet objects."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from referral_delivery.agreement.attributes import CATALOGUE
from referral_delivery.agreement.contract import Contract
from referral_delivery.file import encode
from referral_delivery.file.pack import packed
from referral_delivery.file.rows import RowStream
from referral_delivery.lake import query
from referral_delivery.lake.objects import Lake, Selection
from referral_delivery.window import HOUR, Window

# The day on which the tests' client files are read.
TODAY = date(2026, 11, 24)


def ed25519_key(comment: str = "") -> str:
    """A fresh public key's line."""
    key = Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}".rstrip()


def rsa_key(bits: int) -> str:
    """A fresh RSA public key's line."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def ecdsa_key() -> str:
    """A fresh ECDSA P-256 public key's line."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def host_key_pem(type_: str) -> str:
    """A fresh private key for the SFTP server, `ed25519` or `ecdsa`, as ssh-keygen writes it."""
    key = Ed25519PrivateKey.generate() if type_ == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def client_fields(name: str = "acme", **changed: Any) -> dict[str, Any]:
    """The fields of a good client file; a changed one of None is left out."""
    fields: dict[str, Any] = {
        "client": name,
        "contact": f"crm@{name}.example",
        "campaign_type": "email_subscription",
        "deliver_from": "2026-11-01",
        "keys": [{"label": "first", "public_key": ed25519_key()}],
        "schedule": {"timezone": "Australia/Sydney", "at": ["06:00", "18:30"]},
        "attributes": ["email", "first_name"],
    }
    return {field: value for field, value in (fields | changed).items() if value is not None}


def write_client(folder: Path, name: str = "acme", *, file: str | None = None, **changed: Any) -> Path:
    """Write a client file, and answer its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (file or f"{name}.yaml")
    if "file_" in changed:  # `file` is the name of the client file here
        changed["file"] = changed.pop("file_")
    path.write_text(yaml.safe_dump(client_fields(name, **changed), sort_keys=False), encoding="utf-8")
    return path


def contract(client: str = "acme", **changed: Any) -> Contract:
    """A contract that delivers referral ids, from 2026-11-01."""
    fields = {"client": client, "deliver_from": "2026-11-01", "attributes": ["referral_id"]}
    return Contract.model_validate(fields | changed)


@contextmanager
def catalogue_without(*names: str) -> Iterator[None]:
    """A catalogue that some attributes have left; its order is as it was when they come back."""
    whole = dict(CATALOGUE)
    for name in names:
        del CATALOGUE[name]
    try:
        yield
    finally:
        CATALOGUE.clear()
        CATALOGUE.update(whole)


def utc(text: str) -> datetime:
    """`2026-11-01 05:30` as an aware moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def parquet(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str] | None = None) -> bytes:
    """Rows as Parquet; columns are those of the first row, VARCHAR but for received_at and `types`."""
    names = list(rows[0])
    known = {"received_at": "TIMESTAMP", **(types or {})}
    columns = ", ".join(f'"{name}" {known.get(name, "VARCHAR")}' for name in names)
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE rows ({columns})")
        con.executemany(
            f"INSERT INTO rows VALUES ({', '.join('?' * len(names))})",
            [[row[name] for name in names] for row in rows],
        )
        return copied(con, "SELECT * FROM rows")


def copied(con: duckdb.DuckDBPyConnection, sql: str) -> bytes:
    """A query's rows as Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        con.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


def delivered(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    *,
    seen: Collection[bytes] = (),
    window: Window | None = None,
    **fields: Any,
) -> str:
    """The text file of a lake's objects, of which those named `seen` had been read before."""
    return file_of(con, lake, contract(**fields), seen=seen, window=window).decode()


def file_of(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    agreed: Contract,
    *,
    seen: Collection[bytes] = (),
    window: Window | None = None,
) -> bytes:
    """The bytes of a file, as they would be uploaded."""
    window = window or Window(utc("2026-11-20 00:00"), utc("2026-11-21 00:00"))
    selection = selected(lake, window, seen=seen)
    with RowStream(con, encode.copies(query.rows(con, agreed, selection, lake), agreed.file)) as stream:
        plain = encode.finished(stream, agreed.file)
        return b"".join(packed(plain, agreed.file.compression, name=f"inside.{agreed.file.format}"))


def selected(lake: Lake, window: Window, *, client: str = "acme", seen: Collection[bytes] = ()) -> Selection:
    """A window's objects, of which those named `seen` had been read before."""
    listed = lake.objects(client, window, deliver_from=date(2026, 11, 1))
    read = [found for found in listed if found.name_hash in seen]
    return Selection(
        window,
        [found for found in read if found.hour + HOUR > window.start],
        [found for found in listed if found not in read],
    )
