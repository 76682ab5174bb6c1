"""Previews without a stack: what is masked, how a format is said, and whose file it is."""

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from infra import PROJECT_FOLDER
from referral_delivery.agreement.column import Column
from referral_delivery.agreement.file_format import FileFormat
from referral_delivery.agreement.schedule import Schedule
from referral_delivery.delivery.plan import Plan
from referral_delivery.errors import ClientFileError
from referral_delivery.lake.objects import Selection
from referral_delivery.ledger.records import Position
from referralctl.errors import StackNotFound
from referralctl.preview import drawing, subject
from referralctl.preview.masking import masked, masked_row, personal
from referralctl.preview.sample import Sample, sample
from referralctl.preview.subject import Deployed, Subject
from referralctl.preview.upcoming import Upcoming
from referralctl.stacks import Stack
from tests.support import TODAY, catalogue_without, contract, delivered, selected
from tests.unit.test_query import DAY, Folder

EMAIL, BORN = Column.model_validate("email"), Column.model_validate("birth_date")
POINTS = Column.recalled({"name": "points", "from": "points_of_old", "type": "integer"})
MAPPED = Column.model_validate({"name": "kind", "from": "email", "map": {"contains": {"@": "person"}}})
YES_OR_NO = Column.model_validate(
    {"name": "known", "from": "email", "map": {"contains": {"@": True}}, "if_no_match": False}
)
HASHED = Column.model_validate({"name": "email_sha256", "from": "email", "transform": "sha256"})


@pytest.mark.parametrize(
    ("column", "text", "shown"),
    [
        (EMAIL, "jane.doe@mail.example", "j***.***@****.*******"),
        (EMAIL, "O'Neil, Jr", "O'****, **"),
        (EMAIL, "+61 400 111", "+6* *** ***"),
        (EMAIL, "Zoë🎉\n日本", "Z***\n**"),
        (EMAIL, "", ""),
        (EMAIL, "Jo", "**"),
        (EMAIL, "é", "*"),
        (BORN, "1987-03-14", "1***-**-**"),
        (POINTS, "-1200", "-9999"),
        (MAPPED, "person", "******"),
        (YES_OR_NO, "true", "false"),
        (HASHED, "ab" * 32, "a" + 63 * "*"),
    ],
)
def test_a_masked_value_keeps_its_shape_and_its_type_and_no_more_than_a_first_letter(
    column: Column, text: str, shown: str
) -> None:
    assert masked(column, text) == shown


def test_hashed_mapped_and_renamed_columns_of_personal_attributes_are_personal_and_others_are_not() -> None:
    columns = [EMAIL, HASHED, MAPPED, {"name": "who", "from": "last_name"}, "ad_text", {"name": "feed", "value": "x"}]
    agreed = contract(attributes=columns)
    assert personal(agreed.attributes) == ["email", "email_sha256", "kind", "who"]
    texts = ("a@b.example", "ff" * 32, "person", None, "jane@mail.example says", "x")
    assert masked_row(agreed.attributes, texts)[3:] == (None, "jane@mail.example says", "x")


def test_what_the_catalogue_does_not_know_is_taken_for_personal() -> None:
    with catalogue_without("source"):
        assert personal([Column.recalled({"name": "site", "from": "source", "type": "text"})]) == ["site"]


@given(st.text())
def test_a_masked_text_is_quoted_where_the_text_is_and_says_nothing_behind_its_first_letter(text: str) -> None:
    shown = masked(EMAIL, text)
    assert len(shown) == len(text)
    assert [sign for sign in shown if sign.isascii() and not sign.isalnum() and sign != "*"] == [
        sign for sign in text if sign.isascii() and not sign.isalnum() and sign != "*"
    ]
    assert sum(sign.isalnum() for sign in shown) <= 1
    assert quoted(shown) == quoted(text)


def quoted(text: str) -> bool:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([text, "x"])
    return line.getvalue().startswith('"')


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({}, "csv, comma, header, LF, quotes where needed, not packed"),
        (
            {"delimiter": ";", "bom": True, "line_ending": "crlf", "quote": "all", "header": False, "null": "NULL"}
            | {"compression": "zip", "manifest": True, "formula_guard": True},
            "csv, semicolon, no header, CRLF, all in quotes, byte order mark, null is NULL, formula guard, zip, "
            "with a manifest",
        ),
        ({"format": "jsonl", "compression": "gzip"}, "jsonl, gzip"),
        ({"format": "parquet"}, "parquet"),
    ],
)
def test_a_format_is_said_in_one_line(file: dict[str, Any], said: str) -> None:
    assert drawing.in_words(FileFormat.model_validate(file)) == said


def test_lines_show_what_a_terminal_would_hide_or_obey_and_keep_tabs_and_line_feeds() -> None:
    assert drawing.lines("\ufeffa\tb\r\n\x1b[2J\n".encode()) == "\\ufeffa\tb\\r\n\\x1b[2J\n"


@pytest.mark.parametrize("columns", [2, 9])
def test_a_table_fits_80_columns_and_tells_nothing_from_an_empty_text(columns: int) -> None:
    screen = Console(file=io.StringIO(), width=80, soft_wrap=True)
    names = [f"column_{number}" for number in range(columns)]
    row: tuple[str | None, ...] = (None, "", *["x" * 30] * (columns - 2))
    screen.print(drawing.table(names, [row, row], width=80))
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("(null)") == shown.count('""') == 2


def test_the_first_rows_of_many_objects_are_the_first_rows_of_the_file(tmp_path: Path) -> None:
    lake = Folder(tmp_path)
    for number in range(30):
        age = f", {number} AS age" if number % 7 else ""
        lake.land(f"SELECT 'r-{number}-' || range AS referral_id {age} FROM range({number % 3})")
    seen, columns = lake.hashes(1, 5, 20), ["referral_id", "age"]
    with duckdb.connect() as con:
        whole = delivered(con, lake, seen=seen, attributes=columns).splitlines()
        assert len(whole) == 31
        for rows in (1, 4, 5, 29, 30, 100):
            selection, agreed = selected(lake, DAY, seen=seen), contract(attributes=columns)
            first = sample(con, agreed, selection, lake, rows=rows, mask=True)
            assert first.lines
            assert first.lines.decode().splitlines() == whole[: rows + 1]


def test_a_file_that_is_sealed_goes_out_first_and_the_summary_says_so() -> None:
    position = Position(
        cursor=DAY.start, sequence=3, requested_until=None, sealed_key="downloads/acme/referrals_4.csv",
        lease_owner=None, lease_expires=None,
    )  # fmt: skip
    upcoming = Upcoming(
        plan=Plan(Selection(DAY, [], []), left=7), position=position, due=DAY.end, waits=True, sequence=4, file="f.csv"
    )
    whose = Subject(contract(), Schedule(timezone="Australia/Sydney", every="1h"), None, Deployed.AS_IT_IS)
    made = drawing.Preview(whose, upcoming, Sample([], b"referral_id\n", None), masked=True)
    screen = Console(file=io.StringIO(), width=400)
    screen.print(drawing.summary(made))
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "referrals_4.csv is sealed and goes out first, as it is" in shown
    assert "the first of several files: 7 objects of this window go with the next one" in shown
    assert "Sat 2026-11-21 11:00 Australia/Sydney; asked for, and not delivered yet" in shown
    assert made.to_json()["sealed"] == "referrals_4.csv"


def stack(**outputs: Any) -> Stack:
    return Stack({"roster": "roster/referrals-dev.json", "client_folders": {}} | outputs)


def test_a_clients_file_is_looked_for_in_the_folder_that_its_stacks_settings_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(PROJECT_FOLDER)
    found = subject.find(stack(), "acme", deployed=False, today=TODAY)
    assert (found.file, found.deployed) == (Path("clients/example/acme.yaml"), Deployed.NOT_YET)


@pytest.mark.parametrize(
    ("client", "outputs", "said"),
    [
        ("nobody", {}, r"clients/example/nobody\.yaml does not exist, and it is not deployed"),
        ("nobody", {"roster": "roster/referrals-x.json"}, "the folder of referrals-x's client files is not known"),
    ],
)
def test_a_client_that_is_neither_here_nor_deployed_is_one_line(
    client: str, outputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(StackNotFound, match=f"no client 'nobody': {said}" if not outputs else said):
        subject.find(stack(**outputs), client, deployed=False, today=date(2026, 11, 24))


def test_a_path_to_no_file_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(ClientFileError, match=r"acme\.yaml: found no such file; expected a client file; correct"):
        subject.find(stack(), str(tmp_path / "acme.yaml"), deployed=False, today=TODAY)
