"""Stands in for the Pulumi engine: applies what the program registers, with the local AWS behind it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs
from pulumi.runtime.rpc import unwrap_rpc_secret

from local_aws.account import Account, Inputs
from local_aws.errors import CannotMake
from local_aws.journal import Journal
from local_aws.makers import maker_of
from local_aws.makers.maker import Archive, Maker, Resource


@dataclass
class StandInEngine(pulumi.runtime.Mocks):
    """Makes, changes and replaces resources as the program registers them; `prune` deletes the others."""

    aws: Account
    journal: Journal
    _registered: set[str] = field(default_factory=set)

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]  # a tuple of None breaks it
        """Answer a function of the provider."""
        return invoke(self.aws, args.token)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Make one resource, or make the one that is there like its inputs; components are only containers."""
        if not args.custom:
            return "", args.inputs
        given = {name: unwrap_rpc_secret(value) for name, value in args.inputs.items()}
        key, inputs = f"{args.typ}::{args.name}", _plain(given)
        self._registered.add(key)
        made = self._apply(key, inputs)
        return made.id, args.inputs | made.outputs

    def recover(self) -> None:
        """Where the run before was cut off: clear what was half-made, and read the rest anew, as a refresh does.

        What was begun to be made and is not written down is deleted under its name, to be made again: nothing refers
        to it yet. Where AWS makes up the name, it stays behind, and in nobody's way.
        """
        if not self.journal.begun:
            return
        for key in [key for key in self.journal.begun if key not in self.journal.resources]:
            inputs = self.journal.begun[key]
            if (id_ := _maker(key).id_of(self.aws, inputs)) is not None:
                _maker(key).delete(self.aws, Resource(id_, dict(inputs)))
            self.journal.gone(key)
        for key, old in list(self.journal.resources.items()):
            if (found := _maker(key).read(self.aws, old)) is None:
                self.journal.gone(key)
            else:
                self.journal.made(key, found)

    def prune(self) -> None:
        """Delete what earlier runs made and this one did not register, what was made last first."""
        for key in [key for key in reversed(self.journal.resources) if key not in self._registered]:
            self._delete(key)

    def _apply(self, key: str, inputs: Inputs) -> Resource:
        maker, old = _maker(key), self.journal.resources.get(key)
        if old:
            difference = maker.compare(old, inputs)
            if not difference.changed:
                return old
            if difference.replacing:
                self._delete(key)
                old = None
        self.journal.begin(key, inputs)
        name = key.partition("::")[2]
        made = maker.update(self.aws, old, inputs) if old else maker.create(self.aws, name, inputs)
        self.journal.made(key, made)
        return made

    def _delete(self, key: str) -> None:
        self.journal.begin(key, {})
        _maker(key).delete(self.aws, self.journal.resources[key])
        self.journal.gone(key)


def _maker(key: str) -> Maker:
    type_, _, name = key.partition("::")
    return maker_of(type_, name)


def invoke(aws: Account, token: str) -> dict[str, Any]:
    """What a function of the AWS provider answers."""
    if token == "aws:index/getCallerIdentity:getCallerIdentity":  # noqa: S105 - a type token
        identity = aws.call("sts", "GetCallerIdentity", {})
        return {"accountId": identity["Account"], "arn": identity["Arn"], "userId": identity["UserId"]}
    raise CannotMake(f"the program calls {token}, and local_aws/engine.py has no answer for it")


def _plain(value: Any) -> Any:
    """Inputs as makers want them."""
    if isinstance(value, pulumi.FileArchive):
        path = Path(value.path)
        return Archive(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
