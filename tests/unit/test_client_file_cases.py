"""The table of client files as people write them: what is said of each slip, and what each spelling means."""

import json
import re
from pathlib import Path
from string import Template
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from referral_delivery.agreement.attributes import CATALOGUE
from referral_delivery.agreement.client import Client
from referral_delivery.agreement.client_file.words import FIELDS
from referral_delivery.agreement.client_files import json_schema, load
from referral_delivery.agreement.cron import expressions
from referral_delivery.agreement.recipient import Recipient
from referral_delivery.agreement.schedule import INTERVALS
from referral_delivery.errors import ClientFileError
from tests.support import TODAY

# GitHub's published ED25519 host key.
# https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
NAMES = {
    "KEY": KEY,
    "ATTRIBUTES": ", ".join(CATALOGUE),
    "FIELDS": "client, contact, campaign_type, deliver_from, keys, schedule, attributes, file, expect_within, "
    "collect_within, notices",
    "COLUMN": "name, from, value, format, timezone, places, map, if_empty, if_no_match, transform",
    "INTERVALS": ", ".join(INTERVALS),
}
CASES = yaml.safe_load((Path(__file__).parent / "client_file_cases.yaml").read_text(encoding="utf-8"))
MISTAKES = {case["name"]: case for case in CASES["mistakes"]}
SPELLINGS = {case["name"]: case for case in CASES["spellings"]}

# Words of programmers: of Python, of pydantic, of YAML's grammar.
JARGON = re.compile(
    r"\b(tuple|dict|dictionary|NoneType|None|str|int|bool|instance|input|pattern|regex|validation|valid|invalid|string|"
    r"type=|schema|scalar|mapping|sequence|token|node|constructor|parse|parsing|alias|anchor|exception|traceback|"
    r"integer|enum|literal|boolean|extra)\b",
    re.IGNORECASE,
)
# `none` is a compression, and {sequence} a delivery's number.
NO_JARGON = re.compile(r"`[^`]*`|\{[^}]*\}|one of none, gzip, zip")
# What no JSON Schema can say: keys, zones and templates; and of other fields their relations and repetitions.
ONLY_CHECKED = ("keys.0.public_key", "schedule.timezone", "file.name")
ONLY_WHEN_CHECKED = {
    "an extension of encrypted files on plain ones",
    "a campaign that may not receive what it asks for",
    "a contact with 65 characters before the @",
    "a day before any referral",
    "a day of the century before",
    "a hash of a number",
    "a field twice",  # which editors see without a schema
    "both at and every",
    "a time twice",
    "a day twice",
    "a day of the month twice",
    "a day of the month within a range",
    "a range of days of the month backwards",
    "days of the week and of the month",
    "a day in another language",
    "a label of blanks",
    "a label over two lines",
    "a label that nobody can see",
    "a label with a code for the terminal",
    "days cut short in the English way",
    "a day years ahead",
    "a day a little more than a year ahead",
    "neither at nor every",
    "the same key twice",
    "two columns of one name",
    "two labels that are the same",
    "a word for nothing that holds the delimiter",
    "a word for nothing that holds the delimiter of its format",
    "an extension of packed files on files that are not",
    "an extension of another packing",
    "an extension of Parquet on CSV",
    "an extension of manifests",
    "a value under the header of an attribute",
    "a value in curly quotes",
    "minutes for months",
    "months for minutes",
    "hours without a half of the day",
    "a format of a text",
    "a timezone of seconds since 1970",
    "a column's timezone without its continent",
    "a timezone of a text",
    "places of a whole number",
    "nothing in a map",
    "a tilde in a map",
    "curly quotes in a map",
    "a value twice in a map",
    "a value twice but for capitals",
    "a part that an earlier part hides",
    "a value that an earlier part hides",
    "a whole number with zeros before it in a map",
    "a word among numbers in a map",
    "a decimal with zeros in a map",
    "a decimal with too few places in a map",
    "a decimal with a comma in a map",
    "a decimal that begins with its point in a map",
    "a value of a map with a tag",
    "a list as a value of a map",
}


def text_of(case: dict[str, Any]) -> str:
    good, put = written_out(CASES["good"]), written_out(case.get("put", ""))
    if "text" in case:
        return str(case["text"])
    assert written_out(case["instead_of"]) in good
    return good.replace(written_out(case["instead_of"]), put, 1)


def written_out(text: str) -> str:
    return Template(text).substitute(NAMES)


def client_of(folder: Path, text: str) -> Client:
    path = folder / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, today=TODAY)


def findings_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ClientFileError) as refused:
        client_of(folder, text)
    said = str(refused.value).splitlines()
    assert all(line.startswith(f"{folder / 'acme.yaml'}:") for line in said)
    return [line.removeprefix(f"{folder / 'acme.yaml'}:").strip() for line in said]


def as_editors_read(text: str) -> Any:
    """The text by YAML 1.2's core schema, in which 06:00, yes and a date are texts."""

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the base class has it so

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = True) -> dict[Any, Any]:
            """A name is a text, as in JSON: `null:` is a field."""
            return {str(name.value): self.construct_object(value, deep=deep) for name, value in node.value}

    Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), None)
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.IGNORECASE), None)
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), None)
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), None)
    return yaml.load(text.removeprefix("\ufeff"), Loader)


def editor_refuses(text: str) -> bool:
    checker = jsonschema.Draft202012Validator(
        json.loads(json_schema()), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    try:
        return not checker.is_valid(as_editors_read(text))
    except (yaml.YAMLError, ValueError):
        return True


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(MISTAKES) == len(CASES["mistakes"]) >= 120
    assert len(SPELLINGS) == len(CASES["spellings"]) >= 15


def test_the_unchanged_file_is_accepted_by_loader_and_editor(tmp_path: Path) -> None:
    text = written_out(CASES["good"])
    assert client_of(tmp_path, text).client == "acme"
    assert not editor_refuses(text)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_met_with_what_was_found_expected_and_to_do(tmp_path: Path, name: str) -> None:
    wanted = [written_out(line) for line in MISTAKES[name]["said"]]
    assert findings_of(tmp_path, text_of(MISTAKES[name])) == wanted


@pytest.mark.parametrize("name", MISTAKES)
def test_no_word_of_programmers_reaches_the_reader(name: str) -> None:
    for line in MISTAKES[name]["said"]:
        _, _, told = line.partition("found ")
        assert not JARGON.search(NO_JARGON.sub("", told)), line


@pytest.mark.parametrize("name", MISTAKES)
def test_editor_and_loader_refuse_the_same(name: str) -> None:
    seen = editor_refuses(text_of(MISTAKES[name]))
    by_loader_alone = any(f": {field}" in line for field in ONLY_CHECKED for line in MISTAKES[name]["said"])
    if name in ONLY_WHEN_CHECKED:
        assert not seen, "the schema says this too; remove it from the list"
    elif not by_loader_alone:
        assert seen


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_spelling_means_the_plain_value(tmp_path: Path, name: str) -> None:
    case, plain = SPELLINGS[name], yaml.safe_load(written_out(CASES["good"]))
    if case["field"] == "days_of_month":
        plain["schedule"]["days_of_month"] = plain["schedule"].pop("days")
    _set(plain, case["field"], case["value"])
    if case["instead_of"] == "compression: gzip":
        del plain["file"]["compression"]
    written, meant = client_of(tmp_path, text_of(case)), Client.model_validate(_texts(plain))
    assert written == meant
    assert written.contract.model_dump_json() == meant.contract.model_dump_json()
    assert expressions(written.schedule) == expressions(meant.schedule)


@pytest.mark.parametrize("name", SPELLINGS)
def test_editors_do_not_flag_a_spelling_that_is_accepted(name: str) -> None:
    assert not editor_refuses(text_of(SPELLINGS[name]))


def test_every_field_of_the_model_has_its_words() -> None:
    assert set(_fields(Client)) <= set(FIELDS)


def _set(fields: dict[str, Any], name: str, value: Any) -> None:
    for part in (fields, fields["schedule"], fields["file"], fields["keys"][0]):
        if name in part:
            part[name] = value
            return
    fields["file"][name] = value


def _texts(value: Any) -> Any:
    """Dates as the loader gives them: as text."""
    if isinstance(value, dict):
        return {name: _texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    return value if isinstance(value, str | bool) else str(value)


def _fields(model: type[BaseModel], at: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        place = f"{at}{field.alias or name}"
        found.append(place)
        text = str(field.annotation)
        # A recipient is a text in a client file: the name of a key file.
        for inner in set(BaseModel.__subclasses__()) - {Recipient}:
            if re.search(rf"\b{inner.__name__}\b", text) and inner.__module__.startswith("referral_delivery.agreement"):
                is_list = "tuple" in text
                found += [f"{place}.*"] * is_list + _fields(inner, f"{place}.*." if is_list else f"{place}.")
    return found
