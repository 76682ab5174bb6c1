"""One fault in the package, and how the import system comes to load it in the place of the file."""

from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

from infra import PROJECT_FOLDER

PACKAGE = PROJECT_FOLDER / "functions" / "referral_delivery"


@dataclass(frozen=True)
class Mutant:
    """One module with one fault."""

    path: str
    code: str
    diff: str

    @property
    def module(self) -> str:
        """Its name within the package, such as `agreement.file_name`."""
        return ".".join(Path(self.path).relative_to(PACKAGE).with_suffix("").parts)

    def change(self) -> tuple[str, str]:
        """The first line that is not as it was, and what it is instead; empty where it is gone."""
        lines = [(line[:1], line[1:].strip()) for line in self.diff.splitlines()[3:]]
        was, becomes = ([text for sign, text in lines if sign == each and text] for each in "-+")
        return "".join(was[:1]), "".join(becomes[:1])

    @property
    def line(self) -> int:
        """The number of that line."""
        _, _, head, *lines = self.diff.splitlines()
        first = int(head.split()[1].strip("-").partition(",")[0])
        return first + next(number for number, line in enumerate(lines) if line[:1] in "-+")


class _Loader(SourceFileLoader):
    """Loads the mutant in the place of the file."""

    def __init__(self, fullname: str, mutant: Mutant) -> None:
        super().__init__(fullname, mutant.path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> Any:
        return compile(self._mutant.code, self._mutant.path, "exec", dont_inherit=True)


@dataclass(frozen=True)
class Finder:
    """Finds the mutant's module, and no other."""

    mutant: Mutant

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """What the import system asks of each finder."""
        if fullname != f"referral_delivery.{self.mutant.module}":
            return None
        return spec_from_file_location(fullname, self.mutant.path, loader=_Loader(fullname, self.mutant))
