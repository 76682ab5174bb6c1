"""Client files: what is accepted, and what a refusal says."""

import json
from datetime import date
from pathlib import Path

import pytest

from infra.settings import PROJECT_FOLDER
from referral_delivery.client_files import json_schema, load, load_folder
from referral_delivery.errors import ClientFileError
from tests.support import client_fields, ed25519_key, write_client

EXAMPLES = PROJECT_FOLDER / "clients" / "example"


def refusal(folder: Path) -> str:
    with pytest.raises(ClientFileError) as refused:
        load_folder(folder)
    return str(refused.value)


def test_the_example_clients_are_accepted() -> None:
    assert [client.client for client in load_folder(EXAMPLES)] == ["acme", "globex"]


def test_the_committed_json_schema_is_current() -> None:
    assert (PROJECT_FOLDER / "clients" / "client.schema.json").read_text(encoding="utf-8") == json_schema()


def test_the_json_schema_requires_what_the_model_requires() -> None:
    schema = json.loads(json_schema())
    assert set(schema["required"]) == set(client_fields())
    assert schema["additionalProperties"] is False


def test_a_client_without_a_file_section_gets_plain_csv_with_a_safe_name(tmp_path: Path) -> None:
    client = load(write_client(tmp_path))
    assert client.file.extension == ".csv"
    assert client.file.when_empty == "header_only"
    assert client.file.name == "referrals_{client}_{end:%Y%m%dT%H%M%SZ}_{sequence:06d}"


def test_the_extension_follows_from_the_compression(tmp_path: Path) -> None:
    path = write_client(tmp_path)
    path.write_text(path.read_text() + "file:\n  compression: gzip\n")
    assert load(path).file.extension == ".csv.gz"


def test_unquoted_times_are_times_and_no_base_60_numbers(tmp_path: Path) -> None:
    path = write_client(tmp_path)
    path.write_text(path.read_text().replace("'18:30'", "18:30").replace("'06:00'", "06:00"))
    assert load(path).schedule.at == ("06:00", "18:30")


def test_a_key_is_left_out_from_the_day_it_expires(tmp_path: Path) -> None:
    key = {"label": "old", "public_key": ed25519_key(), "expires": "2026-12-01"}
    client = load(write_client(tmp_path, keys=[key]))
    assert len(client.keys_on(date(2026, 11, 30))) == 1
    assert client.keys_on(date(2026, 12, 1)) == []


def test_an_unknown_field_is_named_with_those_that_exist(tmp_path: Path) -> None:
    path = write_client(tmp_path, colour="red")
    assert refusal(tmp_path).startswith(f"{path}: colour: unknown field; expected one of client, ")


def test_an_unknown_field_of_a_key_is_named_with_its_place(tmp_path: Path) -> None:
    write_client(tmp_path, keys=[{"label": "x", "public_key": ed25519_key(), "expiry": "2027-01-01"}])
    assert "keys.0.expiry: unknown field; expected one of label, public_key, expires" in refusal(tmp_path)


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    write_client(tmp_path, contact=None)
    assert "contact: missing; this field is required" in refusal(tmp_path)


def test_two_files_of_one_client_are_refused(tmp_path: Path) -> None:
    first = write_client(tmp_path, "acme", file="a.yaml")
    second = write_client(tmp_path, "acme", file="b.yaml")
    assert f"{second}: client: 'acme' is also the client of {first}; rename one of them" in refusal(tmp_path)


def test_two_clients_may_not_share_a_key(tmp_path: Path) -> None:
    key = ed25519_key()
    first = write_client(tmp_path, "acme", keys=[{"label": "one", "public_key": f"{key} a@b"}])
    write_client(tmp_path, "globex", keys=[{"label": "two", "public_key": f"{key} c@d"}])
    said = refusal(tmp_path)
    assert "globex.yaml: keys.0: key 'two' (SHA256:" in said
    assert f"is also key 'one' of {first}; each key belongs to one client, once" in said


def test_a_private_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    marker = "PRIVATE" + " KEY"
    pasted = f"-----BEGIN OPENSSH {marker}-----\nsecretsecret\n-----END OPENSSH {marker}-----"
    write_client(tmp_path, keys=[{"label": "x", "public_key": pasted}])
    said = refusal(tmp_path)
    assert "keys.0.public_key: this is a private key: destroy it, make a new pair, and give the .pub file" in said
    assert "secretsecret" not in said


def test_an_unknown_attribute_is_met_with_the_nearest_one(tmp_path: Path) -> None:
    write_client(tmp_path, attributes=["emial"])
    assert "attributes.0.from: unknown attribute 'emial'; did you mean 'email'?" in refusal(tmp_path)


def test_an_attribute_that_the_campaign_may_not_receive_is_refused_even_hashed(tmp_path: Path) -> None:
    hashed = {"name": "email_sha256", "from": "email", "transform": "sha256"}
    write_client(tmp_path, campaign_type="website_traffic", attributes=["source", hashed, "mobile"])
    assert "a website_traffic campaign may not receive email, mobile, hashed or not; it may receive " in refusal(
        tmp_path
    )


def test_a_hash_of_a_number_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, attributes=[{"name": "x", "from": "age", "transform": "md5"}])
    assert "attributes.0: md5 hashes text, and 'age' is integer" in refusal(tmp_path)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, attributes=["email", {"name": "Email", "from": "first_name"}])
    assert "attributes: column 'Email' stands twice; rename or remove one of them" in refusal(tmp_path)


def test_a_column_name_with_a_quote_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, attributes=[{"name": 'a"b', "from": "email"}])
    assert "attributes.0.name: 'a\"b' is no column name; use letters" in refusal(tmp_path)


def test_an_unknown_timezone_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, schedule={"timezone": "Australia/Sidney", "at": ["06:00"]})
    assert "schedule.timezone: unknown timezone 'Australia/Sidney'; use an IANA name" in refusal(tmp_path)


def test_a_time_that_stands_twice_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, schedule={"at": ["06:00", "18:30", "06:00"]})
    assert "schedule.at: '06:00' stands twice; remove one of them" in refusal(tmp_path)


def test_a_time_without_two_digits_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, schedule={"at": ["6:00"]})
    assert "schedule.at: '6:00' is no time of day; write it as \"HH:MM\" in quotes" in refusal(tmp_path)


def test_every_beside_at_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, schedule={"at": ["06:00"], "every": "1h"})
    assert "schedule: give either `at` or `every`, found both" in refusal(tmp_path)


def test_neither_every_nor_at_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, schedule={"timezone": "UTC"})
    assert "schedule: give either `at` or `every`, found neither" in refusal(tmp_path)


@pytest.mark.parametrize("every", ["7m", "60m", "5h", "24h"])
def test_an_interval_that_does_not_divide_the_clock_is_refused(tmp_path: Path, every: str) -> None:
    write_client(tmp_path, schedule={"every": every})
    assert f"schedule.every: '{every}' does not divide the clock evenly; use one of 1" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["../acme", "acme/x", "Acme", "ac", "a" * 33, "acme'", 'acme"', "1acme", "acme\n"])
def test_a_client_name_that_is_no_plain_name_is_refused(tmp_path: Path, name: str) -> None:
    write_client(tmp_path, file="x.yaml", client=name)
    assert "x.yaml: client: String should match pattern" in refusal(tmp_path)


def test_the_user_name_root_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path, "root")
    assert "client: Transfer Family refuses the user name 'root'; choose another" in refusal(tmp_path)


@pytest.mark.parametrize("template", ["../{sequence}", "a/{sequence}", "it's{sequence}", '"{sequence}"', ".{sequence}"])
def test_a_file_name_with_a_path_or_quote_is_refused(tmp_path: Path, template: str) -> None:
    path = write_client(tmp_path)
    path.write_text(path.read_text() + f"file:\n  name: {json.dumps(template)}\n")
    assert "file.name: the template makes names such as " in refusal(tmp_path)


def test_a_missing_folder_is_an_error_and_not_no_clients(tmp_path: Path) -> None:
    assert "no such folder of client files" in refusal(tmp_path / "cleints")


def test_an_empty_folder_is_an_error_and_not_no_clients(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no client")
    assert refusal(tmp_path) == f"{tmp_path}: holds no client file; expected at least one <client>.yaml"


@pytest.mark.parametrize(("text", "found"), [("- acme\n", "list"), ("acme\n", "str"), ("", "NoneType")])
def test_yaml_that_is_no_mapping_is_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    assert refusal(tmp_path).endswith(
        f"x.yaml: found {found}, expected a mapping of fields; start with `client: <name>`"
    )


def test_a_yaml_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_client(tmp_path)
    lines = path.read_text().count("\n")
    path.write_text(path.read_text() + "client: other\n")
    assert refusal(tmp_path) == f"{path}:{lines + 1}: key 'client' stands twice; remove one of them"


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("client: acme\nkeys: [\n")
    assert "x.yaml:3: " in refusal(tmp_path)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"client: acm\xe9\n")
    assert refusal(tmp_path).endswith("x.yaml: not UTF-8 at byte 11; save the file as UTF-8")


def test_one_bad_file_refuses_the_folder_and_every_finding_is_named(tmp_path: Path) -> None:
    write_client(tmp_path, "good")
    write_client(tmp_path, "bad-one", contact="nobody")
    write_client(tmp_path, "bad-two", attributes=[])
    said = refusal(tmp_path)
    assert "bad-one.yaml: contact: " in said
    assert "bad-two.yaml: attributes: " in said
    assert "good.yaml" not in said
