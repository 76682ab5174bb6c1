"""docs/client-file.md: each example is loaded, and what the client sees of it is what the code makes of two rows."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml

from infra import PROJECT_FOLDER
from referral_delivery.agreement import file_name, moments
from referral_delivery.agreement.attributes import AttributeType
from referral_delivery.agreement.client import Client
from referral_delivery.agreement.client_files import json_schema, load
from referral_delivery.agreement.file_format import Compression, Format
from referral_delivery.window import Window
from tests.model import FolderLake
from tests.support import TODAY, file_of, parquet, utc

PAGE = (PROJECT_FOLDER / "docs" / "client-file.md").read_text(encoding="utf-8")
BLOCKS = re.compile(
    r"^```yaml\n(.*?)^```\n(?:\n?^```text (content|empty|name)\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE
)
TYPES = {"received_at": "TIMESTAMP", "opted_in_at": "TIMESTAMP", "age": "INTEGER", "bid_price": "DECIMAL(18,6)"}
# 06:00 on Tuesday in Sydney, and the due time before it.
WINDOW = Window(utc("2026-11-23 07:30"), utc("2026-11-23 19:00"))
SEQUENCE, DAY_SEQUENCE = 7, 2
# What does not show in a text.
SHOWN = {"\ufeff": "<BOM>", "\t": "<TAB>", "\r": "<CR>"}


class Example(NamedTuple):
    """A part of a client file, and what the page says that the client sees."""

    fields: str
    shows: str
    seen: str


EXAMPLES = [Example(*found.groups(default="")) for found in BLOCKS.finditer(PAGE)]
WHOLE = EXAMPLES[0].fields
# A row of the table of formats.
FORMATS = re.findall(
    r"^\| `([^`]+)` \| `([^`]+)` \|", PAGE.partition("### Dates and numbers")[2].partition("\n#")[0], re.MULTILINE
)
ROWS = json.loads(re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0])


def sections(text: str) -> dict[str, str]:
    """A client file's text by its fields."""
    found = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)
    return {part.partition(":")[0]: part for part in found if part}


def client_of(folder: Path, fields: str) -> Client:
    """The page's first example, with some of its fields in other words."""
    path = folder / "acme.yaml"
    path.write_text("".join((sections(WHOLE) | sections(fields)).values()), encoding="utf-8")
    return load(path, today=TODAY)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> FolderLake:
    made = FolderLake(tmp_path_factory.mktemp("lake"))
    made.put("acme", utc(ROWS[0]["received_at"]), parquet(ROWS, TYPES))
    return made


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def name_of(client: Client) -> str:
    """The name of the documented file."""
    name = file_name.render(
        client.file.name,
        client=client.client,
        start=WINDOW.start,
        end=WINDOW.end,
        sequence=SEQUENCE,
        day_sequence=DAY_SEQUENCE,
    )
    return f"{name}{client.file.ending}\n"


def shown(content: bytes, client: Client) -> str:
    """A file's content, as the page writes it down."""
    if client.file.format == Format.PARQUET:
        read = pq.read_table(io.BytesIO(content))
        types = [f"{field.name}: {field.type}\n" for field in read.schema]
        return "".join([*types, *(f"{', '.join(map(str, row.values()))}\n" for row in read.to_pylist())])
    if client.file.compression == Compression.ZIP:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read(archive.namelist()[0])
    text = content.decode()
    for character, name in SHOWN.items():
        text = text.replace(character, name)
    return text


def seen(example: Example, client: Client, con: duckdb.DuckDBPyConnection, lake: FolderLake) -> str:
    if example.shows == "name":
        return name_of(client)
    landed = FolderLake(lake.folder) if example.shows == "empty" else lake
    return shown(file_of(con, landed, client.contract, window=WINDOW), client)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 20
    assert PAGE.count("```yaml") == len(EXAMPLES)
    assert PAGE.count("```text") == sum(bool(each.shows) for each in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: " ".join(each.fields.split())[:60])
def test_an_example_is_a_client_file_and_its_client_sees_what_the_page_says(
    tmp_path: Path, con: duckdb.DuckDBPyConnection, lake: FolderLake, example: Example
) -> None:
    client = client_of(tmp_path, example.fields)
    if example.shows:
        assert seen(example, client, con, lake) == example.seen


@pytest.mark.parametrize(("format_", "written"), FORMATS)
def test_a_format_writes_what_the_table_says(
    tmp_path: Path, con: duckdb.DuckDBPyConnection, lake: FolderLake, format_: str, written: str
) -> None:
    fields = f"attributes:\n  - {{name: moment, from: opted_in_at, format: {format_}}}\nfile:\n  header: no\n"
    client = client_of(tmp_path, fields)
    assert file_of(con, lake, client.contract, window=WINDOW).decode().splitlines()[0] == written


def test_the_table_of_formats_has_all_names_and_parts() -> None:
    said = " ".join(format_ for format_, _ in FORMATS)
    parts = {part for part in moments.DIRECTIVES[AttributeType.TIMESTAMP] if f"%{part}" not in said}
    assert parts == set()
    assert set(moments.NAMES[AttributeType.TIMESTAMP]) <= {format_ for format_, _ in FORMATS}


def test_the_whole_example_says_all_that_is_required() -> None:
    required = set(json.loads(json_schema())["required"])
    assert required <= set(yaml.safe_load(WHOLE))


def test_every_field_of_the_json_schema_is_named() -> None:
    schema = json.loads(json_schema())
    models: list[dict[str, Any]] = [schema, *(each for each in schema["$defs"].values() if "properties" in each)]
    fields = {name for model in models for name in model["properties"]}
    assert [name for name in sorted(fields) if not re.search(rf"`(?:[a-z_.]+\.)?{name}(?::[^`]*)?`", PAGE)] == []


def test_every_choice_of_the_json_schema_is_named() -> None:
    choices = {name for each in json.loads(json_schema())["$defs"].values() for name in each.get("enum", ())}
    assert [name for name in sorted(choices) if f"`{name}`" not in PAGE] == []
