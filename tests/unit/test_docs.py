"""README and docs: what they name exists."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from benchmarks import readme
from infra.settings import PROJECT_FOLDER, StackSettings
from referralctl.main import app

PAGES = [PROJECT_FOLDER / "README.md", *sorted((PROJECT_FOLDER / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_and_path_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:\./)?((?:scripts|infra|functions|clients|tests|docs|benchmarks)/[\w./-]+)", text)
    missing = [path for path in named if not (PROJECT_FOLDER / path.rstrip("/.")).exists()]
    # A stack's own folder of clients, which the reader makes.
    assert set(missing) - {"clients/prod"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    for words in re.findall(r"referralctl ((?:[a-z]+ ?){1,2})", page.read_text(encoding="utf-8")):
        command = get_command(app)
        first, *rest = words.split()
        assert first in command.commands, words  # type: ignore[attr-defined]
        group = command.commands[first]  # type: ignore[attr-defined]
        if rest and hasattr(group, "commands"):
            assert rest[0] in group.commands, words


def test_the_settings_that_readme_sets_exist() -> None:
    text = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"pulumi config set (?:--secret )?(\w+) ", text))
    assert named
    assert named <= {*StackSettings.model_fields, "sftp_host_key"}


def test_the_figures_in_readme_are_those_of_the_committed_benchmarks() -> None:
    text = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
    between = text.partition(readme.BEGIN)[2].partition(readme.END)[0]
    assert between.strip() == readme.figures(readme.RESULTS).strip()
