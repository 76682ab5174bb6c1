"""README and docs: what they name exists."""

import json
import re
from pathlib import Path

import pytest
from typer.main import get_group

from benchmarks import readme
from infra import PROJECT_FOLDER, policies
from infra.settings import StackSettings
from referralctl.main import app

PAGES = [PROJECT_FOLDER / "README.md", *sorted((PROJECT_FOLDER / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_and_path_that_is_named_exists(page: Path) -> None:
    text = re.sub(r"https?://\S+", "", page.read_text(encoding="utf-8"))
    named = re.findall(r"(?:\./)?((?:scripts|infra|functions|clients|tests|docs|benchmarks)/[\w./-]+)", text)
    missing = [path for path in named if not (PROJECT_FOLDER / path.rstrip("/.")).exists()]
    # A stack's own folder of clients, which the reader makes.
    assert [path for path in missing if not path.startswith("clients/prod")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    for words in re.findall(r"referralctl ((?:[a-z][a-z-]* ?){1,2})", page.read_text(encoding="utf-8")):
        first, *rest = words.split()
        commands = get_group(app).commands
        assert first in commands, words
        group = commands[first].load()  # type: ignore[attr-defined]
        if rest and hasattr(group, "commands"):
            assert rest[0] in group.commands, words


def test_the_settings_that_readme_sets_exist() -> None:
    text = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"pulumi config set (?:--secret )?(\w+) ", text))
    assert named
    assert named <= set(StackSettings.model_fields)


def test_what_a_lakes_owner_is_told_to_allow_is_what_the_functions_role_asks_for() -> None:
    text = (PROJECT_FOLDER / "docs" / "lake.md").read_text(encoding="utf-8")
    policy, of_key = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    names = ("bucket_arn", "table_arn", "log_group_arn", "failure_queue_arn")
    asked = policies.export_referrals(
        lake_arn="arn:aws:s3:::company.data.lake",
        lake_prefix="events/referrals",
        lake_kms_key_arn="*",
        downloads_prefix="downloads",
        signing_secret_arn=None,
        key_arn=None,
        **dict.fromkeys(names, "x"),
    )["Statement"]

    role = "arn:aws:iam::222233334444:role/referrals-prod-export"
    told = [*policy["Statement"], of_key]
    assert [each.pop("Principal") for each in told] == [{"AWS": role}] * 3
    assert told == [each for each in asked if "Lake" in each["Sid"]]


def test_the_figures_in_readme_are_those_of_the_committed_benchmarks() -> None:
    text = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
    between = text.partition(readme.BEGIN)[2].partition(readme.END)[0]
    assert between.strip() == readme.figures(readme.RESULTS).strip()
