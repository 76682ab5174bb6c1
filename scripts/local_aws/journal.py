"""What the stand-in engine has made, written down as it goes, so that a run that is killed goes on where it was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

from local_aws.account import Inputs
from local_aws.makers.maker import Resource


@dataclass
class Journal:
    """Resources by type and name, in the order of making; secrets are in plain text.

    The file has a line before each change and one after it. `begun` is what has the first alone: its inputs.
    """

    path: Path
    resources: dict[str, Resource] = field(default_factory=dict)
    begun: dict[str, Inputs] = field(default_factory=dict)
    _writing: Lock = field(default_factory=Lock)  # resources are registered by several threads

    @classmethod
    def open(cls, path: Path) -> Self:
        """The journal of a file, new where there is none; its lines are made those of what is there now."""
        journal = cls(path)
        if path.exists():
            for line in path.read_text().splitlines():
                journal._take(line)
        whole = path.with_suffix(".new")
        whole.touch(mode=0o600)
        lines = [_line(key, made=vars(resource)) for key, resource in journal.resources.items()]
        lines += [_line(key, begun=inputs) for key, inputs in journal.begun.items()]
        whole.write_text("".join(lines))
        whole.replace(path)
        return journal

    def begin(self, key: str, inputs: Inputs) -> None:
        """A change is about to be made, to these inputs (none: a deletion)."""
        self._write(_line(key, begun=inputs))

    def made(self, key: str, resource: Resource) -> None:
        """The change was made."""
        self._write(_line(key, made=vars(resource)))

    def gone(self, key: str) -> None:
        """The resource was deleted."""
        self._write(_line(key))

    def _write(self, line: str) -> None:
        with self._writing, self.path.open("a") as file:
            file.write(line)
            self._take(line)

    def _take(self, line: str) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # the last line of a run that was killed as it wrote: the line before says what was begun
        key = said["key"]
        if "begun" in said:
            self.begun[key] = said["begun"]
            return
        self.begun.pop(key, None)
        if "made" in said:
            self.resources[key] = Resource(**said["made"])
        else:
            self.resources.pop(key, None)


def _line(key: str, **said: Mapping[str, Any]) -> str:
    return json.dumps({"key": key, **said}) + "\n"
