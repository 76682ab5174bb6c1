"""What a maker is: how one type of resource is made, changed, read and deleted through the AWS API."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from local_aws.account import Account, Inputs
from local_aws.errors import CannotMake

# Maps whose keys the program made up: what AWS answers is all of it, and a key that is missing there is gone.
_OWN_KEYS = {"variables"}


@dataclass(frozen=True)
class Resource:
    """A resource that was made: AWS's id, the inputs it was made of, and what AWS added."""

    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)


class Archive(str):
    """A file that is handed over: equal by its hash, wherever it lies. One that comes from a state has no path."""

    path: Path

    def __new__(cls, digest: str, path: Path) -> Self:
        """An archive of this hash at a path."""
        made = super().__new__(cls, digest)
        made.path = path
        return made


@dataclass(frozen=True)
class Difference:
    """Inputs that changed, and those of them for which the resource is replaced."""

    changed: frozenset[str]
    replacing: frozenset[str]


class Maker(ABC):
    """One type of resource. Inputs are camelCase, as the program gives them, and an `Archive` for a file."""

    type: ClassVar[str]
    # Inputs that AWS cannot change: the resource is replaced.
    fixed: ClassVar[frozenset[str]] = frozenset()
    # Inputs that `update` knows; None: all that are not fixed.
    changeable: ClassVar[frozenset[str] | None] = None
    # Inputs that `read` finds also where none was given; AWS's defaults would be found with any other.
    watched: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        """Make the resource that the program calls `name`; CannotMake for an input that has no place."""

    @abstractmethod
    def delete(self, aws: Account, old: Resource) -> None:
        """Delete what `create` made; what is gone already is not an error."""

    @abstractmethod
    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        """What AWS says of the resource now; None where it is gone."""

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        """The id that `create` will give, where the inputs tell it; None where AWS makes it up."""
        return inputs.get("name")

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        """Change the resource to these inputs, of which only changeable ones differ."""
        raise NotImplementedError(self.type)

    def compare(self, old: Resource, inputs: Inputs) -> Difference:
        """What differs; CannotMake where a change can neither be made nor replaces the resource."""
        changed = changes(old.inputs, inputs)
        replacing = changed & self.fixed
        if not replacing and self.changeable is not None and (unknown := changed - self.changeable):
            names = ", ".join(sorted(unknown))
            raise CannotMake(f"{self.type} ({old.id}): a change of {names} cannot be made here")
        return Difference(frozenset(changed), frozenset(replacing))

    def read(self, aws: Account, old: Resource) -> Resource | None:
        """The resource as it is now, with inputs that someone changed behind Pulumi's back; None where it is gone."""
        described = self.describe(aws, old)
        if described is None:
            return None
        added = dict.fromkeys(self.watched - set(old.inputs))
        found = observed(old.inputs | added, described)
        return Resource(old.id, {name: each for name, each in found.items() if each or name not in added}, old.outputs)


def changes(old: Inputs, new: Inputs) -> set[str]:
    """Names of the inputs that differ."""
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def observed(inputs: Inputs, described: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs, with AWS's value wherever its answer has the same name and another value."""
    answer = {name.lower(): value for name, value in described.items()}
    found = {name: answer.get(name.lower(), value) for name, value in inputs.items()}
    return {name: found[name] if name in _OWN_KEYS else _observed(inputs[name], found[name]) for name in inputs}


def _observed(given: Any, found: Any) -> Any:
    if isinstance(given, Mapping) and isinstance(found, list):
        return dict(tuple(pair.values()) for pair in found)
    if isinstance(given, str) and isinstance(found, Mapping):
        found = json.dumps(found)  # botocore reads IAM's documents
    if isinstance(given, Mapping) and isinstance(found, Mapping):
        return observed(given, found)
    if isinstance(given, list) and isinstance(found, list) and len(given) == len(found):
        return [_observed(*pair) for pair in zip(given, found, strict=True)]
    return given if _same(given, found) else found


def _same(given: Any, found: Any) -> bool:
    """Documents are the same whatever their spelling."""
    if isinstance(given, str):
        try:
            return bool(json.loads(given) == json.loads(found))
        except (ValueError, TypeError):
            pass
    return bool(given == found)


def split(inputs: Inputs, *names: str) -> tuple[dict[str, Any], ...]:
    """The inputs without some of them, and each of those as a map of its own (empty where it is not given)."""
    rest = {name: value for name, value in inputs.items() if name not in names}
    return rest, *({name: inputs[name]} if name in inputs else {} for name in names)


def cleared(type_: str, id_: str, name: str, values: Inputs) -> Any:
    """What the API takes for an input that was taken away; CannotMake where nothing is known."""
    if name not in values:
        raise CannotMake(f"{type_} ({id_}): {name} cannot be taken away here")
    return values[name]


def renamed(inputs: Inputs, **names: str) -> dict[str, Any]:
    """The inputs under the API's names where those are other words: `renamed(inputs, name="RoleName")`."""
    return {names.get(name, name): value for name, value in inputs.items()}


def retag(  # noqa: PLR0917 - what is tagged, and how its service calls that
    aws: Account, service: str, target: Inputs, old: Resource, inputs: Inputs, kind: str = "Resource"
) -> None:
    """Make the tags those of the inputs; `target` is the parameter that says what is tagged."""
    before, after = old.inputs.get("tags", {}), inputs.get("tags", {})
    if gone := sorted(set(before) - set(after)):
        aws.call(service, f"Untag{kind}", {**target, "tagKeys": gone})
    if after and after != before:
        aws.call(service, f"Tag{kind}", {**target, "tags": after})
