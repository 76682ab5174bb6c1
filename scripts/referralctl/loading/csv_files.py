"""CSV, held against RFC 4180 before DuckDB reads it as it stands.

DuckDB takes more for CSV than is safe here: it drops blanks around quotes, and a trailing comma.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from referralctl.errors import FileRefused
from referralctl.loading.columns import attributes_of
from referralctl.loading.lines import MAX_ROW_BYTES, Advance, Text, gzipped, nth, numbered, too_long

_QUOTED = r'"[^"]*+(?:""[^"]*+)*+"'
_FIELD = rf'(?:{_QUOTED}|[^",\r\n]*+)'


def checked_csv(file: Path, advance: Advance) -> Text:
    """The file as it stands; FileRefused with the line that is no CSV of the header's columns."""
    records = _records(file, advance)
    _, header = next(records, (1, ""))
    columns = attributes_of(file, _names(file, header), place="line 1")
    record = re.compile(rf"{_FIELD}(?:,{_FIELD}){{{len(columns) - 1}}}\r?\n?")
    line_end, rows = _line_end(header), 0
    for line, text in records:
        if (end := _line_end(text)) and end != line_end:
            raise FileRefused(
                file,
                place=f"line {line}",
                found="another line end than the header's",
                expected="LF everywhere, or CRLF",
                do="write the file with one kind of line end",
            )
        if _is_blank(text) and len(columns) > 1:
            continue
        if not record.fullmatch(text):
            raise _no_record(file, line, text, len(columns))
        rows += 1
    return Text(file, columns, columns, rows, gzipped=gzipped(file))


def csv_line(file: Path, row: int) -> str:
    """Where the row of a checked CSV file begins, rows counted from 1."""
    records = _records(file, lambda _: None)
    columns = len(_names(file, next(records)[1]))
    lines = (line for line, text in records if columns == 1 or not _is_blank(text))
    return f"line {nth(lines, row)}"


def _records(file: Path, advance: Advance) -> Iterator[tuple[int, str]]:
    """Each record with the line in which it begins: one line, or more while a quote is open."""
    begun, kept, size = 1, list[str](), 0
    for line, text in numbered(file, advance):
        closed = text.count('"') % 2 == 0
        if not kept and closed:
            yield line, text
            continue
        if not kept:
            begun, size = line, 0
        kept.append(text)
        size += len(text.encode())
        if size > MAX_ROW_BYTES:
            raise too_long(file, begun)
        if len(kept) > 1 and not closed:
            yield begun, "".join(kept)
            kept.clear()
    if kept:
        raise FileRefused(
            file,
            place=f"line {begun}",
            found="a quote that does not end",
            expected='values with quotes around them, and quotes inside doubled ("")',
            do="close it",
        )


def _names(file: Path, header: str) -> list[str]:
    if _is_blank(header):
        raise FileRefused(file, found="no header", expected="a first line of attribute names", do="add it")
    try:
        return next(csv.reader([header]))
    except csv.Error as error:
        raise FileRefused(
            file, place="line 1", found="no header", expected="a first line of attribute names", do="put it right"
        ) from error


def _no_record(file: Path, line: int, text: str, columns: int) -> FileRefused:
    """What is wrong with a record: its number of fields, or else its quotes."""
    fields = 1 + re.sub(_QUOTED, "", text).count(",")
    quotes = re.fullmatch(rf"{_FIELD}(?:,{_FIELD})*\r?\n?", text) is None
    return FileRefused(
        file,
        place=f"line {line}",
        found="a quote or a carriage return inside a value without quotes"
        if quotes
        else f"{fields} field{'' if fields == 1 else 's'}",
        expected=f"{columns} fields with commas between them"
        + (', in quotes (and quotes inside doubled: "") where they hold any' if quotes else ", as in the header"),
        do="put the line right",
    )


def _line_end(text: str) -> str:
    return next((end for end in ("\r\n", "\n") if text.endswith(end)), "")


def _is_blank(text: str) -> bool:
    return not text.strip("\r\n")
