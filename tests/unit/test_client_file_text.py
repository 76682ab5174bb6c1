"""What may lie in the bytes of a client file: any text at all, other encodings, and private keys."""

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referral_delivery.agreement.client_file.text import read_text
from referral_delivery.agreement.client_file.unreadable import UnreadableFile
from referral_delivery.agreement.client_files import load
from referral_delivery.errors import ClientFileError
from tests.support import TODAY, ed25519_key, write_client

KEY = ed25519_key()
GOOD = f"""\
client: acme
contact: crm@acme.example
campaign_type: email_subscription
deliver_from: 2026-11-01
keys:
  - label: crm-2026
    public_key: {KEY}
schedule: {{timezone: Australia/Sydney, at: ["06:00", "18:30"]}}
attributes:
  - email
  - {{name: email_sha256, from: email, transform: sha256}}
"""
SIGNS = [
    *("!!int ", "!!timestamp x", "!x ", "&a ", "*a", "<<: ", "- ", "[", "]", "{", "}", "\n", "  ", "\t", ": ", "? "),
    *(
        "'",
        '"',
        "|",
        ">",
        "# ",
        "---\n",
        "...\n",
        "%",
        "@",
        "`",
        "{{",
        "~",
        "null",
        "true",
        "2026-11-31",
        "1e9",
        ".inf",
    ),
    *("\u00a0", "\x00", "\x07", "\ufeff", "\u2028", "\x85", "\U0001f600", ",", "\\", "=", "<<<<<<< x\n"),
    *GOOD.splitlines(keepends=True),
    *GOOD.split(),
]
FORMATS = (PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
RUN_SHOWN = 12


def said_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ClientFileError) as refused:
        load(path, today=TODAY)
    return str(refused.value).replace(str(path), "acme.yaml")


def accepted_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        load(path, today=TODAY)
    except ClientFileError as error:
        assert all(finding.found and finding.expected and finding.do for finding in error.findings)  # noqa: PT017


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients") / "acme.yaml"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.lists(st.sampled_from(SIGNS), max_size=30).map("".join))
def test_no_text_of_yaml_signs_gives_anything_but_findings(file: Path, text: str) -> None:
    accepted_or_refused(file, text.encode())


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, len(GOOD)), gone=st.integers(0, 30), put=st.sampled_from(SIGNS) | st.text(max_size=8))
def test_no_change_of_a_good_file_gives_anything_but_findings(file: Path, at: int, gone: int, put: str) -> None:
    accepted_or_refused(file, (GOOD[:at] + put + GOOD[at + gone :]).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=100))
def test_no_bytes_give_anything_but_findings(file: Path, content: bytes) -> None:
    accepted_or_refused(file, content)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "- " * 100_000, "{a: " * 50_000, "a: &x [*x]", "? [a]\n: b", "!!set {a}"]
)
def test_nesting_and_references_are_refused_and_not_followed(file: Path, text: str) -> None:
    assert "; expected " in said_of(file, text.encode())


def test_utf_16_is_named_as_notepad_names_it(file: Path) -> None:
    assert said_of(file, GOOD.encode("utf-16")) == (
        "acme.yaml: found a file in UTF-16 (Notepad calls it Unicode); expected a file in UTF-8; save it as UTF-8 (in "
        "Notepad: Save as, Encoding: UTF-8)"
    )


@pytest.mark.parametrize(("content", "said"), [(b"cl\0i\0", "UTF-16"), (b"cli\0", "UTF-16"), (b"clie\0", "(U+0000)")])
def test_a_zero_among_the_first_four_bytes_is_of_utf_16(file: Path, content: bytes, said: str) -> None:
    assert said in said_of(file, content)


def test_a_file_that_cannot_be_opened_is_told_with_the_systems_reason(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"a file that cannot be read \(Is a directory\)"):
        read_text(tmp_path)


def test_a_file_of_the_largest_size_is_read(file: Path) -> None:
    file.write_bytes(GOOD.encode() + b"#" * (1_048_576 - len(GOOD)))
    assert load(file, today=TODAY).client == "acme"


def test_another_encoding_is_named_with_its_line(file: Path) -> None:
    assert said_of(file, GOOD.replace("crm-2026", "café").encode("cp1252")).startswith(
        "acme.yaml:6: found `- label: café`, saved in another encoding (such as Windows-1252); expected a file in UTF-8"
    )


def test_a_control_character_is_named_with_its_line(file: Path) -> None:
    assert said_of(file, GOOD.replace("crm-2026", "crm\x07").encode()) == (
        "acme.yaml:6: found an invisible control character (U+0007); expected plain text; delete the line and type it "
        "again"
    )


def test_a_line_counts_though_nothing_stands_in_it(file: Path) -> None:
    assert said_of(file, b"\ncaf\xe9").startswith("acme.yaml:2: found `café`, saved in another encoding")
    assert said_of(file, b"\ncrm\x07").startswith("acme.yaml:2: found an invisible control character (U+0007)")


def test_a_file_far_too_large_is_not_read_as_a_client(file: Path) -> None:
    assert "expected a client file, of at most 1,048,576 bytes" in said_of(file, b"#" * 2_000_000)


FIELDS = [
    *("client", "contact", "campaign_type", "deliver_from", "keys.0.label", "keys.0.public_key", "keys.0.expires"),
    *("schedule.timezone", "schedule.at", "schedule.at.0", "schedule.every", "schedule.days", "schedule.days.0"),
    *("schedule.days_of_month", "schedule.days_of_month.0"),
    *("attributes", "attributes.0", "attributes.0.name", "attributes.0.from", "attributes.0.transform", "file.format"),
    *("file.compression", "file.when_empty", "file.manifest", "file.name", "unknown"),
]


@pytest.mark.parametrize("sign", ["'", "a,", "a@"])
@pytest.mark.parametrize("field", FIELDS)
def test_a_text_of_60000_characters_is_refused_in_any_field(file: Path, field: str, sign: str) -> None:
    """Comparing such a text with the names that it may mean, or searching it for addresses, would take seconds."""
    value: object = sign * (60_000 // len(sign))
    for step in reversed(field.split(".")):
        value = [value] if step == "0" else {step: value}
    said = said_of(file, yaml.safe_dump(value, width=100_000).encode())
    assert "expected at most 6,144 characters in a value, and found 60,000; shorten it, or close the quote" in said


def test_the_name_of_a_field_is_as_long_as_a_value_at_most(file: Path) -> None:
    assert "expected at most 6,144 characters in a value, and found 6,145" in said_of(
        file, f"? {'c' * 6145}\n: x\n".encode()
    )


def test_a_private_key_that_cannot_be_read_as_a_field_is_told_to_be_destroyed_and_not_how_to_paste_it(
    file: Path,
) -> None:
    for key in private_keys():
        assert said_of(file, GOOD.replace(KEY, key).encode()).startswith(
            "acme.yaml:7: found a private key; expected public keys only; a private "
            "key is never sent to anybody; have the client destroy it and make a new pair; "
        )


def test_what_a_terminal_would_obey_is_named_and_not_repeated(file: Path) -> None:
    for text in ('"crm\\e[31m"', '"crm\\u202e"', '"crm\\u0085x"'):
        said = said_of(file, GOOD.replace("crm-2026", text).replace("email\n", f"{text}\n").encode())
        assert said.isprintable() or said.replace("\n", "").isprintable()


def test_windows_line_ends_are_read_as_line_ends(file: Path) -> None:
    file.write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert load(file, today=TODAY).client == "acme"


def private_keys() -> list[str]:
    keys = [
        key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        for key in (Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048))
        for form in FORMATS
        if not (isinstance(key, Ed25519PrivateKey) and form is PrivateFormat.TraditionalOpenSSL)
    ]
    body = "\n".join(keys[0].splitlines()[1:-1])
    ppk = f"PuTTY-User-Key-File-3: ssh-ed25519\nComment: crm\nPrivate-Lines: 1\n{body}\nPrivate-MAC: 00aa"
    begin, end = ("---- " + f"{word} SSH2 ENCRYPTED PRIVATE" + " KEY ----" for word in ("BEGIN", "END"))
    narrow = "\n".join(textwrap.wrap("".join(body.split()), 30))
    return [*keys, ppk, f"{begin}\n{body}\n{end}", f"{begin}\n{narrow}\n{end}"]


def bare(key: str) -> str:
    return "\n".join(key.splitlines()[1:-1])


def in_key(put: str) -> str:
    return GOOD.replace(KEY, put)


def block(key: str) -> str:
    return f"|\n{textwrap.indent(key, ' ' * 6)}"


def joined(key: str) -> str:
    return f'"{" ".join(key.split())}"'


PLACES: dict[str, Callable[[str], str]] = {
    "in a block": lambda key: in_key(block(key)),
    "below its field": in_key,
    "in one line": lambda key: in_key(joined(key)),
    "bare, in its field": lambda key: in_key("\n      ".join(bare(key).splitlines())),
    "bare, as the label": lambda key: GOOD.replace("crm-2026", joined(bare(key))),
    "bare, as the contact": lambda key: GOOD.replace("crm@acme.example", block(bare(key))),
    "bare, between the fields": lambda key: GOOD.replace("schedule", f"{bare(key)}\nschedule"),
    "as the label": lambda key: GOOD.replace("crm-2026", block(key)),
    "as the contact": lambda key: GOOD.replace("crm@acme.example", block(key)),
    "as a column": lambda key: f"{GOOD}  - {block(key)}",
    "as days": lambda key: GOOD.replace("schedule: {", f"schedule: {{days: {joined(key)}, "),
    "instead of the file": lambda key: key,
    "behind the file": lambda key: f"{GOOD}{key}",
    "in a comment": lambda key: GOOD + textwrap.indent(key, "# "),
    "as the name of a field": lambda key: f"{GOOD}{joined(key)}: x\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_private_key_is_never_repeated_wherever_it_was_pasted(file: Path, place: str) -> None:
    for key in private_keys():
        said = said_of(file, PLACES[place](key).encode())
        secret = "".join(line for line in key.splitlines() if re.fullmatch(r"[A-Za-z0-9+/=]+", line))
        runs = [secret[at : at + RUN_SHOWN] for at in range(len(secret) - RUN_SHOWN)]
        assert not [run for run in runs if run in said]


@pytest.mark.parametrize("place", [place for place in PLACES if not place.startswith("bare")])
def test_a_private_key_is_named_as_one(file: Path, place: str) -> None:
    for key in private_keys():
        assert "found a private key" in said_of(file, PLACES[place](key).encode())


def test_a_good_file_beside_the_private_key_is_not_quoted_at_all(tmp_path: Path) -> None:
    key = private_keys()[0]
    path = write_client(tmp_path, keys=[{"label": "secret-label", "public_key": key}], contact="nobody")
    said = said_of(path, path.read_bytes())
    assert "nobody" not in said
    assert "secret-label" not in said


def test_the_short_last_line_of_a_key_is_not_shown_where_reading_stops_at_it(file: Path) -> None:
    said = said_of(file, GOOD.replace("crm-2026", f"|\n      {'Q' * 64}\n  Zm9vYmFyYmF6cXV4").encode())
    assert "found a line that is not shown, because it may be part of a key; expected " in said
    assert "Zm9v" not in said
