"""Which tests call a function, and so may notice a fault in it."""

import ast
import json
import sys
import threading
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from types import FrameType

import pytest

# A function's file, and the line on which it begins.
Function = tuple[str, int]
# In the place of a test's name.
_IMPORT = ""


class Chosen:
    """A plugin of pytest that leaves out all but the `chosen` tests; None for all that run in this process."""

    def __init__(self, chosen: Collection[str] | None = None) -> None:
        self._chosen = chosen

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """What pytest asks of a plugin."""
        # The deployed function's zip has no mutant in it.
        here = [item for item in items if "quiet" not in getattr(item, "fixturenames", ())]
        items[:] = [item for item in here if self._chosen is None or item.nodeid in self._chosen]


class Calls(Chosen):
    """A plugin of pytest that notes in a file which functions of a folder each test calls, with its fixtures."""

    def __init__(self, folder: Path, file: Path) -> None:
        super().__init__()
        self._folder, self._file = str(folder), file
        self._tests: defaultdict[Function, set[str]] = defaultdict(set)
        self._test = _IMPORT

    def start(self) -> None:
        """From here on; what is called while modules are imported is called for all of the tests."""
        sys.settrace(self._called)
        threading.settrace(self._called)

    def pytest_collection(self) -> None:
        """What pytest asks of a plugin."""
        self._test = _IMPORT

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """What pytest asks of a plugin."""
        self._test = nodeid

    def _called(self, frame: FrameType, _event: str, _arg: object) -> None:
        if frame.f_code.co_filename.startswith(self._folder):
            self._tests[frame.f_code.co_filename, frame.f_code.co_firstlineno].add(self._test)

    def write(self) -> None:
        """Keep what was noted."""
        self._file.write_text(json.dumps([[*function, sorted(tests)] for function, tests in self._tests.items()]))


class Called:
    """Which tests call which function, as `Calls` noted it."""

    def __init__(self, file: Path) -> None:
        self._tests = {(path, line): set(tests) for path, line, tests in json.loads(file.read_text())}

    def chosen(self, path: str, line: int) -> Collection[str] | None:
        """The names of the tests that call the function with this line; None for all where an import runs it."""
        if (function := _function_at(path, line)) is None:
            return None
        tests = self._tests.get(function, set())
        return None if _IMPORT in tests else tests


def _function_at(path: str, line: int) -> Function | None:
    """The innermost function that has the line in its body."""
    found = None
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno <= line <= (node.end_lineno or 0):
            # An inner function comes after those around it.
            found = path, min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return found
