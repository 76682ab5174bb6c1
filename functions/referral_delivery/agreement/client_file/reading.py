"""One client file: its client, or every finding."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pydantic import ValidationError

from referral_delivery.agreement.client import Client
from referral_delivery.agreement.client_file import wording
from referral_delivery.agreement.client_file.fields import Fields, parse
from referral_delivery.agreement.client_file.shown import private_key_line
from referral_delivery.agreement.client_file.text import read_text
from referral_delivery.agreement.client_file.unreadable import UnreadableFile
from referral_delivery.agreement.contract import CLIENT_NAME
from referral_delivery.agreement.key_formats import PRIVATE_KEY
from referral_delivery.agreement.public_key import PublicKey
from referral_delivery.agreement.public_key import parse as parse_key
from referral_delivery.agreement.recipient import KeyFiles
from referral_delivery.errors import Finding

SUFFIX = ".yaml"
# A first day further ahead is a slip of the pen more often than a plan.
MAX_AHEAD = timedelta(days=366)


@dataclass
class ClientFile:
    """What one file holds: its client if nothing is wrong, and its fields if they could be read."""

    path: Path
    findings: list[Finding] = field(default_factory=list)
    fields: Fields = field(default_factory=lambda: Fields({}, {}))
    client: Client | None = None

    @property
    def keys(self) -> Iterator[tuple[int, str, PublicKey]]:
        """Position, label and key of each public key, of a file with findings too."""
        if self.client:
            yield from ((n, key.label, key.parsed()) for n, key in enumerate(self.client.keys))
            return
        entries = self.fields.values.get("keys")
        for position, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(text := entry.get("public_key"), str):
                try:
                    yield position, str(entry.get("label", "")), parse_key(text)
                except ValueError:
                    continue


def read(path: Path, *, today: date, key_files: KeyFiles) -> ClientFile:
    """One file; whatever is wrong with it, or with a key that it names, is in its findings."""
    file = ClientFile(path)
    secret = None
    try:
        text = read_text(path)
        secret = private_key_line(text)
        file.fields = parse(text)
        file.findings += _of_name_and_day(file, today)
        client = Client.model_validate(file.fields.values, context={"key_files": key_files})
    except UnreadableFile as error:
        # Whoever pasted a private key is not told how to paste it better.
        if not secret:
            file.findings.append(
                Finding(file=path, line=error.line, found=error.found, expected=error.cause.expected, do=error.cause.do)
            )
    except ValidationError as error:
        file.findings += wording.findings(error, path, file.fields, secret=secret is not None)
    else:
        file.client = None if file.findings else client
    if secret and not any(finding.found == PRIVATE_KEY for finding in file.findings):
        file.client = None
        file.findings.append(_private_key(path, secret))
    return file


def _of_name_and_day(file: ClientFile, today: date) -> Iterator[Finding]:
    """What the model cannot know: the file's name, and what day it is."""
    name, day = file.fields.values.get("client"), file.fields.values.get("deliver_from")
    if isinstance(name, str) and re.fullmatch(CLIENT_NAME, name) and file.path.name != f"{name}{SUFFIX}":
        yield Finding(
            file=file.path,
            line=file.fields.line(("client",)),
            field="client",
            found=f"`{name}` in a file named {file.path.name}",
            expected="the file to have its client's name",
            do=f"rename the file to {name}{SUFFIX}, or correct the name in it",
        )
    if isinstance(day, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", day) and day > str(today + MAX_AHEAD):
        yield Finding(
            file=file.path,
            line=file.fields.line(("deliver_from",)),
            field="deliver_from",
            found=f"`{day}`",
            expected=f"a day within a year from today, {today}",
            do="correct the year; until that day nothing would be delivered",
        )


def _private_key(path: Path, line: int) -> Finding:
    return Finding(
        file=path,
        line=line,
        found=PRIVATE_KEY,
        expected="public keys only; a private key is never sent to anybody",
        do="have the client destroy it and make a new pair; remove it here, and from Git's history",
    )
