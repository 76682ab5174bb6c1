"""Rows as CSV and its kin: DuckDB writes them with line feeds; CRLF and the byte order mark are made here."""

import codecs
from collections.abc import Iterable, Iterator

from referral_delivery.agreement.file_format import QUOTE, FileFormat, LineEnding, Quote
from referral_delivery.file.rows import Copy
from referral_delivery.lake.connection import identifier, literal
from referral_delivery.lake.query import Query, text_of

_QUOTE, _LF, _CRLF = QUOTE.encode(), b"\n", b"\r\n"


def copies(query: Query, file: FileFormat) -> list[Copy]:
    """What writes the rows: the header, and then one batch after another."""
    options = (
        f"FORMAT csv, DELIMITER {literal(file.between)}, QUOTE {literal(QUOTE)}, ESCAPE {literal(QUOTE)}, "
        f"NULLSTR {literal(file.null)}"
    )
    # A line that is blank is no row to most readers: a row of one empty text is `""`.
    alone = len(query.columns) == 1
    if file.quote == Quote.ALL or (alone and file.null):
        options += ", FORCE_QUOTE *"
    names = ", ".join(f"NULL AS {identifier(column.name)}" for column in query.columns)
    header = [Copy(f"SELECT {names} LIMIT 0", f"{options}, HEADER true", {})] if file.header else []
    texts = ", ".join(map(text_of, range(len(query.columns))))
    if alone and not file.null:
        texts = f"coalesce({texts}, '')"
    return header + [
        Copy(
            f"SELECT {texts} FROM ({batch.sql})",
            f"{options}, HEADER false",
            batch.parameters,
            [batch.ahead] if batch.ahead else [],
        )
        for batch in query.batches
    ]


def finished(blocks: Iterable[bytes], file: FileFormat) -> Iterator[bytes]:
    """The bytes as the client gets them."""
    if file.bom:
        yield codecs.BOM_UTF8
    yield from _with_crlf(blocks) if file.line_ending == LineEnding.CRLF else blocks


def _with_crlf(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Rows end with CRLF; what stands between quotes stays as it is.

    A quote inside a value is written twice, so that what is outside changes with each quote, also across blocks.
    """
    inside = False
    for block in blocks:
        pieces = block.split(_QUOTE)
        pieces[inside::2] = [piece.replace(_LF, _CRLF) for piece in pieces[inside::2]]
        inside ^= len(pieces) % 2 == 0
        yield _QUOTE.join(pieces)
