"""A selection of the lake's objects → a file that is uploaded whole, and that nobody sees yet."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice

import duckdb

from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.file_format import Compression, FileFormat
from referral_delivery.errors import ContractError, DataError, EncryptionFailed, SigningKeyUnusable
from referral_delivery.file import encode
from referral_delivery.file.encrypt import check_recipients, encrypted
from referral_delivery.file.pack import Hashed, packed
from referral_delivery.file.rows import RowStream
from referral_delivery.file.signing import NO_SIGNING_KEY, SigningKey
from referral_delivery.file.upload import UploadedParts, Uploads
from referral_delivery.lake import query
from referral_delivery.lake.objects import Lake, Selection
from referral_delivery.window import to_text


@dataclass(frozen=True)
class Written:
    """An uploaded file, not yet visible, and what it holds."""

    parts: UploadedParts
    rows: int
    late_rows: int


@dataclass(frozen=True, kw_only=True)
class FileWriter:
    """Writes files; `connect` gives a DuckDB that reads the lake, `now` the moment at which PGP keys must be valid."""

    lake: Lake
    uploads: Uploads
    connect: Callable[[], duckdb.DuckDBPyConnection]
    signing_key: SigningKey = NO_SIGNING_KEY
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def write(
        self,
        contract: Contract,
        selection: Selection,
        *,
        key: str,
        metadata: Mapping[str, str],
        skip_empty: bool,
        first_key: str | None = None,
    ) -> Written | None:
        """Upload the selection's rows under `key`; None, and no upload, for no rows that are to be skipped.

        `first_key` is the one under which they were delivered before. What is wrong with the data, or with the
        keys of an encrypted file, says client and window too.
        """
        inside = _name_inside(first_key or key, contract.file)
        try:
            if contract.file.pgp:
                check_recipients(contract.file.pgp.recipients, self.now())
            with self.connect() as con:
                return self._write(
                    con, contract, selection, key=key, inside=inside, metadata=metadata, skip_empty=skip_empty
                )
        except (DataError, ContractError, EncryptionFailed, SigningKeyUnusable) as error:
            window = selection.window
            raise type(error)(
                f"client {contract.client}, window {to_text(window.start)} to {to_text(window.end)}: {error}"
            ) from error

    def _write(
        self,
        con: duckdb.DuckDBPyConnection,
        contract: Contract,
        selection: Selection,
        *,
        key: str,
        inside: str,
        metadata: Mapping[str, str],
        skip_empty: bool,
    ) -> Written | None:
        rows, file = query.rows(con, contract, selection, self.lake), contract.file
        late_rows = query.count_late(con, rows)
        with RowStream(con, encode.copies(rows, file)) as stream:
            blocks = iter(stream)
            # A stream of less than two blocks has been read to its end by this, and its rows are known.
            head = list(islice(blocks, 2))
            if stream.rows == 0 and skip_empty:
                return None
            plain = Hashed(encode.finished(chain(head, blocks), file))
            written = packed(plain, Compression(file.compression), name=inside)
            parts = self._upload(key, written, file, metadata)
        parts = replace(parts, plain_hash=plain.hash)
        assert stream.rows is not None  # noqa: S101 - the upload has read the stream to its end
        return Written(parts, stream.rows, late_rows)

    def _upload(
        self, key: str, blocks: Iterable[bytes], file: FileFormat, metadata: Mapping[str, str]
    ) -> UploadedParts:
        """Upload the blocks, encrypted where the file is to be; nothing of such a file is uploaded in plain."""
        if not file.pgp:
            return self.uploads.upload(key, blocks, content_type=file.content_type, metadata=metadata)
        signing_key = self.signing_key.read() if file.pgp.sign else None
        with closing(encrypted(blocks, file.pgp.recipients, signing_key=signing_key, now=self.now())) as sealed:
            return self.uploads.upload(key, sealed, content_type=file.content_type, metadata=metadata)


def _name_inside(key: str, file: FileFormat) -> str:
    """What a zip calls the file in it."""
    name = key.rsplit("/", 1)[1]
    return f"{name.removesuffix(file.ending)}.{file.format}"
