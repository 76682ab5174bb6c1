"""The folder of client files: reading it whole, refusing it whole, and the JSON Schema of one file."""

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from referral_delivery.client import Client
from referral_delivery.errors import ClientFileError

SUFFIXES = (".yaml", ".yml")
_FOUND_CHARACTERS = 80


class _Loader(yaml.CSafeLoader):
    """Safe YAML in which a key that stands twice is an error, and 18:30 is no base-60 number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} stands twice; remove one of them", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, _WHOLE_NUMBER if tag == "tag:yaml.org,2002:int" else pattern) for tag, pattern in resolvers]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load_folder(folder: Path) -> list[Client]:
    """All clients of a folder, sorted by name; one finding refuses the folder and names every finding.

    A missing or empty folder is an error, never "no clients": a mistyped path must not remove every user.
    """
    if not folder.is_dir():
        raise ClientFileError(f"{folder}: no such folder of client files; give the folder that holds <client>.yaml")
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    if not paths:
        raise ClientFileError(f"{folder}: holds no client file; expected at least one <client>.yaml")
    clients: dict[Path, Client] = {}
    findings: list[str] = []
    for path in paths:
        try:
            clients[path] = load(path)
        except ClientFileError as error:
            findings.append(str(error))
    findings += _shared(clients)
    if findings:
        raise ClientFileError("\n".join(findings))
    return sorted(clients.values(), key=lambda client: client.client)


def load(path: Path) -> Client:
    """One client file; the error has a line per finding: file, field, what is wrong, what to do."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a CSafeLoader
    except UnicodeDecodeError as error:
        raise ClientFileError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ClientFileError(f"{path}:{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ClientFileError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ClientFileError(
            f"{path}: found {type(content).__name__}, expected a mapping of fields; start with `client: <name>`"
        )
    try:
        return Client.model_validate(content)
    except ValidationError as error:
        raise ClientFileError("\n".join(f"{path}: {finding}" for finding in _findings(error))) from error


def json_schema() -> str:
    """The JSON Schema of a client file, as committed in clients/client.schema.json."""
    schema = Client.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    # A column may be given by its attribute's name alone; the model reads that before it validates.
    columns = schema["properties"]["attributes"]
    columns["items"] = {"anyOf": [{"type": "string"}, columns["items"]]}
    schema["$defs"]["Column"]["required"] = ["name"]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _findings(error: ValidationError) -> list[str]:
    findings = []
    for detail in error.errors(include_url=False):
        field = ".".join(map(str, detail["loc"]))
        found = detail["input"]
        match detail["type"]:
            case "extra_forbidden":
                said = f"unknown field; expected one of {', '.join(_fields(detail['loc'][:-1]))}"
            case "missing":
                said = "missing; this field is required"
            case "value_error":
                said = str(detail["ctx"]["error"])
            case _ if "public_key" in field or isinstance(found, dict | list):
                said = detail["msg"]
            case _:
                said = f"{detail['msg']}; found {str(found)[:_FOUND_CHARACTERS]!r}"
        findings.append(f"{field}: {said}" if field else said)
    return findings


def _fields(location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields that are allowed at a location of the client file."""
    schema = Client.model_json_schema()
    part: dict[str, Any] = schema
    for step in location:
        part = part["items"] if isinstance(step, int) else part["properties"][step]
        if reference := part.get("$ref"):
            part = schema["$defs"][reference.rsplit("/", 1)[1]]
    return list(part["properties"])


def _shared(clients: dict[Path, Client]) -> list[str]:
    """Findings about what two files may not share: a client's name, and a key."""
    findings = []
    names: dict[str, Path] = {}
    keys: dict[str, tuple[Path, str]] = {}
    for path, client in clients.items():
        if first := names.get(client.client):
            findings.append(f"{path}: client: {client.client!r} is also the client of {first}; rename one of them")
        names.setdefault(client.client, path)
        for position, key in enumerate(client.keys):
            fingerprint = key.parsed().fingerprint
            if other := keys.get(fingerprint):
                findings.append(
                    f"{path}: keys.{position}: key {key.label!r} ({fingerprint}) is also key {other[1]!r} of "
                    f"{other[0]}; each key belongs to one client, once"
                )
            keys.setdefault(fingerprint, (path, key.label))
    return findings
