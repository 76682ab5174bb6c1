"""`lake load`: every value in the lake is the file's, to the digit and the instant, or the file is refused."""

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loaded import loaded, refusal

FOREIGN = Path(__file__).parent / "foreign_parquet"


def csv(folder: Path, column: str, *values: str) -> Path:
    """A CSV file with a column of these values, as they stand."""
    path = folder / "referrals.csv"
    rows = "".join(f"r-{number},{value}\n" for number, value in enumerate(values))
    path.write_bytes(f"referral_id,{column}\n{rows}".encode())
    return path


def json_lines(folder: Path, column: str, *tokens: str) -> Path:
    """A JSON Lines file with a column of these tokens, as they stand."""
    path = folder / "referrals.jsonl"
    lines = (f'{{"referral_id": "r-{number}", "{column}": {token}}}\n' for number, token in enumerate(tokens))
    path.write_text("".join(lines))
    return path


def parquet(folder: Path, column: str, *values: str) -> Path:
    """A Parquet file with a column of these SQL values, all of one type."""
    path = folder / "referrals.parquet"
    rows = ", ".join(f"('r-{number}', {value})" for number, value in enumerate(values))
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"COPY (SELECT * FROM (VALUES {rows}) AS rows(referral_id, {column})) TO '{path}' (FORMAT parquet)")
    return path


def naive(text: str) -> datetime:
    """A moment as DuckDB hands over a TIMESTAMP, which has no zone."""
    return datetime.fromisoformat(text).replace(tzinfo=None)


INSTANTS = [
    ("2026-11-24 10:00:00+11:00", "2026-11-23 23:00:00"),
    ("2026-11-24T10:00:00+11", "2026-11-23 23:00:00"),
    ("2026-11-24T10:00:00+1130", "2026-11-23 22:30:00"),
    ("2026-11-24 10:00-03:30", "2026-11-24 13:30:00"),
    ("2026-11-24 10:00:00.5 -0330", "2026-11-24 13:30:00.5"),
    ("2026-11-24T10:00:00Z", "2026-11-24 10:00:00"),
    ("2026-11-24T10:00:00.123456z", "2026-11-24 10:00:00.123456"),
    ("2026-11-24 10:00:00.123456000", "2026-11-24 10:00:00.123456"),
    ("2026-11-24 10:00", "2026-11-24 10:00:00"),
    ("2024-02-29 23:59:59.999999-00:01", "2024-03-01 00:00:59.999999"),
    ("2026-12-31T23:30:00-01", "2027-01-01 00:30:00"),
]


@pytest.mark.parametrize(("text", "instant"), INSTANTS)
def test_a_time_keeps_its_instant_and_is_utc_without_an_offset(tmp_path: Path, text: str, instant: str) -> None:
    expected = [(naive(instant), "TIMESTAMP")]
    for file in (csv(tmp_path, "opted_in_at", text), json_lines(tmp_path, "opted_in_at", json.dumps(text))):
        assert loaded(file, "opted_in_at", "typeof(opted_in_at)") == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24 10:00:00.1234567",
        "2026-11-24 10:00:00.0000001Z",
        "2026-11-24",
        "2026-02-30 10:00:00",
        "2026-11-24 24:00:00",
        "2026-11-24 10:60:00",
        "2026-11-24 10:00:60",
        "2026-11-24 10:00:00+24:00",
        "2026-11-24 10:00:00+11:60",
        "2026-11-24 10:00:00 Australia/Sydney",
        "24/11/2026 10:00",
        "1793527200",
        "infinity",
        "0000-06-01 00:00:00",
        "9999-12-31 23:59:59-01",
        " 2026-11-24 10:00:00",
    ],
)
def test_a_time_that_is_no_instant_to_the_microsecond_is_refused(tmp_path: Path, text: str) -> None:
    said = refusal(csv(tmp_path, "opted_in_at", "2026-11-24 10:00:00", text))
    assert said == (
        "referrals.csv, line 3, column 'opted_in_at': found a value that cannot be kept exactly; expected a time such "
        "as 2026-11-01 10:00:00.123456 or 2026-11-01T10:00:00+11:00, to the microsecond at most; put it right"
    )


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda moment, minutes: moment.replace(tzinfo=timezone(timedelta(minutes=minutes))),
            st.datetimes(naive("1990-01-02"), naive("2040-01-01")),
            st.integers(-23 * 60, 23 * 60),
        ),
        min_size=20,
        max_size=40,
    )
)
def test_whatever_the_offset_the_instant_is_pythons(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime]
) -> None:
    file = csv(tmp_path_factory.mktemp("times"), "opted_in_at", *(moment.isoformat() for moment in moments))
    expected = [(moment.astimezone(UTC).replace(tzinfo=None),) for moment in moments]
    assert loaded(file, "opted_in_at") == expected


@pytest.mark.parametrize(
    ("texts", "type_"),
    [
        (["1.50", "41", "-0.000001", "+7.", ".5", "007.10"], "DECIMAL(18,6)"),
        (["999999999999.999999"], "DECIMAL(18,6)"),
        (["1000000000000"], "DECIMAL(38,0)"),
        (["0.0000001"], "DECIMAL(38,7)"),
        (["123456789012.123456789"], "DECIMAL(38,9)"),
        (["99999999999999999999999999999999999999"], "DECIMAL(38,0)"),
        (["0.99999999999999999999999999999999999999"], "DECIMAL(38,38)"),
        (["1e-05", "-1.25E3", "12e-1", "0.1e+2", ".5e1", "5.e-1", "+0e9"], "DECIMAL(18,6)"),
        (["1E-38", "0E-38"], "DECIMAL(38,38)"),
        (["1.000000000000000000000000000000000000000000"], "DECIMAL(18,6)"),
        (["12345678901234567890.5", "0.000000000000000001"], "DECIMAL(38,18)"),
    ],
)
def test_a_decimal_keeps_every_digit(tmp_path: Path, texts: list[str], type_: str) -> None:
    expected = [(Decimal(text), type_) for text in texts]
    for file in (csv(tmp_path, "bid_price", *texts), json_lines(tmp_path, "bid_price", *map(json.dumps, texts))):
        assert loaded(file, "bid_price", "typeof(bid_price)") == expected


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_whatever_its_digits_a_decimal_is_the_same_number(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    scale = data.draw(st.integers(0, 38))
    units = data.draw(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=20, max_size=40))
    numbers = [Decimal(f"{unit}e-{scale}") for unit in units]
    texts = [data.draw(st.sampled_from([f"{number:f}", f"{number}", f"{number:e}"])) for number in numbers]
    file = csv(tmp_path_factory.mktemp("decimals"), "bid_price", *texts)
    assert [value for (value,) in loaded(file, "bid_price")] == numbers


@pytest.mark.parametrize(
    "texts",
    [
        ["nan"],
        ["inf"],
        ["-Infinity"],
        ["1,5"],
        ["1_000"],
        [" 1.5"],
        ["1.5 "],
        ["0x10"],
        ["."],
        ["1e"],
        ["100000000000000000000000000000000000000"],
        ["1e-39"],
        ["1e38"],
        ["0.00000000000000000000000000000000000000", "1e-400"],
        ["0.5", "99999999999999999999999999999999999999"],
    ],
)
def test_a_decimal_that_does_not_fit_is_refused(tmp_path: Path, texts: list[str]) -> None:
    quoted = [f'"{text}"' for text in texts]
    for file, line in ((csv(tmp_path, "bid_price", *quoted), 1), (json_lines(tmp_path, "bid_price", *quoted), 0)):
        said = refusal(file)
        assert f"line {len(texts) + line}, column 'bid_price': found a value that cannot be kept exactly" in said


def test_an_integer_keeps_every_digit_in_every_format(tmp_path: Path) -> None:
    numbers = [0, -7, 2**53 + 1, 2**63 - 1, -(2**63)]
    expected = [(number, "BIGINT") for number in numbers]
    for file in (
        csv(tmp_path, "age", *map(str, numbers)),
        json_lines(tmp_path, "age", *map(str, numbers)),
        parquet(tmp_path, "age", *(f"({number})::HUGEINT::BIGINT" for number in numbers)),
    ):
        assert loaded(file, "age", "typeof(age)") == expected


@pytest.mark.parametrize(
    "text", ["41.5", "41.0", " 41", "41 ", "4 1", "1e2", "9223372036854775808", "forty", "--1", "٤١"]
)
def test_what_is_no_integer_is_refused_and_not_rounded(tmp_path: Path, text: str) -> None:
    said = refusal(csv(tmp_path, "age", "41", text))
    assert said == (
        "referrals.csv, line 3, column 'age': found a value that cannot be kept exactly; expected an integer of 64 "
        "bits in digits alone, such as 41; put it right"
    )


@pytest.mark.parametrize(
    "text", ["2026-1-5", "2026-02-29", "2026-11-24 00:00:00", "24.11.2026", "0000-01-01", "infinity"]
)
def test_what_is_no_date_is_refused(tmp_path: Path, text: str) -> None:
    assert "line 2, column 'birth_date': found a value that" in refusal(csv(tmp_path, "birth_date", text))


def test_a_date_is_the_day_that_it_says(tmp_path: Path) -> None:
    for file in (csv(tmp_path, "birth_date", "1950-02-28"), parquet(tmp_path, "birth_date", "DATE '1950-02-28'")):
        assert loaded(file, "birth_date", "typeof(birth_date)") == [(date(1950, 2, 28), "DATE")]


TEXTS = [
    "0800",
    " padded ",
    'say "hi"',
    "two\nlines",
    "a\r\nb",
    "=SUM(A1)",
    "1e5",
    "NULL",
    "é🎉",
    "\\N",
    "#",
    "\t",
    "a\x00b",
]


def test_text_stays_as_it_is_byte_for_byte(tmp_path: Path) -> None:
    quoted = ['"' + text.replace('"', '""') + '"' for text in TEXTS]
    for file in (csv(tmp_path, "ad_text", *quoted), json_lines(tmp_path, "ad_text", *map(json.dumps, TEXTS))):
        assert [text for (text,) in loaded(file, "ad_text")] == TEXTS
    bare = [" padded ", "0800", "1e5", "NULL", "\\N", "#", "'"]
    assert [text for (text,) in loaded(csv(tmp_path, "ad_text", *bare), "ad_text")] == bare


def test_nothing_is_null_and_quotes_around_nothing_are_empty_text_or_no_number(tmp_path: Path) -> None:
    assert loaded(csv(tmp_path, "email", "", '""'), "email") == [(None,), ("",)]
    assert loaded(json_lines(tmp_path, "email", "null", '""'), "email") == [(None,), ("",)]
    for column in ("age", "bid_price", "birth_date", "opted_in_at"):
        assert loaded(csv(tmp_path, column, "", '""'), column) == [(None,), (None,)]


def test_a_json_number_is_as_it_is_written_and_never_a_double(tmp_path: Path) -> None:
    tokens = ["0.1", "123456789012.123456789", "1e-05", "100000000000000000000.5", "-0.0"]
    values = [value for (value,) in loaded(json_lines(tmp_path, "bid_price", *tokens), "bid_price")]
    assert values == [Decimal(token) for token in tokens]


@pytest.mark.parametrize(
    ("column", "token", "said"),
    [
        ("postcode", "800", "found a number; expected text in quotes, or null; write the value as text"),
        ("age", "true", "found true or false; expected a number or a text"),
        ("email", "[]", "found a list; expected text in quotes"),
        ("email", "{}", "found an object; expected text in quotes"),
        ("age", "41.5", "found a value that cannot be kept exactly; expected an integer"),
    ],
)
def test_a_json_value_of_another_type_is_refused(tmp_path: Path, column: str, token: str, said: str) -> None:
    assert f"line 1, column '{column}': {said}" in refusal(json_lines(tmp_path, column, token))


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "tru", "'a'", '"\\x"', "[" * 100_000])
def test_what_is_no_json_is_refused(tmp_path: Path, token: str) -> None:
    assert "line 1: found no JSON" in refusal(json_lines(tmp_path, "age", token))


@pytest.mark.parametrize(
    ("column", "value", "text", "type_"),
    [
        ("opted_in_at", "TIMESTAMP_S '2026-11-01 10:00:00'", "2026-11-01 10:00:00", "TIMESTAMP"),
        ("opted_in_at", "TIMESTAMP_MS '2026-11-01 10:00:00.123'", "2026-11-01 10:00:00.123", "TIMESTAMP"),
        ("opted_in_at", "TIMESTAMP '2026-11-01 10:00:00.123456'", "2026-11-01 10:00:00.123456", "TIMESTAMP"),
        ("opted_in_at", "TIMESTAMP_NS '2026-11-01 10:00:00.123456'", "2026-11-01 10:00:00.123456", "TIMESTAMP"),
        ("opted_in_at", "TIMESTAMPTZ '2026-11-01 10:00:00.5+11'", "2026-10-31 23:00:00.5", "TIMESTAMP"),
        ("bid_price", "123456789012.123456::DECIMAL(18, 6)", "123456789012.123456", "DECIMAL(18,6)"),
        ("bid_price", "0.1::DOUBLE", "0.1", "DOUBLE"),
        ("bid_price", "0.1::FLOAT", "0.1", "FLOAT"),
        ("bid_price", "9007199254740993::BIGINT", "9007199254740993", "DECIMAL(20,0)"),
        ("bid_price", "18446744073709551615::UBIGINT", "18446744073709551615", "DECIMAL(20,0)"),
        ("age", "41::TINYINT", "41", "BIGINT"),
        ("age", "9223372036854775807::UBIGINT", "9223372036854775807", "BIGINT"),
        ("age", "9223372036854775807::DECIMAL(38, 0)", "9223372036854775807", "BIGINT"),
        ("email", "'x'::ENUM('x', 'y')", "x", "VARCHAR"),
    ],
)
def test_parquets_types_keep_their_values(tmp_path: Path, column: str, value: str, text: str, type_: str) -> None:
    assert loaded(parquet(tmp_path, column, value), f"{column}::VARCHAR", f"typeof({column})") == [(text, type_)]


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("opted_in_at", "TIMESTAMP_NS '2026-11-01 10:00:00.123456789'", "a value that cannot be kept exactly"),
        ("opted_in_at", "'infinity'::TIMESTAMP", "a value that cannot be kept exactly"),
        ("opted_in_at", "TIMESTAMP '12026-11-01 10:00:00'", "a value that cannot be kept exactly"),
        ("bid_price", "'nan'::DOUBLE", "a value that cannot be kept exactly"),
        ("bid_price", "'-inf'::FLOAT", "a value that cannot be kept exactly"),
        ("age", "9223372036854775808::UBIGINT", "a value that cannot be kept exactly"),
        ("birth_date", "DATE '12026-11-01'", "a value that cannot be kept exactly"),
        ("age", "41.0::DOUBLE", "DOUBLE"),
        ("age", "41.5::DECIMAL(3, 1)", "DECIMAL(3,1)"),
        ("age", "'41'", "VARCHAR"),
        ("postcode", "800", "INTEGER"),
        ("opted_in_at", "DATE '2026-11-01'", "DATE"),
        ("birth_date", "TIMESTAMP '2026-11-01 00:00:00'", "TIMESTAMP"),
        ("bid_price", "'1.5'", "VARCHAR"),
        ("bid_price", "true", "BOOLEAN"),
        ("email", "['a']", "a group of columns"),
        ("email", "{'state': 'NSW'}", "a group of columns"),
    ],
)
def test_a_parquet_value_or_type_that_would_change_is_refused(
    tmp_path: Path, column: str, value: str, found: str
) -> None:
    said = refusal(parquet(tmp_path, column, value))
    place = ", row 1" if found.startswith("a value") else ""
    assert said.startswith(f"referrals.parquet{place}, column '{column}': found {found}; expected ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("int96", "column 'opted_in_at': found INT96; expected timestamp, in a type that can be read exactly"),
        ("nanoseconds_with_a_zone", "column 'opted_in_at': found nanoseconds with a zone; expected timestamp, in a"),
        ("decimal_of_50_digits", "column 'bid_price': found a decimal of more than 38 digits; expected decimal, in a"),
        ("two_emails", "column 'Email': found a second column of that name; expected each attribute once"),
        ("nested", "column 'email': found a group of columns; expected text"),
        ("binary", "column 'email': found BLOB; expected text; write the column with that type"),
    ],
)
def test_parquet_of_another_writer_that_duckdb_would_change_without_a_word_is_refused(name: str, said: str) -> None:
    assert said in refusal(FOREIGN / f"{name}.parquet")


def test_parquet_columns_of_nothing_but_nulls_are_null_in_the_attributes_types() -> None:
    names = ["email", "age", "bid_price", "birth_date", "opted_in_at"]
    types = ("VARCHAR", "BIGINT", "DECIMAL(18,6)", "DATE", "TIMESTAMP")
    file = FOREIGN / "nulls.parquet"
    assert loaded(file, *names) == [(None,) * 5]
    assert loaded(file, *(f"typeof({name})" for name in names)) == [types]


def test_a_zoned_parquet_time_keeps_its_instant() -> None:
    file = FOREIGN / "milliseconds_in_sydney.parquet"
    assert loaded(file, "opted_in_at") == [(naive("2026-11-01 10:00:00.123"),)]


def test_a_double_of_parquet_is_the_same_double(tmp_path: Path) -> None:
    values = [0.1, 1e-5, 123456789012.12346, 5e-324, math.pi]
    file = parquet(tmp_path, "bid_price", *(f"'{value!r}'::DOUBLE" for value in values))
    assert [value for (value,) in loaded(file, "bid_price")] == values
