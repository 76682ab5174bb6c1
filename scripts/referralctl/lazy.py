"""A group whose commands are imported when they are used; its help reads their docstrings from the source."""

import ast
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from referralctl import commands


class Unloaded(TyperCommand):
    """Stands for a command, or a group of commands, until it is used: name and help only."""

    def __init__(self, name: str, module: str) -> None:
        super().__init__(name, help=_docstring(module, name), rich_markup_mode=None)
        self._module = module

    def load(self) -> Any:
        """The command itself: the module's Typer app, or its function of this name."""
        name, module = str(self.name), importlib.import_module(f"{commands.__name__}.{self._module}")
        parent = typer.Typer(add_completion=False, rich_markup_mode=None)
        if hasattr(module, "app"):
            parent.add_typer(module.app, name=name)
        else:
            parent.command(name)(getattr(module, name))
        return get_group(parent).commands[name]


class LazyGroup(TyperGroup):
    """`--help` and completion ask for all commands, and get what stands for them; the one that is to run is loaded.

    `modules` names each command, in the order of `--help`, with its module in referralctl.commands. The module has a
    function of that name, whose docstring is the help: the command, or the callback of the module's Typer app.
    """

    modules: ClassVar[Mapping[str, str]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: Unloaded(name, module) for name, module in self.modules.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that `args` begin with, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Unloaded) else command, rest


def _docstring(module: str, name: str) -> str:
    """The docstring of a module's function; KeyError where it has none of that name."""
    source = Path(commands.__path__[0], f"{module}.py").read_text(encoding="utf-8")
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    return ast.get_docstring(functions[name]) or ""
