"""Every format, dialect and packing, over rows that break loaders, read back by readers that are not ours."""

import csv
import gzip
import io
import itertools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from referral_delivery.agreement.file_format import Compression, FileFormat, Format
from referral_delivery.errors import InexactValue
from referral_delivery.file.encrypt import encrypted
from referral_delivery.file.parquet import ROW_GROUP_ROWS
from tests.model import FolderLake
from tests.pgp import decrypted, now, recipient, secret_key
from tests.rows import COLUMNS, HEADER, ROWS, Row, lines_of, object_of
from tests.support import contract, copied, file_of, parquet, utc

HOUR = utc("2026-11-20 09:00")
KEY = secret_key()
CSV = {"format": "csv"}
BETWEEN = [CSV, CSV | {"delimiter": ";"}, CSV | {"delimiter": "^"}, {"format": "tsv"}, {"format": "psv"}]
ENDS, MARKS, QUOTES, HEADERS = ("lf", "crlf"), (False, True), ("minimal", "all"), (True, False)
NULLS = ("", "NULL", "\\N")
DIALECTS: list[dict[str, Any]] = [
    between | {"line_ending": end, "bom": bom, "quote": quote, "header": header, "null": null}
    for between, end, bom, quote, header, null in itertools.product(BETWEEN, ENDS, MARKS, QUOTES, HEADERS, NULLS)
]
Lakes = dict[str, FolderLake]


def name_of(dialect: dict[str, Any]) -> str:
    return " ".join(str(value) for name, value in dialect.items() if value != FileFormat.model_fields[name].default)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    """A lake for each kind of rows."""
    made = {}
    for kind, rows in ROWS.items():
        made[kind] = FolderLake(tmp_path_factory.mktemp(kind))
        if rows:
            made[kind].put("acme", HOUR, object_of(rows))
    return made


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def made(con: duckdb.DuckDBPyConnection, lake: FolderLake, columns: Any = COLUMNS, **file: Any) -> bytes:
    return file_of(con, lake, contract(attributes=columns, file=file))


def by_python(content: bytes, file: FileFormat) -> list[list[str | None]]:
    """The csv module cannot tell nothing from an empty text, or from the word for nothing."""
    text = content.decode("utf-8-sig" if file.bom else "utf-8")
    read = csv.reader(io.StringIO(text, newline=""), delimiter=file.between, strict=True)
    return [[None if value in ("", file.null) else value for value in row] for row in read]


def by_duckdb(content: bytes, file: FileFormat, path: Path) -> list[list[str | None]]:
    path.write_bytes(content)
    names = ", ".join(f"'{name}': 'VARCHAR'" for name in HEADER)
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT * FROM read_csv('{path}', delim = '{file.between}', quote = '\"', escape = '\"', "
            f"header = {file.header}, nullstr = '{file.null}', allow_quoted_nulls = false, auto_detect = false, "
            f"columns = {{{names}}}, max_line_size = 10_000_000, parallel = false)"
        )
        return [list(row) for row in found.fetchall()]


def by_polars(content: bytes, file: FileFormat) -> list[list[str | None]]:
    """Polars takes a word in quotes for nothing, and, without quotes, an empty text."""
    read = pl.read_csv(
        content,
        separator=file.between,
        has_header=file.header,
        infer_schema=False,
        null_values=file.null or None,
    )
    return [list(row) for row in read.iter_rows()]


def without(rows: list[Row], *words: str) -> list[list[str | None]]:
    """The texts of rows, with nothing in the place of some words."""
    return [[None if text in words else text for text in row.texts()] for row in rows]


@pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)
def test_every_dialect_is_read_back_by_others(
    con: duckdb.DuckDBPyConnection, lakes: Lakes, tmp_path: Path, dialect: dict[str, Any]
) -> None:
    file = FileFormat.model_validate(dialect)
    for kind in ("empty", "one", "nasty"):
        rows, content, header = ROWS[kind], made(con, lakes[kind], **dialect), [HEADER] if file.header else []
        assert content.startswith(b"\xef\xbb\xbf") == file.bom
        assert by_python(content, file) == header + without(rows, "", file.null)
        if rows or file.header:
            assert by_duckdb(content, file, tmp_path / "rows") == without(rows)
            nothing = {file.null or None, None if file.quote == "all" or not file.null else ""} - {None}
            assert by_polars(content, file) == without(rows, *map(str, nothing))


@pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)
def test_rows_end_as_the_dialect_says_and_quotes_stand_where_it_says(
    con: duckdb.DuckDBPyConnection, lakes: Lakes, dialect: dict[str, Any]
) -> None:
    file = FileFormat.model_validate(dialect)
    content = made(con, lakes["one"], ["referral_id", "state"], **dialect).decode("utf-8-sig")
    end = "\r\n" if file.line_ending == "crlf" else "\n"
    quoted = (lambda text: f'"{text}"') if file.quote == "all" else str
    lines = [["referral_id", "state"], ["r-000001", "NSW"]][0 if file.header else 1 :]
    assert content == "".join(file.between.join(map(quoted, line)) + end for line in lines)


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("quote", QUOTES)
def test_a_row_of_one_column_is_no_blank_line(
    con: duckdb.DuckDBPyConnection, lakes: Lakes, null: str, quote: str
) -> None:
    """Python's csv module, and most loaders, leave blank lines out."""
    content = made(con, lakes["nasty"], ["state"], null=null, quote=quote)
    assert len(by_python(content, FileFormat(null=null))) == len(ROWS["nasty"]) + 1


def test_nothing_and_an_empty_text_are_told_apart(con: duckdb.DuckDBPyConnection, lakes: Lakes) -> None:
    two = ["state", {"name": "feed", "value": "x"}]
    first = made(con, lakes["nasty"], two).splitlines()[1:3]
    assert first == [b",x", b'"",x']
    assert made(con, lakes["nasty"], two, quote="all").splitlines()[1:3] == [b',"x"', b'"","x"']
    assert made(con, lakes["nasty"], two, null="NULL").splitlines()[1:3] == [b"NULL,x", b",x"]


def test_without_a_header_no_rows_are_no_bytes(con: duckdb.DuckDBPyConnection, lakes: Lakes) -> None:
    assert made(con, lakes["empty"], header=False) == b""
    assert made(con, lakes["empty"], header=False, bom=True) == b"\xef\xbb\xbf"


def test_the_formula_guard_puts_an_apostrophe_before_what_excel_would_run_and_nothing_else(
    con: duckdb.DuckDBPyConnection, lakes: Lakes
) -> None:
    read = by_python(made(con, lakes["nasty"], formula_guard=True), FileFormat())[1:]
    risky = {index for index, row in enumerate(ROWS["nasty"]) if (row.state or "x")[0] in "=+-@\t\r\n"}
    assert risky
    for index, row in enumerate(ROWS["nasty"]):
        assert read[index][1] == (f"'{row.state}" if index in risky else row.state or None)
    numbers = by_python(made(con, lakes["many"], formula_guard=True), FileFormat())[1:]
    assert numbers == without(ROWS["many"])  # of these, some are negative


def test_jsonl_holds_strings_numbers_booleans_and_null(con: duckdb.DuckDBPyConnection, lakes: Lakes) -> None:
    for kind, rows in ROWS.items():
        read = lines_of(made(con, lakes[kind], format="jsonl").decode())
        assert [list(line) for line in read] == [HEADER] * len(rows)
        wanted = [[row.referral_id, row.state, row.age, row.bid_price, *row.texts()[4:7], True] for row in rows]
        assert [list(line.values()) for line in read] == wanted


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("0.1", "0.1"),
        ("-12345678.9012345", "-12345678.9012345"),
        ("123456789012345", "123456789012345"),
        ("1234567890123456", '"1234567890123456"'),
        ("-9007199254740993", '"-9007199254740993"'),
        ("0.1234567890123456", '"0.1234567890123456"'),
    ],
)
def test_a_number_that_a_double_may_not_give_back_is_a_string_in_jsonl(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, number: str, written: str
) -> None:
    lake = landed(tmp_path, {"bid_price": "DECIMAL(38,18)"}, bid_price=number)
    assert made(con, lake, ["bid_price"], format="jsonl") == f'{{"bid_price":{written}}}\n'.encode()


def landed(folder: Path, types: dict[str, str], **values: Any) -> FolderLake:
    """A lake of one row."""
    lake = FolderLake(folder)
    lake.put("acme", HOUR, parquet([{**values, "received_at": "2026-11-20 09:00"}], types))
    return lake


PARQUET_TYPES = {
    "referral_id": "string", "state": "string", "age": "int64", "bid_price": "decimal128(38, 9)",
    "birth_date": "date32[day]", "opted_in_at": "timestamp[us, tz=UTC]", "feed": "string", "live": "bool",
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_parquet_has_the_same_typed_columns_whatever_the_rows(
    con: duckdb.DuckDBPyConnection, lakes: Lakes, kind: str, tmp_path: Path
) -> None:
    content = made(con, lakes[kind], format="parquet")
    read = pq.read_table(io.BytesIO(content))
    assert {field.name: str(field.type) for field in read.schema} == PARQUET_TYPES
    wanted = [
        {
            "referral_id": row.referral_id, "state": row.state, "age": row.age, "bid_price": row.bid_price,
            "birth_date": row.birth_date, "opted_in_at": row.opted_in_at, "feed": "partner-7", "live": True,
        }
        for row in ROWS[kind]
    ]  # fmt: skip
    assert read.to_pylist() == wanted
    (tmp_path / "rows.parquet").write_bytes(content)
    assert pl.read_parquet(content).to_dicts() == wanted
    assert con.execute(f"SELECT count(*) FROM '{tmp_path}/rows.parquet'").fetchall() == [(len(wanted),)]


def test_parquet_is_packed_by_zstd_in_row_groups_that_fit_the_memory(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    rows = ROW_GROUP_ROWS * 2 + 5
    lake = FolderLake(tmp_path)
    lake.put(
        "acme", HOUR, copied(con, f"SELECT TIMESTAMP '2026-11-20 09:00' AS received_at, 1 AS age FROM range({rows})")
    )
    read = pq.ParquetFile(io.BytesIO(made(con, lake, ["age"], format="parquet"))).metadata
    groups = [read.row_group(number) for number in range(read.num_row_groups)]
    assert [group.num_rows for group in groups] == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 5]
    assert {group.column(0).compression for group in groups} == {"ZSTD"}


@pytest.mark.parametrize(
    ("type_", "value", "said"),
    [
        ("UBIGINT", 2**63, "a value that BIGINT cannot hold; choose another format"),
        ("DECIMAL(38,12)", "0.0000000001", r"a value that DECIMAL\(38, 9\) cannot hold; say `places:`"),
        ("DOUBLE", 1e30, r"a value that DECIMAL\(38, 9\) cannot hold; say `places:`"),
        ("TIMESTAMP_NS", "2026-11-20 09:00:00.000000001", "TIMESTAMPTZ cannot hold; say `format: iso`"),
    ],
)
def test_what_a_parquet_column_cannot_hold_exactly_is_refused_with_its_object(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, type_: str, value: Any, said: str
) -> None:
    column = {"UBIGINT": "age", "TIMESTAMP_NS": "opted_in_at"}.get(type_, "bid_price")
    lake = landed(tmp_path, {column: type_}, **{column: value})
    with pytest.raises(InexactValue, match=rf"000000\.parquet holds for column '{column}' .*{said}"):
        made(con, lake, [column], format="parquet")


def unzipped(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        [name] = archive.namelist()
        return archive.read(name)


UNPACK: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.NONE: bytes, Compression.GZIP: gzip.decompress, Compression.ZIP: unzipped,
}  # fmt: skip
PACKED = [
    (format_, compression)
    for format_, compression in itertools.product(Format, Compression)
    if format_ != Format.PARQUET or compression == Compression.NONE
]


@pytest.mark.parametrize(("format_", "compression"), PACKED)
@pytest.mark.parametrize("kind", ROWS)
def test_packing_changes_no_byte_and_the_same_rows_are_the_same_bytes(
    con: duckdb.DuckDBPyConnection, lakes: Lakes, kind: str, format_: Format, compression: Compression
) -> None:
    one, other = (made(con, lakes[kind], format=format_, compression=compression) for _ in range(2))
    assert one == other
    assert UNPACK[compression](one) == made(con, lakes[kind], format=format_)


@pytest.mark.parametrize(("format_", "compression"), PACKED)
def test_an_encrypted_file_of_each_format_and_packing_is_opened_by_sequoia(
    con: duckdb.DuckDBPyConnection, lakes: Lakes, format_: Format, compression: Compression
) -> None:
    for kind in ROWS:
        plain = made(con, lakes[kind], format=format_, compression=compression)
        message = b"".join(encrypted([plain], [recipient(KEY)], signing_key=None, now=now()))
        assert plain not in message or not plain
        assert decrypted(message, KEY) == plain
