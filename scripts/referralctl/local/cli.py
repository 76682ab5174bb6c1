"""`referralctl local`: the whole system on this machine."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from infra.settings import PROJECT_FOLDER
from referralctl.local.system import LocalSystem
from referralctl.output import AsJson, errors_reported, facts, print_json, talk

app = typer.Typer(help="The whole system on this machine, without an AWS account.", no_args_is_help=True)

EXAMPLE_CLIENTS = PROJECT_FOLDER / "clients" / "example"


@app.command()
def up(
    clients: Annotated[Path, typer.Option(metavar="DIR", help="Folder of client files")] = EXAMPLE_CLIENTS,
    as_json: AsJson = False,
) -> None:
    """Start the local system and wait until SFTP answers; writes .local/stack.json."""
    # Ending politely must end the emulator too: SIGTERM becomes the exception that an interrupt is.
    signal.signal(signal.SIGTERM, _interrupt)
    local = LocalSystem()
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
def status(as_json: AsJson = False) -> None:
    """Say whether the local system runs; exit 1 where it does not."""
    local = LocalSystem()
    emulator = local.running()
    running = emulator is not None and local.stack_file.exists()
    healthy = running and emulator is not None and emulator.answers()
    if as_json:
        print_json(
            {
                "running": running,
                "healthy": healthy,
                "pid": emulator.pid if emulator else None,
                "stack_file": local.stack_file if running else None,
            }
        )
    elif emulator and running:
        facts.print(f"{'up' if healthy else 'not answering'}: pid {emulator.pid}, {local.stack_file}", markup=False)
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


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number, frame)
