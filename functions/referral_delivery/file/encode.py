"""A contract's format: which COPYs write the rows, and what is done to their bytes."""

from collections.abc import Iterable, Iterator

from referral_delivery.agreement.file_format import FileFormat, Format
from referral_delivery.file import jsonl, parquet, text
from referral_delivery.file.rows import Copy
from referral_delivery.lake.query import Query


def copies(query: Query, file: FileFormat) -> list[Copy]:
    """What DuckDB is to write, in order."""
    match file.format:
        case Format.JSONL:
            return jsonl.copies(query)
        case Format.PARQUET:
            return parquet.copies(query)
    return text.copies(query, file)


def finished(blocks: Iterable[bytes], file: FileFormat) -> Iterator[bytes]:
    """What DuckDB has written, as the client gets it."""
    yield from text.finished(blocks, file) if file.is_text else blocks
