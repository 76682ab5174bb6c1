"""Prints the mutants of the modules that are named, a line of JSON each: Cosmic Ray's operators, applied once.

Run by the Python of an environment of its own, which has Cosmic Ray. (mutmut leaves alone whatever is decorated,
as each validator is, and whatever stands outside a function, as the catalogue and the limits do.)
"""

import ast
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.exception_replacer import ExceptionReplacer
from cosmic_ray.plugins import get_operator

# Of the dozen that Cosmic Ray has for an operator, the nearest ones: if a test notices these, it notices the others.
_SWAPS = {
    "ReplaceBinaryOperator": "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Div Mod_FloorDiv Pow_Mul BitOr_BitAnd "
    "BitAnd_BitOr",
    "ReplaceComparisonOperator": "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt "
    "Is_IsNot IsNot_Is",
    "ReplaceUnaryOperator": "USub_UAdd Delete_Not",
}
_OPERATORS = (
    *(f"core/{kind}_{swap}" for kind, swaps in _SWAPS.items() for swap in swaps.split()),
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/NumberReplacer",
    "core/RemoveDecorator",
    "core/ZeroIterationForLoop",
)


class _ExceptionReplacer(ExceptionReplacer):  # type: ignore[misc]  # mypy does not see Cosmic Ray
    """Also for the name of a module's exception, such as `yaml.YAMLError`, at which Cosmic Ray's own one fails."""

    @staticmethod
    def _name_nodes(node: Any) -> list[Any]:
        caught = node.children[1]
        if caught.type == "atom":
            caught = caught.children[1]
        several = caught.children[::2] if caught.type == "testlist_comp" else [caught]
        return [each.get_first_leaf() for each in several]


def mutants(path: Path) -> Iterator[dict[str, str]]:
    """Each mutant of a module once: its code, and how it differs."""
    source = path.read_text(encoding="utf-8")
    shown = str(path.relative_to(Path.cwd()))
    nodes = list(ast_nodes(get_ast(source)))
    known = {_meaning(source)}
    for operator in (*(get_operator(name)() for name in _OPERATORS), _ExceptionReplacer()):
        for occurrence in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            code = mutate_code(source, operator, occurrence)
            meaning = _meaning(code)
            if meaning and meaning not in known:
                known.add(meaning)
                lines = difflib.unified_diff(source.splitlines(), code.splitlines(), shown, shown, lineterm="")
                yield {"path": str(path), "code": code, "diff": "\n".join(lines)}


def _meaning(source: str) -> str:
    """The code as it runs, as text; empty for what is no Python.

    Unions of annotations say nothing at run time, nor what is there for the type checker only, and who calls by
    keyword does not see whether he must.
    """
    try:
        return ast.dump(_AsItRuns().visit(ast.parse(source)))
    except SyntaxError:
        return ""


class _AsItRuns(ast.NodeTransformer):
    """Makes of `X & None` in an annotation the `X | None` that it was, and all parameters of one kind."""

    def _join(self, node: ast.expr | None) -> None:
        for each in ast.walk(node) if node else ():
            if isinstance(each, ast.BinOp) and isinstance(each.op, ast.BitAnd):
                each.op = ast.BitOr()

    def visit_If(self, node: ast.If) -> ast.AST | None:
        names = {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
        return None if "TYPE_CHECKING" in names else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self._join(node.annotation)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self._join(node.annotation)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.defaults = [*node.defaults, *filter(None, node.kw_defaults)]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [each for each in node.keywords if each.arg != "kw_only"]
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._join(node.returns)
        return self.generic_visit(node)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for mutant in mutants(Path(name)):
            print(json.dumps(mutant))
