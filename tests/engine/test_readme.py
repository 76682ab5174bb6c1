"""The README's own deployment lines, typed one after another against a bare emulator."""

import re
import shlex

from infra import PROJECT_FOLDER
from tests.engine.conftest import Stacks


def deployment_lines() -> list[list[str]]:
    """The `pulumi` lines of the first block of README's section on deploying."""
    section = (PROJECT_FOLDER / "README.md").read_text().partition("## Deploy to AWS")[2]
    block = section.partition("```console\n")[2].partition("```")[0]
    return [shlex.split(line)[1:] for line in re.findall(r"^\$ (pulumi .*)$", block, re.MULTILINE)]


def test_the_readmes_deployment_lines_run_to_the_end(engine_stacks: Stacks) -> None:
    init, *lines = deployment_lines()
    assert init[:2] == ["stack", "init"]
    assert [line[0] for line in lines][-6:] == ["preview", "up", "up", "refresh", "stack", "destroy"]
    stack, ups = engine_stacks(init[2], bare=True), []
    for line in lines:
        match line:
            # What runs the program needs Pulumi's language host, whose place the Automation API takes here.
            case ["preview"]:
                assert stack.preview().by("create")
            case ["up"]:
                ups.append(stack.up())
            case _:
                done = stack.pulumi(*line, *(["--yes"] if line[0] in {"refresh", "destroy"} else []))
                assert done.returncode == 0, (line, done.stdout, done.stderr)
                if line == ["stack", "output"]:
                    assert "delivery_bucket" in done.stdout
    assert [bool(up.steps) for up in ups] == [True, False]
    assert stack.resources() == []
