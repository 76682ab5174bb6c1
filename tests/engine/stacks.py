"""Stacks of the project that the real Pulumi engine deploys, through its Automation API with the program inline."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

from infra import PROJECT_FOLDER


@dataclass
class Change:
    """What one run of the engine did, by resource name and type; what stayed the same is left out."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    def see(self, event: automation.EngineEvent) -> None:
        """Take note of an event of the engine."""
        if event.resource_pre_event and (step := event.resource_pre_event.metadata).op not in {"same", "read"}:
            self.steps.append((str(step.op.value), f"{step.type.rpartition(':')[2]} {step.urn.rpartition('::')[2]}"))
        if event.diagnostic_event and event.diagnostic_event.severity == "error":
            self.printed.append(event.diagnostic_event.message)

    def by(self, *operations: str) -> set[str]:
        """The resources that had one of these operations."""
        return {resource for operation, resource in self.steps if operation in operations}


@dataclass
class EngineStack:
    """One stack of the project, with the program of this working copy."""

    stack: automation.Stack
    environment: dict[str, str]

    def configure(self, **settings: str) -> None:
        """`pulumi config set`, each."""
        for name, value in settings.items():
            self.stack.set_config(name, automation.ConfigValue(value))

    def preview(self) -> Change:
        """`pulumi preview`."""
        change = Change()
        self.stack.preview(on_event=change.see, on_output=_ignored)
        return change

    def warnings(self) -> list[str]:
        """What `pulumi preview` warns of."""
        said: list[str] = []

        def see(event: automation.EngineEvent) -> None:
            if event.diagnostic_event and event.diagnostic_event.severity == "warning":
                said.append(event.diagnostic_event.message)

        self.stack.preview(on_event=see, on_output=_ignored)
        return said

    def up(self, **settings: str) -> Change:
        """`pulumi up` with these settings changed."""
        self.configure(**settings)
        change = Change()
        self.stack.up(on_event=change.see, on_output=_ignored)
        return change

    def refusal(self) -> list[str]:
        """What `pulumi up` prints as errors where it fails before it makes anything."""
        change = Change()
        with pytest.raises(automation.CommandError):
            self.stack.up(on_event=change.see, on_output=_ignored)
        assert {resource.split()[0] for _, resource in change.steps} <= {"Stack"}
        return change.printed

    def pulumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`pulumi …` on this stack, as a person types it."""
        return subprocess.run(
            ["pulumi", *words, "--stack", self.stack.name, "--non-interactive", "--color", "never"],
            cwd=self.stack.workspace.work_dir,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def resources(self) -> list[dict[str, Any]]:
        """What the state holds."""
        return list((self.stack.export_stack().deployment or {}).get("resources", ()))

    def unchanged(self, run: automation.UpResult | automation.RefreshResult) -> bool:
        """Whether a run did nothing."""
        return set(run.summary.resource_changes or ()) == {"same"}

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, plain."""
        return {name: output.value for name, output in self.stack.outputs().items()}

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`referralctl …` as an operator runs it who has only the stack's outputs, credentials and an endpoint."""
        file = Path(self.stack.workspace.work_dir) / f"{self.stack.name}.outputs.json"
        file.write_text(json.dumps(self.outputs()))
        assert not {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} & set(self.environment)
        return subprocess.run(
            [sys.executable, "-c", "from referralctl.main import app; app()", *words, "--outputs", str(file)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def create(name: str, project: Path, environment: dict[str, str]) -> EngineStack:
    """`pulumi stack init`, in a folder that has a Pulumi.yaml."""
    options = automation.LocalWorkspaceOptions(work_dir=str(project), env_vars=environment)
    stack = automation.create_stack(name, project_name="referrals", program=_program, opts=options)
    return EngineStack(stack, environment)


def write_project(folder: Path) -> Path:
    """A project folder with Pulumi.yaml alone: no stack's file of this working copy is read or written."""
    (folder / "infra").mkdir(parents=True)
    shutil.copy(PROJECT_FOLDER / "Pulumi.yaml", folder)
    return folder


def _program() -> None:
    """The program as the engine runs it, from the folder that Pulumi.yaml calls `main`."""
    folder, before = PROJECT_FOLDER / "infra", Path.cwd()
    os.chdir(folder)
    try:
        runpy.run_path(str(folder), run_name="__main__")
    finally:
        os.chdir(before)


def _ignored(_: str) -> None:
    """The engine's progress, which nobody reads."""
