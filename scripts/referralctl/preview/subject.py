"""Whose next file it is: a client file, deployed or not yet, or what is deployed."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

import yaml

from infra import PROJECT_FOLDER
from infra.settings import NO_CLIENTS, project_file
from referral_delivery.agreement.client_file.reading import SUFFIX
from referral_delivery.agreement.client_files import load
from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.schedule import Schedule
from referral_delivery.errors import ClientFileError, Finding
from referral_delivery.watch.roster import Entry
from referralctl.errors import StackNotFound
from referralctl.stacks import Stack


class Deployed(StrEnum):
    """How a client file stands to what is deployed."""

    NOT_YET = "not_yet"
    OTHERWISE = "otherwise"
    AS_IT_IS = "as_it_is"


@dataclass(frozen=True)
class Subject:
    """What was agreed with a client; without `file`, as it is deployed."""

    contract: Contract
    schedule: Schedule
    file: Path | None
    deployed: Deployed


def find(stack: Stack, client: str, *, deployed: bool, today: date) -> Subject:
    """The client of that name or client file; of a deployed one without a file here, what is deployed.

    Raises ClientFileError with every finding of its file.
    """
    path = Path(client) if client.endswith(SUFFIX) or Path(client).name != client else None
    name, folder = path.stem if path else client, _folder(stack)
    file = path or (folder / f"{name}{SUFFIX}" if folder else None)
    if path and not (deployed or path.exists()):
        missing = Finding(file=path, found="no such file", expected="a client file", do="correct the path")
        raise ClientFileError([missing])
    if not deployed and file and file.exists():
        read = load(_shown(file), today=today)
        return Subject(read.contract, read.schedule, _shown(file), _deployed(stack, read.contract, read.schedule))
    entry = _entry(stack, name)
    if entry is None:
        looked = f"{_shown(file)} does not exist" if file else f"the folder of {stack.name}'s client files is not known"
        raise StackNotFound(
            f"no client {name!r}: {'it' if deployed else f'{looked}, and it'} is not deployed; give the path of its "
            f"client file, or one of {', '.join(stack.client_names) or '(no clients)'}"
        )
    return Subject(entry.contract, entry.schedule, None, Deployed.AS_IT_IS)


def _folder(stack: Stack) -> Path | None:
    """The folder of the stack's client files: what its settings here say."""
    if stack.local:
        return Path(stack.local["clients_folder"])
    name = stack.name.removeprefix(f"{project_file()['name']}-")
    settings = PROJECT_FOLDER / f"Pulumi.{name}.yaml"
    if not settings.is_file():
        return None
    said = (yaml.safe_load(settings.read_text(encoding="utf-8")) or {}).get("config") or {}
    folder = said.get(f"{project_file()['name']}:clients")
    return PROJECT_FOLDER / folder if isinstance(folder, str) and folder != NO_CLIENTS else None


def _entry(stack: Stack, client: str) -> Entry | None:
    return stack.entry(client) if client in stack.client_names else None


def _deployed(stack: Stack, contract: Contract, schedule: Schedule) -> Deployed:
    entry = _entry(stack, contract.client)
    if entry is None:
        return Deployed.NOT_YET
    same = (entry.contract.hash, entry.schedule) == (contract.hash, schedule)
    return Deployed.AS_IT_IS if same else Deployed.OTHERWISE


def _shown(file: Path) -> Path:
    """As a person who stands here would call it."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_absolute() and file.is_relative_to(here) else file
