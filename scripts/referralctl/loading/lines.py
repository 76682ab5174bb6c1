"""The lines of a file of text, and what DuckDB reads of such a file once its format is checked."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from referralctl.errors import FileRefused

# Half of what DuckDB reads as one line of CSV, and far more than a referral has.
MAX_ROW_BYTES = 1_000_000
_BOM = b"\xef\xbb\xbf"

Advance = Callable[[int], object]


@dataclass(frozen=True)
class Text:
    """CSV that DuckDB reads without a doubt: its columns in order, those that hold something, and its rows."""

    path: Path
    columns: list[str]
    present: list[str]
    rows: int
    gzipped: bool = False


def numbered(file: Path, advance: Advance) -> Iterator[tuple[int, str]]:
    """Lines with their ends, numbered from 1; only LF ends one. `advance` is told of the bytes read."""
    with file.open("rb") as raw, gzip.open(raw) if gzipped(file) else nullcontext(raw) as content:
        told = 0
        try:
            for line, found in enumerate(iter(lambda: content.readline(MAX_ROW_BYTES + 1), b""), 1):
                if len(found) > MAX_ROW_BYTES:
                    raise too_long(file, line)
                try:
                    text = (found.removeprefix(_BOM) if line == 1 else found).decode()
                except UnicodeDecodeError as error:
                    raise not_unicode(file, line) from error
                yield line, text
                if line % 1_000 == 0:
                    advance((at := raw.tell()) - told)
                    told = at
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileRefused(
                file, found="damaged gzip", expected="a whole gzip file", do="compress it again"
            ) from error


def too_long(file: Path, line: int) -> FileRefused:
    return FileRefused(
        file,
        place=f"line {line}",
        found=f"a row of more than {MAX_ROW_BYTES:,} bytes",
        expected="a referral, or a quote that ends",
        do="close the quote, or shorten the row",
    )


def not_unicode(file: Path, line: int) -> FileRefused:
    return FileRefused(
        file, place=f"line {line}", found="text that is not UTF-8", expected="UTF-8", do="write the file in UTF-8"
    )


def gzipped(file: Path) -> bool:
    return file.suffix.lower() == ".gz"


def nth(lines: Iterator[int], row: int) -> int:
    return next(line for number, line in enumerate(lines, 1) if number == row)
