"""The folder of client files: what a good file means, what may lie beside it, and what two files may not share."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from infra import PROJECT_FOLDER
from referral_delivery.agreement.client_files import json_schema, load, load_folder
from referral_delivery.agreement.contract import Contract
from referral_delivery.errors import ClientFileError
from tests.support import TODAY, client_fields, ed25519_key, write_client

EXAMPLES = PROJECT_FOLDER / "clients" / "example"


def refusal(folder: Path) -> str:
    with pytest.raises(ClientFileError) as refused:
        load_folder(folder, today=TODAY)
    return str(refused.value)


def test_the_example_clients_are_accepted() -> None:
    assert [client.client for client in load_folder(EXAMPLES, today=TODAY)] == ["acme", "globex", "hooli"]


def test_the_committed_json_schema_is_current() -> None:
    assert (PROJECT_FOLDER / "clients" / "client.schema.json").read_text(encoding="utf-8") == json_schema()


def test_the_json_schema_requires_what_the_model_requires() -> None:
    schema = json.loads(json_schema())
    assert set(schema["required"]) == set(client_fields())
    assert schema["additionalProperties"] is False


def test_a_client_without_a_file_section_gets_plain_csv_with_a_safe_name(tmp_path: Path) -> None:
    client = load(write_client(tmp_path), today=TODAY)
    assert client.file.ending == ".csv"
    assert client.file.when_empty == "header_only"
    assert client.file.name == "referrals_{client}_{end:%Y%m%dT%H%M%SZ}_{sequence:06d}"


def test_the_extension_follows_from_the_compression(tmp_path: Path) -> None:
    path = write_client(tmp_path)
    path.write_text(path.read_text() + "file:\n  compression: gzip\n")
    assert load(path, today=TODAY).file.ending == ".csv.gz"


def test_unquoted_times_are_times_and_no_base_60_numbers(tmp_path: Path) -> None:
    path = write_client(tmp_path)
    path.write_text(path.read_text().replace("'18:30'", "18:30").replace("'06:00'", "06:00"))
    assert load(path, today=TODAY).schedule.at == ("06:00", "18:30")


def test_a_key_is_left_out_from_the_day_it_expires(tmp_path: Path) -> None:
    key = {"label": "old", "public_key": ed25519_key(), "expires": "2026-12-01"}
    client = load(write_client(tmp_path, keys=[key]), today=TODAY)
    assert len(client.keys_on(date(2026, 11, 30))) == 1
    assert client.keys_on(date(2026, 12, 1)) == []


def test_a_file_is_named_as_its_client(tmp_path: Path) -> None:
    path = write_client(tmp_path, "acme", file="acme-new.yaml")
    assert refusal(tmp_path) == (
        f"{path}:1: client: found `acme` in a file named acme-new.yaml; expected the file to have its client's name; "
        "rename the file to acme.yaml, or correct the name in it"
    )


def test_two_files_of_one_client_are_refused(tmp_path: Path) -> None:
    write_client(tmp_path, "acme")
    second = write_client(tmp_path, "acme", file="b.yaml")
    assert (
        f"{second}:1: client: found `acme`, which is also the client of acme.yaml; expected one file for each client; "
        "rename one of them, or remove one file"
    ) in refusal(tmp_path)


def test_two_clients_may_not_share_a_key(tmp_path: Path) -> None:
    key = ed25519_key()
    write_client(tmp_path, "acme", keys=[{"label": "one", "public_key": f"{key} a@b"}])
    second = write_client(tmp_path, "globex", keys=[{"label": "two", "public_key": f"{key} c@d"}])
    said = refusal(tmp_path)
    assert f"{second}:6: keys.0 (two): found the key SHA256:" in said
    assert said.endswith(
        ", which is also key `one` of acme.yaml; expected each key once, with one client; ask the client for a key of "
        "its own"
    )


def test_a_shared_key_is_found_in_a_file_with_other_findings_too(tmp_path: Path) -> None:
    key = ed25519_key()
    write_client(tmp_path, "acme", keys=[{"label": "one", "public_key": key}], contact="nobody")
    write_client(tmp_path, "globex", keys=[{"label": "two", "public_key": key}], attributes=["emial"])
    said = refusal(tmp_path).splitlines()
    assert [line.split(": ")[1] for line in said] == ["contact", "keys.0 (two)", "attributes.0"]


def test_a_shared_key_is_found_behind_a_damaged_one(tmp_path: Path) -> None:
    key = ed25519_key()
    write_client(tmp_path, "acme", keys=[{"label": "one", "public_key": key}])
    damaged = {"label": "bad", "public_key": "ssh-ed25519 AAAA"}
    write_client(tmp_path, "globex", keys=[damaged, {"label": "two", "public_key": key}])
    assert ": keys.1 (two): found the key SHA256:" in refusal(tmp_path)


def test_one_key_written_in_two_formats_is_one_key(tmp_path: Path) -> None:
    key = ed25519_key()
    ssh2 = f"---- BEGIN SSH2 PUBLIC KEY ----\n{key.split()[1]}\n---- END SSH2 PUBLIC KEY ----"
    write_client(tmp_path, "acme", keys=[{"label": "one", "public_key": key}])
    write_client(tmp_path, "globex", keys=[{"label": "two", "public_key": ssh2}])
    assert "which is also key `one` of acme.yaml" in refusal(tmp_path)


@pytest.mark.parametrize("junk", [",", "=", "\u200b"])
def test_a_shared_key_with_junk_behind_it_does_not_pass_for_another(tmp_path: Path, junk: str) -> None:
    key = ed25519_key()
    write_client(tmp_path, "acme", keys=[{"label": "one", "public_key": key}])
    write_client(tmp_path, "globex", keys=[{"label": "two", "public_key": f"{key}{junk} crm"}])
    assert f"{tmp_path / 'globex.yaml'}:7: keys.0.public_key (two): found " in refusal(tmp_path)


def test_two_keys_of_one_label_are_refused(tmp_path: Path) -> None:
    keys = [{"label": label, "public_key": ed25519_key()} for label in ("crm", "new", "CRM")]
    assert refusal(write_client(tmp_path, keys=keys).parent) == (
        f"{tmp_path / 'acme.yaml'}:5: keys: found the label `CRM` twice; expected a label of its own for each key; "
        "rename one of them"
    )


def test_a_file_in_the_place_of_the_folder_is_named_as_one(tmp_path: Path) -> None:
    path = write_client(tmp_path)
    assert refusal(path) == (
        f"{path}: found a file; expected a folder with at least one <client>.yaml; give the folder that it is in, "
        f"{tmp_path}"
    )


def test_a_missing_folder_is_an_error_and_not_no_clients(tmp_path: Path) -> None:
    assert refusal(tmp_path / "cleints") == (
        f"{tmp_path / 'cleints'}: found no folder of that name; expected a folder with at least one <client>.yaml; "
        "correct the folder's name"
    )


def test_an_empty_folder_is_an_error_and_not_no_clients(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no client")
    assert f"{tmp_path}: found no client file in it; expected a folder with at least one <client>.yaml" in refusal(
        tmp_path
    )


@pytest.mark.parametrize("name", [".gitkeep", ".acme.yaml.swp", ".DS_Store", ".#acme.yaml", "README.md", "Readme"])
def test_dotfiles_and_a_readme_may_lie_beside_client_files(tmp_path: Path, name: str) -> None:
    write_client(tmp_path)
    (tmp_path / name).write_text("x")
    assert len(load_folder(tmp_path, today=TODAY)) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "globex.yml",
            "found a name that ends in .yml; expected only client files, named <client>.yaml; rename it to ",
        ),
        (
            "globex.YAML",
            "found a name that ends in .YAML; expected only client files, named <client>.yaml; rename it to ",
        ),
        (
            "globex.json",
            "found a name that ends in .json; expected only client files, named <client>.yaml; rename it to ",
        ),
        (
            "globex.yaml.bak",
            "found a file that is no client file; expected only client files, named <client>.yaml; if it ",
        ),
        (
            "globex.yaml~",
            "found a file that is no client file; expected only client files, named <client>.yaml; if it ",
        ),
        ("globex", "found a file that is no client file; expected only client files, named <client>.yaml; if it "),
        ("globex.txt", "found a file that is no client file; expected only client files, named <client>.yaml; if it "),
    ],
)
def test_a_file_that_would_not_be_deployed_is_refused_with_its_right_name(tmp_path: Path, name: str, said: str) -> None:
    write_client(tmp_path)
    write_client(tmp_path, "globex", file=name)
    assert refusal(tmp_path).startswith(f"{tmp_path / name}: {said}")
    assert "globex.yaml" in refusal(tmp_path)


def test_a_folder_beside_client_files_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path)
    write_client(tmp_path / "europe", "globex")
    assert refusal(tmp_path) == (
        f"{tmp_path / 'europe'}: found a folder; only files directly in the folder are clients; expected only client "
        "files, named <client>.yaml; move its files up, or the folder elsewhere"
    )


def test_a_link_beside_client_files_is_refused(tmp_path: Path) -> None:
    write_client(tmp_path / "clients")
    (tmp_path / "clients" / "globex.yaml").symlink_to(write_client(tmp_path / "elsewhere", "globex"))
    assert "globex.yaml: found a link to another file; expected only client files" in refusal(tmp_path / "clients")


def test_every_finding_of_every_file_is_told_at_once_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    write_client(tmp_path, "good")
    write_client(tmp_path, "bad-two", attributes=["emial", "frist_name"], contact="nobody")
    write_client(
        tmp_path, "bad-one", campaign_type="sms", schedule={"timezone": "Sidney", "at": ["6:00"], "days": ["x"]}
    )
    (tmp_path / "odd.yml").write_text("x")
    said = [line.removeprefix(str(tmp_path)).split(": found")[0] for line in refusal(tmp_path).splitlines()]
    assert [re.sub(r":\d+", "", line) for line in said] == [
        "/bad-one.yaml: campaign_type",
        "/bad-one.yaml: schedule.timezone",
        "/bad-one.yaml: schedule.at.0",
        "/bad-one.yaml: schedule.days",
        "/bad-two.yaml: contact",
        "/bad-two.yaml: attributes.0",
        "/bad-two.yaml: attributes.1",
        "/odd.yml",
    ]


def test_a_private_keys_place_is_named_by_the_fields_that_there_are_and_by_no_other(tmp_path: Path) -> None:
    begin = "-----BEGIN PRIVATE" + " KEY-----"
    path = write_client(tmp_path, keys=[{"label": "crm", "public_key": begin}], secret_of_ours=begin)
    said = refusal(tmp_path)
    assert f"{path}:7: keys.0.public_key: found a private key" in said
    assert ": …: found " in said
    assert "secret_of_ours" not in said


def test_what_a_file_lacks_is_told_before_what_stands_in_its_lines(tmp_path: Path) -> None:
    path = write_client(tmp_path, "Acme", file="acme.yaml", contact=None)
    assert [line.split(": found")[0] for line in refusal(tmp_path).splitlines()] == [
        f"{path}: contact",
        f"{path}:1: client",
    ]


def test_what_a_contract_was_made_of_years_ago_stays_readable() -> None:
    old = {"client": "acme", "deliver_from": "2001-01-01", "attributes": ["email"]}
    assert Contract.model_validate(old).deliver_from == date(2001, 1, 1)
