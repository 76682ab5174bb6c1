"""PGP keys beside client files: how they are named, what is refused, and what becomes of them in a contract."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pysequoia import Tsk

from referral_delivery.agreement.client import Client
from referral_delivery.agreement.client_files import load, load_folder
from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.event import ExportEvent
from referral_delivery.errors import ClientFileError
from tests.pgp import recipient, secret_key
from tests.support import write_client

ACME, NEW = secret_key(days=400), secret_key("New <new@acme.example>")
FINGERPRINT = ACME.extract_certificate().fingerprint.upper()
NEW_FINGERPRINT = NEW.extract_certificate().fingerprint.upper()
GROUPED = " ".join(FINGERPRINT[at : at + 4] for at in range(0, 40, 4))
Written = Callable[..., Path]


def today(days: int = 0) -> Any:
    return (datetime.now(UTC) + timedelta(days=days)).date()


def put(folder: Path, name: str, content: Tsk | bytes) -> Path:
    (folder / "keys").mkdir(exist_ok=True, parents=True)
    path = folder / "keys" / name
    path.write_bytes(str(content.extract_certificate()).encode() if isinstance(content, Tsk) else content)
    return path


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes acme's file, with keys/acme.asc beside it."""

    def write(recipients: Any, key: Tsk | bytes | None = ACME, **pgp: Any) -> Path:
        if key is not None:
            put(tmp_path, "acme.asc", key)
        return write_client(tmp_path, file_={"compression": "gzip", "pgp": {"recipients": recipients, **pgp}})

    return write


def refused(path: Path, *, days: int = 0) -> list[str]:
    with pytest.raises(ClientFileError) as error:
        load_folder(path.parent, today=today(days))
    return [
        f"{each.place.rpartition('/')[2]}: {each.field}: {str(each).partition(': found ')[2]}"
        for each in error.value.findings
    ]


@pytest.mark.parametrize(
    "named",
    ["keys/acme.asc", "acme.asc", ["keys/acme.asc"], FINGERPRINT, f"0x{FINGERPRINT.lower()}", GROUPED],
    ids=count(),  # the keys are new in each process
)
def test_a_recipient_is_named_by_its_file_or_its_fingerprint(written: Written, named: Any) -> None:
    (client,) = load_folder(written(named).parent, today=today())
    assert client.recipients == (recipient(ACME),)
    assert (client.file.ending, client.file.content_type) == (".csv.gz.pgp", "application/octet-stream")


def test_the_client_may_say_what_its_encrypted_files_end_with(tmp_path: Path) -> None:
    put(tmp_path, "acme.asc", ACME)
    path = write_client(tmp_path, file_={"extension": ".gpg", "pgp": {"recipients": "acme.asc"}})
    assert load(path, today=today()).file.ending == ".gpg"


def test_several_recipients_are_an_overlap(tmp_path: Path, written: Written) -> None:
    put(tmp_path, "acme-2027.asc", NEW)
    client = load(written("acme.asc, acme-2027.asc", sign="yes"), today=today())
    assert [each.fingerprint for each in client.recipients] == [FINGERPRINT, NEW_FINGERPRINT]
    assert client.file.pgp
    assert client.file.pgp.sign is True


def test_the_contract_holds_the_keys_in_the_event_and_in_the_ledger(written: Written) -> None:
    contract = load(written("acme.asc", sign=True), today=today()).contract
    event = ExportEvent(contract=contract, scheduled_time="2026-11-20T06:00:00Z")
    assert ExportEvent.model_validate_json(event.model_dump_json()).contract == contract
    recalled = Contract.recalled(json.loads(json.dumps(contract.to_plain())))
    assert (recalled.file.pgp, recalled.hash) == (contract.file.pgp, contract.hash)
    assert recalled.recipients[0].octets == recipient(ACME).octets


def test_a_contract_without_pgp_is_the_same_as_ever() -> None:
    plain = Contract.model_validate({"client": "acme", "deliver_from": "2026-11-01", "attributes": ["email"]})
    assert "pgp" not in plain.to_plain()["file"]
    assert plain.recipients == ()


@pytest.mark.parametrize(
    ("recipients", "said"),
    [
        ("keys/acmee.asc", "`keys/acmee.asc`, which does not exist; expected the name of a key file in the folder keys "
         "beside this file, or the fingerprint of a key in it; did you mean `keys/acme.asc`?"),
        ("other.pgp", "`other.pgp`; expected the name of a key file in the folder keys beside this file, or the "
         "fingerprint of a key in it; write it like `recipients: [keys/acme.asc]`"),
        ("../acme.asc", "`../acme.asc`; expected the name of a key file"),
        ("crm@acme.example", "`crm@acme.example`; expected the name of a key file"),
        (NEW_FINGERPRINT, f"`{NEW_FINGERPRINT}`; expected the name of a key file in the folder keys beside this file, "
         f"or the fingerprint of a key in it; there is {FINGERPRINT} in acme.asc; correct it, or name the key's file"),
        (FINGERPRINT[:-4], "a fingerprint of 36 digits; expected"),
        (FINGERPRINT[-16:], f"the key ID `{FINGERPRINT[-16:]}`, which several keys may have; expected"),
        (str(ACME.extract_certificate()), "the key itself; expected the name of a key file"),
        ([{"fingerprint": FINGERPRINT}], "fields of its own (fingerprint); expected the name of a key file, or a"),
        ([], "an empty list; expected 1 to 5 key files or fingerprints; put the client's public key into the folder"),
        (None, "nothing; expected 1 to 5 key files or fingerprints; put"),
        (["acme.asc", FINGERPRINT], f"the key {FINGERPRINT} (Acme CRM <crm@acme.example>) twice; expected each key"),
    ],
    ids=count(),
)  # fmt: skip
def test_a_recipient_that_is_none_is_refused(written: Written, recipients: Any, said: str) -> None:
    found = [each for each in refused(written(recipients)) if each.startswith("acme.yaml")]
    assert len(found) == 1
    assert said in found[0]


def test_a_key_that_is_refused_is_a_finding_at_the_client_files_line_with_the_key_files_name(written: Written) -> None:
    path = written(["acme.asc"], b"ssh-ed25519 AAAAC3NzaC1lZDI1 crm")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), start=1) if "acme.asc" in text)
    assert refused(path) == [
        f"acme.yaml:{line}: file.pgp.recipients.0: in keys/acme.asc: an SSH key, which encrypts no files; expected the "
        "client's OpenPGP public key, as `gpg --armor --export` writes it; ask the client for what `gpg --armor "
        "--export` prints for its key"
    ]


def test_a_key_that_has_expired_refuses_the_deployment(written: Written) -> None:
    path = written("acme.asc")
    assert load(path, today=today(399))
    assert "expired on" in refused(path, days=400)[0]  # later on that day, but before the next one
    (found,) = refused(path, days=401)
    assert "in keys/acme.asc: a key that expired on" in found
    assert f"`gpg --quick-set-expire {FINGERPRINT} 1y`" in found


@pytest.mark.parametrize("named", [True, False])
def test_a_secret_key_beside_a_client_file_is_refused_and_not_shown(
    tmp_path: Path, written: Written, named: bool
) -> None:
    path = written("acme.asc")
    put(tmp_path, "acme.asc" if named else "other.asc", str(ACME).encode())
    (found,) = refused(path)
    assert "a secret key, which nobody but the client may ever hold" in found
    assert found.startswith("acme.yaml:" if named else "other.asc: ")


def test_a_secret_key_pasted_into_a_client_file_is_refused_and_not_shown(written: Written) -> None:
    found = refused(written(str(ACME), None))
    assert any("a private key; expected public keys only" in each for each in found)
    assert not any(line in each for line in str(ACME).splitlines()[4:] for each in found if line)


def test_a_key_that_no_client_names_is_a_finding(tmp_path: Path, written: Written) -> None:
    path = written("acme.asc")
    put(tmp_path, "forgotten.asc", NEW)
    assert refused(path) == [
        f"forgotten.asc: : the key {NEW_FINGERPRINT} (New <new@acme.example>), which no client file names; expected "
        "each key to be a recipient of a client; name it under `file:` as `pgp: {recipients: [keys/forgotten.asc]}`, "
        "or remove the file"
    ]


def test_what_is_no_file_in_the_folder_of_keys_is_a_finding(tmp_path: Path, written: Written) -> None:
    path = written("acme.asc")
    (tmp_path / "keys" / "old").mkdir()
    (tmp_path / "keys" / "link.asc").symlink_to(tmp_path / "keys" / "acme.asc")
    for ignored in (".gitkeep", "README.md"):
        (tmp_path / "keys" / ignored).touch()
    assert [each.partition("; expected")[0] for each in refused(path)] == [
        "link.asc: : a link to another file",
        "old: : no file",
    ]


def test_clients_without_pgp_need_no_folder_of_keys_and_may_have_an_empty_one(tmp_path: Path) -> None:
    write_client(tmp_path)
    assert [each.recipients for each in load_folder(tmp_path, today=today())] == [()]
    (tmp_path / "keys").mkdir()
    assert len(load_folder(tmp_path, today=today())) == 1


def test_two_clients_may_be_one_company_with_one_key(tmp_path: Path, written: Written) -> None:
    written("acme.asc")
    write_client(tmp_path, "acme-eu", file_={"pgp": {"recipients": ["acme.asc"]}})
    assert [each.recipients for each in load_folder(tmp_path, today=today())] == [(recipient(ACME),)] * 2


def test_more_keys_than_a_contract_has_room_for_are_refused(tmp_path: Path, written: Written) -> None:
    names = [f"key-{number}.asc" for number in range(6)]
    for name in names:
        put(tmp_path, name, secret_key())
    found = refused(written(names, None))
    assert ["file.pgp.recipients: a list of 6; expected 1 to 5 key files" in each for each in found] == [True]


def test_the_model_takes_no_key_file_where_nobody_can_read_it() -> None:
    with pytest.raises(ValueError, match=r"pgp\.recipients"):
        Client.model_validate({"file": {"pgp": {"recipients": ["keys/acme.asc"]}}})
