"""Imports run one way: a room may import those below it in the list, never one above."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import PROJECT_FOLDER

# From the top down; design: what knows most stands first.
HOUSES = {
    "demonstration": PROJECT_FOLDER / "scripts" / "demonstration",
    "referralctl": PROJECT_FOLDER / "scripts" / "referralctl",
    "local_aws": PROJECT_FOLDER / "scripts" / "local_aws",
    "infra": PROJECT_FOLDER / "infra",
    "referral_delivery": PROJECT_FOLDER / "functions" / "referral_delivery",
}
ROOMS = ["handlers", "watch", "delivery", "ledger", "file", "lake", "agreement", "settings", "window", "errors"]


def imported(file: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever the import stands."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("house", HOUSES)
def test_a_house_imports_only_houses_below_it(house: str) -> None:
    above = list(HOUSES)[: list(HOUSES).index(house)]
    files = list(HOUSES[house].rglob("*.py"))
    assert files
    for file in files:
        for module in imported(file):
            assert module.split(".")[0] not in {*above, "tests", "benchmarks"}, f"{file} imports {module}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_of_the_package_imports_only_rooms_below_it(room: str) -> None:
    package = HOUSES["referral_delivery"]
    above = {f"referral_delivery.{each}" for each in ROOMS[: ROOMS.index(room)]}
    files = list((package / room).rglob("*.py")) or [package / f"{room}.py"]
    for file in files:
        for module in imported(file):
            assert ".".join(module.split(".")[:2]) not in above, f"{file} imports {module}"


def test_the_list_of_rooms_is_the_package() -> None:
    package = HOUSES["referral_delivery"]
    found = {each.stem for each in package.iterdir() if not each.name.startswith("__")}
    assert found == set(ROOMS)
