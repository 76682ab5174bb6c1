"""The folder of client files: read whole, or refused whole with every finding."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from referral_delivery.agreement.client import Client
from referral_delivery.agreement.client_file.key_folder import NAME as KEYS
from referral_delivery.agreement.client_file.key_folder import KeyFolder
from referral_delivery.agreement.client_file.reading import SUFFIX, ClientFile, read
from referral_delivery.agreement.client_file.shown import quoted
from referral_delivery.agreement.client_file.wording import named
from referral_delivery.errors import ClientFileError, Finding
from referral_delivery.window import midnight

# What may lie beside client files, and dotfiles.
_NO_CLIENTS = ("readme", "readme.md", "readme.txt")


def load_folder(folder: Path, *, today: date) -> list[Client]:
    """All clients of a folder, sorted by name; one finding refuses the folder and names every finding.

    A missing or empty folder is an error, never "no clients": a mistyped path must not remove every user. A file
    that would not be deployed is a finding, except dotfiles and a README: somebody believes that it is.
    """
    if folder.is_file():
        raise _refused_folder(folder, "a file", do=f"give the folder that it is in, {folder.parent}")
    if not folder.is_dir():
        raise _refused_folder(folder, "no folder of that name")
    entries = sorted(path for path in folder.iterdir() if not _is_no_client(path))
    strangers = [finding for path in entries if (finding := _strange(path))]
    strange = {finding.file for finding in strangers}
    key_folder = _key_folder(folder, today)
    files = [
        read(path, today=today, key_files=key_folder) for path in entries if path not in strange and path.name != KEYS
    ]
    if not files and not strangers:
        raise _refused_folder(folder, "no client file in it")
    findings = [*strangers, *(finding for file in files for finding in file.findings), *_shared(files)]
    findings += key_folder.strangers()
    if findings:
        raise ClientFileError(sorted(findings, key=lambda each: (each.file, each.line or 0)))
    return sorted((file.client for file in files if file.client), key=lambda client: client.client)


def load(path: Path, *, today: date) -> Client:
    """One client file."""
    if finding := _strange(path):
        raise ClientFileError([finding])
    file = read(path, today=today, key_files=_key_folder(path.parent, today))
    findings = [*file.findings, *_shared([file])]
    if file.client is None or findings:
        raise ClientFileError(findings)
    return file.client


def _key_folder(folder: Path, today: date) -> KeyFolder:
    """The keys of a folder of client files, as they are when the day ends: one that ends today fails deliveries."""
    return KeyFolder(folder / KEYS, midnight(today + timedelta(days=1)))


def json_schema() -> str:
    """The JSON Schema of a client file, as committed in clients/client.schema.json."""
    schema = Client.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _refused_folder(folder: Path, found: str, do: str = "correct the folder's name") -> ClientFileError:
    expected = "a folder with at least one <client>.yaml"
    return ClientFileError([Finding(file=folder, found=found, expected=expected, do=do)])


def _is_no_client(path: Path) -> bool:
    return path.name.startswith(".") or path.name.casefold() in _NO_CLIENTS


def _strange(path: Path) -> Finding | None:
    """What lies in the folder and would not be deployed."""
    right = f"{path.name.split('.')[0]}{SUFFIX}"
    if path.is_symlink():
        found, do = "a link to another file", "put the file itself here"
    elif path.is_dir() and path.name == KEYS:
        return None
    elif path.is_dir():
        found, do = (
            "a folder; only files directly in the folder are clients",
            "move its files up, or the folder elsewhere",
        )
    elif not path.is_file():
        found, do = "neither a file nor a folder", "remove it"
    elif path.suffix == SUFFIX:
        return None
    elif path.suffix.casefold() in (".yml", ".yaml", ".json"):
        found, do = f"a name that ends in {path.suffix}", f"rename it to {right}"
    else:
        found = "a file that is no client file"
        do = f"if it is a client's, rename it to {right}; if not, move it out of this folder"
    return Finding(file=path, found=found, expected=f"only client files, named <client>{SUFFIX}", do=do)


def _shared(files: list[ClientFile]) -> Iterator[Finding]:
    """What two files may not share: a client's name, and a key."""
    names: dict[str, Path] = {}
    keys: dict[str, tuple[Path, str]] = {}
    for file in files:
        name = file.fields.values.get("client")
        if isinstance(name, str) and names.setdefault(name, file.path) != file.path:
            yield Finding(
                file=file.path,
                line=file.fields.line(("client",)),
                field="client",
                found=f"{quoted(name)}, which is also the client of {names[name].name}",
                expected="one file for each client",
                do="rename one of them, or remove one file",
            )
        for position, label, key in file.keys:
            place = ("keys", position)
            if other := keys.get(key.fingerprint):
                where = "this file" if other[0] == file.path else other[0].name
                yield Finding(
                    file=file.path,
                    line=file.fields.line(place),
                    field=named(place, file.fields.values),
                    found=f"the key {key.fingerprint}, which is also key {quoted(other[1])} of {where}",
                    expected="each key once, with one client",
                    do="ask the client for a key of its own" if other[0] != file.path else "remove one of them",
                )
            keys.setdefault(key.fingerprint, (file.path, label))
