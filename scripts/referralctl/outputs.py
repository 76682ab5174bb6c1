"""A stack's outputs: from a file, from the local system, or from Pulumi."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from infra import PROJECT_FOLDER
from referralctl.errors import StackNotFound

# What Pulumi says → what to do; seen with the CLI 3.259.0.
_ADVICE = {
    "PULUMI_ACCESS_TOKEN": "log in with `pulumi login`, or name the backend with PULUMI_BACKEND_URL",
    "no stack selected": "choose one with --stack NAME or `pulumi stack select`; `pulumi stack ls` lists them",
    "no stack named": "`pulumi stack ls` lists those of the backend that `pulumi whoami --verbose` names",
    "passphrase": "set PULUMI_CONFIG_PASSPHRASE to the stack's own",
}


def from_file(path: Path) -> dict[str, Any]:
    """What a JSON file of outputs holds; the local system's stack.json is one, with more around them."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackNotFound(f"{path}: no JSON file of stack outputs ({error})") from error
    if not isinstance(content, dict):
        raise StackNotFound(f"{path}: expected an object of stack outputs, as `pulumi stack output --json` prints it")
    return content


def from_pulumi(stack_name: str | None) -> dict[str, Any]:
    """The outputs of a stack of this project, by default the selected one."""
    if shutil.which("pulumi") is None:
        raise StackNotFound(
            "no stack: `pulumi` is not on PATH; install it, give --outputs FILE, or start a local system with "
            "`referralctl local up`"
        )
    # Asked for a passphrase or a stack, nobody would see the question.
    command = ["pulumi", "stack", "output", "--json", "--non-interactive"]
    command += ["--stack", stack_name] if stack_name else []
    done = subprocess.run(
        command, cwd=PROJECT_FOLDER, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StackNotFound(_explained(done.stderr))
    outputs: dict[str, Any] = json.loads(done.stdout)
    if not outputs:
        raise StackNotFound(f"stack {stack_name or '(the selected one)'} has no outputs: deploy it with `pulumi up`")
    return outputs


def _explained(stderr: str) -> str:
    """Pulumi's error in one line, and what to do."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if line.startswith("error:")), lines[-1] if lines else "no message")
    advice = next((advice for part, advice in _ADVICE.items() if part in said), "try it alone")
    return f"`pulumi stack output` failed: {said.removeprefix('error:').strip()}; {advice}"
