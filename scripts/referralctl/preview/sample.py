"""The first rows of a delivery, by the delivery's own query and encoder; no more of the lake is read than they need."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.file_format import FileFormat, Format
from referral_delivery.file import encode
from referral_delivery.file.rows import RowStream
from referral_delivery.lake import query
from referral_delivery.lake.connection import identifier
from referral_delivery.lake.objects import Lake, Selection
from referral_delivery.lake.query import Batch, Query, text_of
from referral_delivery.lake.refusals import OBJECT
from referralctl.preview.masking import Texts, masked_row

_FEW_OBJECTS = 4


@dataclass(frozen=True)
class Sample:
    """The first rows as a loader finds them: `types` are Parquet's own, `lines` the bytes of every other format."""

    rows: list[Texts]
    lines: bytes | None
    types: list[str] | None


def sample(
    con: duckdb.DuckDBPyConnection, contract: Contract, selection: Selection, lake: Lake, *, rows: int, mask: bool
) -> Sample:
    """The first rows that the file of a selection would hold; raises what the delivery of it would raise."""
    columns, file = contract.attributes, contract.file
    found = _first(con, query.rows(con, contract, selection, lake), rows)
    if file.format == Format.PARQUET:
        types, values = _read_back(con, _encoded(con, _of_rows(con, contract, found), file))
        if mask:
            # A masked date is no date: only what is shown is masked, and nobody gets the bytes.
            values = [masked_row(columns, row) for row in values]
        return Sample(values, None, types)
    if mask:
        found = [(*masked_row(columns, row[: len(columns)]), *row[len(columns) :]) for row in found]
    lines = _encoded(con, _of_rows(con, contract, found), file)
    return Sample([row[: len(columns)] for row in found], lines, None)


def _first(con: duckdb.DuckDBPyConnection, whole: Query, rows: int) -> list[Texts]:
    """Texts of the first rows, with their objects' names where the query gives them.

    DuckDB gathers what small objects hold until it is a few thousand rows, so a LIMIT alone would read many of them.
    """
    found: list[Texts] = []
    for part in _parts(whole):
        if len(found) == rows:
            break
        limited = f"SELECT * FROM ({part.sql}) LIMIT {rows - len(found)}"
        found += replace(part, sql=limited, objects=part.objects if part.ahead else 1, ahead=None).fetch(con)
    return found


def _parts(whole: Query) -> Iterator[Batch]:
    """The query's batches, each a few objects at first, and then more and more at a time.

    What reads ahead is for those who need all rows; where it would, small objects are asked for at once here too.
    """
    for batch in whole.batches:
        first, objects = 0, _FEW_OBJECTS
        while first < batch.objects:
            yield batch.part(first, first + objects)
            first, objects = first + objects, objects * _FEW_OBJECTS


def _of_rows(con: duckdb.DuckDBPyConnection, contract: Contract, rows: Sequence[Texts]) -> Query:
    """A query of these rows in the place of the lake's."""
    columns = contract.attributes
    if not rows:
        return Query(columns)
    names = [*map(text_of, range(len(columns))), OBJECT][: len(rows[0])]
    con.execute(f"CREATE OR REPLACE TEMP TABLE first_rows ({', '.join(f'{name} VARCHAR' for name in names)})")
    con.executemany(f"INSERT INTO first_rows VALUES ({', '.join('?' * len(names))})", rows)
    return Query(columns, [Batch("SELECT * FROM first_rows", {}, objects=1)])


def _encoded(con: duckdb.DuckDBPyConnection, rows: Query, file: FileFormat) -> bytes:
    """The rows as the delivery would write them, before they are packed."""
    with RowStream(con, encode.copies(rows, file)) as stream:
        return b"".join(encode.finished(stream, file))


def _read_back(con: duckdb.DuckDBPyConnection, parquet: bytes) -> tuple[list[str], list[Texts]]:
    """The types of a Parquet file's columns, and its rows as texts."""
    with tempfile.TemporaryDirectory(prefix="preview-") as folder:
        path = Path(folder) / "rows.parquet"
        path.write_bytes(parquet)
        read = con.execute("DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(path)}).fetchall()
        texts = ", ".join(f"{identifier(name)}::VARCHAR" for name, *_ in read)
        rows = con.execute(f"SELECT {texts} FROM read_parquet($path)", {"path": str(path)}).fetchall()
    return [type_ for _, type_, *_ in read], rows
