"""`lake load`: which files are read, and the one line with which any other is refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from referralctl.errors import FileRefused
from referralctl.loading.rules import check
from referralctl.loading.source import Source
from tests.loaded import loaded, refusal
from tests.support import utc

File = Callable[..., Path]


@pytest.fixture
def file(tmp_path: Path) -> File:
    """Makes a file of a name and a content, text or bytes."""

    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


@pytest.mark.parametrize("name", ["r.csv", "r.CSV", "r.csv.gz", "r.jsonl", "r.NDJSON", "r.ndjson.GZ", "r.2026.csv"])
def test_a_file_of_text_is_known_by_its_name_in_any_case(file: File, name: str) -> None:
    content = b"referral_id\nr-1\n" if "csv" in name.lower() else b'{"referral_id": "r-1"}\n'
    assert loaded(file(name, gzip.compress(content) if name.lower().endswith("gz") else content), "referral_id") == [
        ("r-1",)
    ]


@pytest.mark.parametrize("name", ["r.parquet", "r.PARQUET", "r.pq", "r.PQ"])
def test_a_parquet_file_is_known_by_its_name_in_any_case(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    duckdb.sql(f"COPY (SELECT 'r-1' AS referral_id) TO '{path}' (FORMAT parquet)")
    assert loaded(path, "referral_id") == [("r-1",)]


@pytest.mark.parametrize("name", ["r.xlsx", "r.json", "r.parquet.gz", "r", "r.csv.zip", "r.csv.zst"])
def test_another_name_is_refused_with_those_that_are_read(file: File, name: str) -> None:
    assert refusal(file(name, "referral_id\nr-1\n")).endswith(
        "expected one of .csv, .csv.gz, .jsonl, .ndjson, .jsonl.gz, .ndjson.gz, .parquet, .pq; "
        "name the file by what it is"
    )


def test_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "r.csv").startswith("r.csv: found no file; expected a file of referrals")


@pytest.mark.parametrize("folder", ["dt=2026-11-01", "[a]*", "it's"])
def test_a_path_is_a_path_and_no_pattern_or_partition(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "r?[1].csv"
    path.write_text("referral_id\nr-1\n")
    assert loaded(path, "*") == [("r-1",)]
    duckdb.sql("COPY (SELECT 'r-1' AS referral_id) TO $path (FORMAT parquet)", params={"path": str(tmp_path / "r.pq")})
    (tmp_path / "r.pq").rename(tmp_path / folder / "r.pq")
    assert loaded(tmp_path / folder / "r.pq", "*") == [("r-1",)]


def test_a_columns_capitals_do_not_matter_and_the_lake_gets_the_catalogues_name(file: File) -> None:
    assert loaded(file("r.csv", "Referral_ID,EMAIL\nr-1,a@b.example\n"), "columns(*)") == [("r-1", "a@b.example")]
    lines = file("r.jsonl", '{"referral_id": "r-1", "Email": "x"}\n{"REFERRAL_ID": "r-2", "state": "NSW"}\n')
    assert loaded(lines, "referral_id", "email", "state") == [("r-1", "x", None), ("r-2", None, "NSW")]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("referral_id,emial", "r.csv, line 1, column 'emial': expected attributes: referral_id, received_at, "),
        ("referral_id,emial", "; did you mean 'email'?"),
        ("referral_id,First Name", "; did you mean 'first_name'?"),
        ("referral_id,xyzzy", "; rename it or take it out"),
        ("referral_id, email", "column ' email': expected attributes: "),
        ("referral_id,", "column '': expected attributes: "),
        ("referral_id;email", "column 'referral_id;email': expected attributes: "),
        ("referral_id,email,Email", "column 'Email': found a second column of that name; expected each attribute once"),
        ("email", "r.csv: found no column 'referral_id'; expected an identity for every referral; add the column"),
        ("", "r.csv: found no header; expected a first line of attribute names; add it"),
        ("\nreferral_id", "r.csv: found no header; expected a first line of attribute names; add it"),
    ],
)
def test_a_header_that_is_none_of_attributes_is_refused(file: File, header: str, said: str) -> None:
    assert said in refusal(file("r.csv", f"{header}\n"))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a,b", "c"], "line 3: found 1 field; expected 2 fields"),
        (["a,b,"], "line 2: found 3 fields; expected 2 fields with commas between them, as in the header"),
        (['"x\ny",b', '"p,q\n\n",r,s'], "line 4: found 3 fields; expected 2 fields"),
        (['a, "b"'], "line 2: found a quote or a carriage return inside a value without quotes"),
        (['a,"b" '], "line 2: found a quote or a carriage return inside a value without quotes"),
        (['a,5" screen'], "line 2: found a quote that does not end"),
        (["a,b", 'c,5" by 7"'], "line 3: found a quote or a carriage return inside a value without quotes"),
        (["a,b", '"c', "d,e"], "line 3: found a quote that does not end; expected values with quotes around them"),
        (["a,b\rc,d"], "line 2: found a quote or a carriage return inside a value without quotes"),
        (["a,b", "c,d\r"], "line 3: found another line end than the header's; expected LF everywhere, or CRLF"),
        (["a,b", "  "], "line 3: found 1 field; expected 2 fields"),
        (["a,b", "c," + "x" * 1_000_000], "line 3: found a row of more than 1,000,000 bytes"),
        (["a,b", '"c' + "é\n" * 500_000], "line 3: found a row of more than 1,000,000 bytes"),
    ],
)
def test_a_line_that_is_no_row_of_the_header_is_refused_with_its_number(file: File, rows: list[str], said: str) -> None:
    assert said in refusal(file("r.csv", "\n".join(["referral_id,email", *rows]) + "\n"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_may_be_quoted_have_line_ends_inside_and_blank_lines_between(file: File, end: str) -> None:
    lines = ["referral_id,ad_text", '"r-1","a\nb"', "", 'r-2,"c\r\nd"', "", ""]
    expected = [("r-1", "a\nb"), ("r-2", "c\r\nd")]
    for content in (end.join(lines), end.join(lines).rstrip()):
        for mark in ("", "\ufeff"):
            assert loaded(file("r.csv", mark + content), "referral_id", "ad_text") == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", b"referral_id,email\nr-1,x\nr-2,caf\xe9\n"),
        ("r.jsonl", b'{"referral_id": "r-1"}\n\n{"referral_id": "caf\xe9"}\n'),
        ("r.jsonl", b'{"referral_id": "r-1"}\n\n{"referral_id": "\\ud800"}\n'),
    ],
)
def test_text_that_is_not_utf_8_is_refused_with_its_line(file: File, name: str, content: bytes) -> None:
    assert refusal(file(name, content)) == (
        f"{name}, line 3: found text that is not UTF-8; expected UTF-8; write the file in UTF-8"
    )


def test_utf_16_is_refused(file: File) -> None:
    assert "line 1: found text that is not UTF-8" in refusal(file("r.csv", "referral_id\nr-1\n".encode("utf-16")))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"referral_id\n" * 999, mtime=0)[:-20]])
def test_a_damaged_gzip_is_refused(file: File, content: bytes) -> None:
    assert "r.csv.gz: found damaged gzip; expected a whole gzip file" in refusal(file("r.csv.gz", content))


def test_a_parquet_file_that_is_none_is_refused(file: File) -> None:
    assert refusal(file("r.parquet", "PAR1")) == (
        "r.parquet: found no Parquet; expected a whole Parquet file; write it again"
    )


def test_a_parquet_file_with_a_damaged_page_is_refused_without_a_value(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    rows = "SELECT 'secret-' || range AS referral_id FROM range(5000)"
    duckdb.sql(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION gzip)")
    body = bytearray(path.read_bytes())
    for position in range(100, 4_000):
        body[position] ^= 0x5A
    path.write_bytes(body)
    said = refusal(path)
    assert "found what DuckDB cannot read or hold" in said
    assert "secret" not in said


def test_a_parquet_file_whose_text_is_no_utf_8_is_told_so_without_the_text(tmp_path: Path) -> None:
    octets = pa.array([b"r-1", b"secret-\xff"], pa.binary())
    text = pa.Array.from_buffers(pa.utf8(), len(octets), octets.buffers())
    pq.write_table(pa.table({"referral_id": text}), tmp_path / "r.parquet")
    assert refusal(tmp_path / "r.parquet") == (
        "r.parquet: found text that is no UTF-8; expected text in UTF-8; write the file again in UTF-8"
    )


@pytest.mark.parametrize("blank", ["\u00a0", "\u200b", "\0", "\ufeff\u3000 \t"])
def test_an_identity_that_people_see_nothing_of_is_none(tmp_path: Path, blank: str) -> None:
    pq.write_table(pa.table({"referral_id": ["r-1", "r\u00a0-\u200b2", blank]}), tmp_path / "r.parquet")
    assert refusal(tmp_path / "r.parquet").startswith("r.parquet, row 3, column 'referral_id': found no value")
    (tmp_path / "r.csv").write_text(f"referral_id,state\nr-1,NSW\n{blank},NSW\n", encoding="utf-8")
    assert refusal(tmp_path / "r.csv").startswith("r.csv, line 3, column 'referral_id': found no value")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("r.jsonl", "[]\n", "line 1: found no object; expected one object in each line"),
        ("r.jsonl", '\n{"referral_id": "a", "colour": 1}\n', "line 2, column 'colour': expected attributes: "),
        (
            "r.jsonl",
            '{"referral_id": "a", "referral_id": "b"}\n',
            "line 1, column 'referral_id': found a second column",
        ),
        ("r.jsonl", "", "r.jsonl: found no column 'referral_id'"),
        ("r.jsonl", '{"referral_id": "' + "x" * 1_000_000 + '"}', "line 1: found a row of more than 1,000,000 bytes"),
        ("r.jsonl", '{"referral_id": "a"}\n\n{"email": "b"}\n', "line 3, column 'referral_id': found no value"),
        ("r.csv", "referral_id\nr-1\n\nr-2\n", "line 3, column 'referral_id': found no value; expected an identity"),
        ("r.csv", 'referral_id,email\nr-1,x\n"\n\t ",\n', "line 3, column 'referral_id': found no value"),
        (
            "r.csv",
            "referral_id,email\na,\nb,\n\na,\n",
            "line 5, column 'referral_id': found the identity of line 2 again",
        ),
        (
            "r.csv",
            "referral_id,received_at\na,2026-11-24 11:00:00\nb,\n",
            "line 3, column 'received_at': found no value",
        ),
        (
            "r.csv",
            "referral_id,received_at\na,2026-11-24 12:05:01\n",
            "line 2, column 'received_at': found a time that",
        ),
    ],
)
def test_a_file_that_is_not_as_the_lakes_contract_says_is_refused(
    file: File, name: str, content: str, said: str
) -> None:
    assert said in refusal(file(name, content))


def test_clocks_may_be_five_minutes_apart(file: File) -> None:
    content = "referral_id,received_at\na,2026-11-24 12:05:00\n"
    assert loaded(file("r.csv", content), "received_at") == [(utc("2026-11-24 12:05").replace(tzinfo=None),)]


def test_the_first_wrong_row_is_named_whatever_its_column(file: File) -> None:
    content = 'referral_id,ad_text,age,birth_date\na,"x\ny",1,\nb,,2,soon\nc,,three,\n'
    assert refusal(file("r.csv", content)).startswith("r.csv, line 4, column 'birth_date': ")


def test_the_two_readers_of_text_must_have_found_the_same_rows() -> None:
    source = Source(Path("r.csv"), {}, "SELECT 1 AS _row", lambda row: f"row {row}", rows=2)
    with duckdb.connect() as con, pytest.raises(FileRefused, match="found 2 rows, of which 1 were read"):
        check(con, source, [])


def test_rows_keep_the_files_order_within_their_hour_and_hours_follow_each_other(file: File) -> None:
    stamps = ["2026-11-24 11:00:00", "2026-11-24 10:59:59", "2026-11-24 11:30:00", "2026-11-24 10:00:00+00"]
    content = "referral_id,received_at\n" + "".join(f"r-{number},{stamp}\n" for number, stamp in enumerate(stamps))
    assert loaded(file("r.csv", content), "referral_id") == [("r-1",), ("r-3",), ("r-0",), ("r-2",)]


def test_rows_without_stamps_get_that_of_the_load(file: File) -> None:
    stamp = utc("2026-11-24 11:59:59.123456")
    found = loaded(file("r.csv", "referral_id\nr-1\n"), "received_at", "typeof(received_at)", stamp=stamp)
    assert found == [(stamp.replace(tzinfo=None), "TIMESTAMP")]


def test_where_no_terminal_is_each_step_is_a_plain_line(file: File, capfd: pytest.CaptureFixture[str]) -> None:
    loaded(file("r[1].csv", "referral_id\nr-1\nr-2\n"), "referral_id")
    said = capfd.readouterr()
    assert said.err.splitlines() == ["reading r[1].csv", "checking r[1].csv", "sorting 2 rows"]
    assert said.out == ""
