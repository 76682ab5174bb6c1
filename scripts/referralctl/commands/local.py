"""`referralctl local`: the whole system on this machine."""

import shlex
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from infra import PROJECT_FOLDER
from local_aws.emulator import HOST
from referralctl.local_system import LocalSystem
from referralctl.output import AsJson, errors_reported, facts, print_json, talk

app = typer.Typer(no_args_is_help=True)

EXAMPLE_CLIENTS = PROJECT_FOLDER / "clients" / "example"
# What in a shell could lead a tool to another account than the emulator's.
_FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION", "PULUMI_ACCESS_TOKEN")


@app.callback()
def local() -> None:
    """The whole system on this machine, without an AWS account."""


@app.command()
def up(
    clients: Annotated[Path, typer.Option(metavar="DIR", help="Folder of client files")] = EXAMPLE_CLIENTS,
    bare: Annotated[bool, typer.Option("--bare", help="The emulator alone, for your own `pulumi`")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the local system and wait until SFTP answers; where it is up, apply changed client files to it."""
    # Ending politely must end the emulator too: SIGTERM becomes the exception that an interrupt is.
    signal.signal(signal.SIGTERM, _interrupt)
    local = LocalSystem()
    if bare:
        _up_bare(local, as_json)
        return
    with errors_reported(), talk.status("starting the emulator and applying the program"):
        stack = local.up(clients)
    if as_json:
        print_json(stack)
        return
    sftp = stack["sftp"]
    facts.print(f"up: {len(stack['clients'])} clients, AWS API at {stack['endpoint_url']}", markup=False)
    for name, client in stack["clients"].items():
        facts.print(f"sftp -P {sftp['port']} -i {client['private_key']} {name}@{sftp['host']}", markup=False)


@app.command()
def env() -> None:
    """Print shell lines that point `pulumi` and AWS tools to the bare emulator: eval "$(referralctl local env)"."""
    try:
        with errors_reported():
            environment = LocalSystem().environment
    except typer.Exit:
        print("false")  # else `eval` of nothing succeeds, and what follows goes to the shell's own account
        raise
    for name in _FOREIGN:
        print(f"unset {name}")
    for name, value in environment.items():
        print(f"export {name}={shlex.quote(value)}")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say whether the local system runs; exit 1 where it does not."""
    local = LocalSystem()
    emulator = local.running()
    running = emulator is not None and (local.bare or local.stack_file.exists())
    healthy = running and emulator is not None and emulator.answers()
    stack_file = local.stack_file if running and not local.bare else None
    if as_json:
        print_json(
            {
                "running": running,
                "bare": running and local.bare,
                "healthy": healthy,
                "pid": emulator.pid if emulator else None,
                "stack_file": stack_file,
            }
        )
    elif emulator and running:
        what = stack_file or f"a bare emulator, AWS API at {emulator.endpoint_url}"
        facts.print(f"{'up' if healthy else 'not answering'}: pid {emulator.pid}, {what}", markup=False)
    elif emulator:
        facts.print(f"half up: pid {emulator.pid}; `referralctl local up` goes on, `local down` ends it", markup=False)
    else:
        facts.print("down")
    if not healthy:
        raise typer.Exit(1)


@app.command()
def down() -> None:
    """End the local system and drop all of its state."""
    with errors_reported():
        ended = LocalSystem().down()
    facts.print("down" if ended else "nothing was running")


def _up_bare(local: LocalSystem, as_json: bool) -> None:
    with errors_reported(), talk.status("starting the emulator"):
        emulator = local.up_bare()
    if as_json:
        print_json({"endpoint_url": emulator.endpoint_url, "sftp_port": emulator.sftp_port, "pid": emulator.pid})
        return
    facts.print(f"up: AWS API at {emulator.endpoint_url}, SFTP on {HOST}:{emulator.sftp_port}", markup=False)
    talk.print('point your `pulumi` at it: eval "$(.venv/bin/referralctl local env)"', markup=False)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number, frame)
