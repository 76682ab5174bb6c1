"""What a client file may say of notices, and what is said of a slip in them."""

from pathlib import Path
from typing import Any

import pytest

from referral_delivery.agreement.client import Client
from referral_delivery.agreement.client_files import load
from referral_delivery.agreement.notices import Notices
from referral_delivery.errors import ClientFileError
from tests.support import TODAY, write_client

URL, PARAMETER = "https://hooks.acme.example/referrals", "/referrals/acme/webhook"
AN_URL = "an https:// address of at most 2,048 characters, without a user or a #fragment"
A_NAME = "the name of an SSM parameter, which starts with `/`"


def client(folder: Path, notices: Any) -> Client:
    """The client whose file has these notices."""
    return load(write_client(folder, notices=notices), today=TODAY)


def said(folder: Path, notices: Any) -> str:
    """What is said of these notices: the field, what was found, and what is expected."""
    with pytest.raises(ClientFileError) as refused:
        client(folder, notices)
    (finding,) = refused.value.findings
    return f"{finding.field}: found {finding.found}; expected {finding.expected}"


def webhook(**changed: Any) -> dict[str, Any]:
    """Notices by webhook."""
    return {"webhook": {"url": URL, "secret_parameter": PARAMETER} | changed}


def notices(folder: Path, fields: dict[str, Any]) -> Notices:
    """What the file's notices mean."""
    found = client(folder, fields).notices
    assert found is not None
    return found


def test_a_client_is_told_of_each_available_file_unless_its_file_says_otherwise(tmp_path: Path) -> None:
    found = notices(tmp_path, webhook() | {"email": {"to": "crm@acme.example"}})
    assert found.webhook is not None
    assert found.email is not None
    assert (found.webhook.on, found.email.on, found.email.files) == (("file_available",), ("file_available",), "each")
    assert found.email.to == ("crm@acme.example",)


def test_a_list_of_addresses_and_occurrences_may_be_one_text_with_commas(tmp_path: Path) -> None:
    email = {"to": "a@acme.example, b@acme.example", "on": "file_late, key_expired", "files": "daily"}
    found = notices(tmp_path, {"email": email})
    assert found.email is not None
    assert found.email.to == ("a@acme.example", "b@acme.example")
    assert (found.email.on, found.email.files) == (("file_late", "key_expired"), "daily")
    assert found.webhook is None
    one = notices(tmp_path, {"email": {"to": "a@acme.example", "on": "key_expired"}} | webhook(on="key_expired"))
    assert one.webhook is not None
    assert one.email is not None
    assert one.webhook.on == one.email.on == ("key_expired",)


def test_notices_that_go_nowhere_are_refused(tmp_path: Path) -> None:
    assert said(tmp_path, {}) == "notices: found neither `webhook` nor `email`; expected one of them, or both"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://hooks.acme.example:8443/x?y=z",
        URL + "x" * (2_048 - len(URL)),
    ],
)
def test_a_webhook_may_go_to_any_https_address(tmp_path: Path, url: str) -> None:
    found = notices(tmp_path, webhook(url=url))
    assert found.webhook is not None
    assert found.webhook.url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.acme.example/referrals",
        "https:///referrals",
        "https://user@hooks.acme.example/referrals",
        "https://:password@hooks.acme.example/referrals",
        "https://hooks.acme.example:99999/referrals",
        "https://hooks.acme.example:abc/referrals",
        "https://hooks.acme.example:0/referrals",
        "https://hooks.acme.example/a b",
        "https://hooks.acme.example/r\u00e9",
        f"{URL}#now",
        "https://[hooks/referrals",
        URL + "x" * (2_049 - len(URL)),
    ],
)
def test_any_other_address_is_refused(tmp_path: Path, url: str) -> None:
    assert said(tmp_path, webhook(url=url)).startswith("notices.webhook.url: found ")
    assert said(tmp_path, webhook(url=url)).endswith(f"; expected {AN_URL}")


@pytest.mark.parametrize("name", ["referrals", "/", "/referrals/", "/referrals//acme", "/a b", "whsec_x"])
def test_the_name_of_a_parameter_starts_with_a_slash_and_ends_with_none(tmp_path: Path, name: str) -> None:
    assert said(tmp_path, webhook(secret_parameter=name)).endswith(f"; expected {A_NAME}")


def test_a_secret_is_the_clients_own(tmp_path: Path) -> None:
    assert said(tmp_path, webhook(secret_parameter="/referrals/globex/webhook")) == (
        "notices: found the secret parameter `/referrals/globex/webhook`; expected one of the client's own, which "
        "begins with `/referrals/acme/`"
    )


def test_whose_secret_it_is_cannot_be_told_where_the_clients_name_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ClientFileError) as refused:
        load(write_client(tmp_path, client="Acme", notices=webhook()), today=TODAY)
    assert [each.field for each in refused.value.findings] == ["client"]


def test_one_to_ten_addresses_are_told(tmp_path: Path) -> None:
    ten = [f"crm{number}@acme.example" for number in range(10)]
    found = notices(tmp_path, {"email": {"to": ten}})
    assert found.email is not None
    assert len(found.email.to) == 10
    wanted = "; expected 1 to 10 email addresses"
    assert said(tmp_path, {"email": {"to": []}}).endswith(wanted)
    assert said(tmp_path, {"email": {"to": [*ten, "one-more@acme.example"]}}).endswith(wanted)


@pytest.mark.parametrize(
    "told", [{"webhook": webhook()["webhook"] | {"on": []}}, {"email": {"to": "a@b.example", "on": []}}]
)
def test_whoever_is_to_be_told_is_told_of_something(tmp_path: Path, told: dict[str, Any]) -> None:
    assert ".on: found " in said(tmp_path, told)
