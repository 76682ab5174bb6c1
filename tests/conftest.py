"""What all tests share: AWS requests are held against the API models, and the attack's figures in the summary."""

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.reference import dynamodb_local

API_MODELS = Path(__file__).parent / "api_models"
sys.path.insert(0, str(API_MODELS))

import held_requests  # noqa: E402 - found on PYTHONPATH by every process that a test starts

held_requests.install()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--reference`, which scripts/test gives with the tests that it is for."""
    parser.addoption("--reference", action="store_true", help="put the ledger into DynamoDB Local")


def pytest_configure(config: pytest.Config) -> None:
    """Before any worker starts: what is missing is one line, not an error for each test."""
    if hasattr(config, "workerinput"):
        return
    if config.getoption("reference"):
        dynamodb_local.install()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(API_MODELS), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.NamedTemporaryFile(prefix="held-requests-", delete=False) as log:
        os.environ[held_requests.LOG] = log.name
    config.add_cleanup(Path(log.name).unlink)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A refused request that something swallowed fails the run all the same."""
    if not hasattr(session.config, "workerinput") and any(each["findings"] for each in _held()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many requests were held, which were refused, and what the attack has made."""
    held = _held()
    for each in (each for each in held if each["findings"]):
        terminalreporter.write_line(f"refused: {each['process']}: {each['operation']}: {'; '.join(each['findings'])}")
    operations = Counter(each["operation"] for each in held)
    if operations:
        terminalreporter.write_line(
            f"AWS API models: {operations.total():,} requests of {len(operations)} operations held against them"
        )
    totals: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if isinstance(value, int):
                totals[name] = totals.get(name, 0) + value
    for name, value in sorted(totals.items()):
        terminalreporter.write_line(f"attack: {value} {name}, 0 lost, 0 doubled, 0 changed")


@pytest.fixture
def own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for the requests of a test that has some refused on purpose, so that they are not the session's."""
    file = tmp_path / "held"
    file.touch()
    monkeypatch.setenv(held_requests.LOG, str(file))
    return file


def _held() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(os.environ[held_requests.LOG]).read_text(encoding="utf-8").splitlines()]
