"""`referralctl clients`: the client files, checked before anything is deployed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from referral_delivery.agreement.client import WARN_BEFORE_EXPIRY, Client
from referral_delivery.agreement.client_files import json_schema, load, load_folder
from referral_delivery.agreement.cron import expressions
from referral_delivery.agreement.schedule import next_runs, skipped_time_notes
from referral_delivery.errors import ClientFileError, Finding
from referralctl.output import AsJson, facts, print_json, talk

app = typer.Typer(no_args_is_help=True)


@app.callback()
def clients() -> None:
    """Client files: check them, and their schema."""


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of client files, or one client file")],
    runs: Annotated[int, typer.Option(min=0, max=100, help="How many next runs to show for each client")] = 3,
    as_json: AsJson = False,
) -> None:
    """Read every client file of DIR; exit 1 and name every finding where one is wrong."""
    now = datetime.now(UTC)
    try:
        clients = [load(folder, today=now.date())] if folder.is_file() else load_folder(folder, today=now.date())
    except ClientFileError as error:
        report_findings(error.findings, as_json=as_json)
        raise typer.Exit(1) from error
    described = [_described(client, now, runs) for client in clients]
    if as_json:
        print_json(described)
        return
    for client in described:
        facts.print(f"[bold]{client['client']}[/bold]  {', '.join(client['expressions'])}  {client['timezone']}")
        for run in client["next_runs"]:
            facts.print(f"  next  {run['local']}  ({run['utc']})")
        for recipient in client["recipients"]:
            facts.print(f"  pgp   {recipient['key']}  {recipient['until']}", markup=False)
        for note in client["notes"]:
            facts.print(f"  note  {note}", markup=False)
    talk.print(f"{_counted(len(clients), 'client')}, no findings")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a client file (clients/client.schema.json)."""
    print(json_schema(), end="")


def report_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what is wrong with client files: all of it."""
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    for finding in () if as_json else findings:
        talk.print(f"{finding.place}  {finding.field}".rstrip(), style="bold", markup=False)
        for label in ("found", "expected", "do"):
            talk.print(f"  {label:<8}  {getattr(finding, label)}", markup=False)
    files = len({finding.file for finding in findings})
    talk.print(f"[red]{_counted(len(findings), 'finding')} in {_counted(files, 'file')}[/red]; nothing is deployed")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _described(client: Client, now: datetime, runs: int) -> dict[str, Any]:
    return {
        "client": client.client,
        "timezone": client.schedule.timezone,
        "expressions": expressions(client.schedule),
        "next_runs": [
            {"local": f"{run.local:%a %Y-%m-%d %H:%M}", "utc": f"{run.utc:%Y-%m-%dT%H:%MZ}"}
            for run in next_runs(client.schedule, now, runs)
        ],
        # Read to the client on the telephone, it is known to be its own.
        "recipients": [
            {"key": str(each), "until": f"until {each.expires:%Y-%m-%d}" if each.expires else "without end"}
            for each in client.recipients
        ],
        "notes": [*skipped_time_notes(client.schedule, now.date()), *_key_notes(client, now)],
    }


def _key_notes(client: Client, now: datetime) -> list[str]:
    today = now.date()
    notes = []
    for key in client.keys:
        if key.has_ended(today):
            notes.append(f"key {key.label!r} expired on {key.expires}; remove it")
        elif key.ends_soon(today):
            notes.append(f"key {key.label!r} expires on {key.expires}; ask {client.contact} for the next one")
    for recipient in client.recipients:
        if recipient.has_expired(now + WARN_BEFORE_EXPIRY):
            notes.append(
                f"PGP key {recipient.fingerprint} expires on {recipient.expires:%Y-%m-%d}; ask {client.contact} for it "
                "extended, or for the next one"
            )
    if not client.keys_on(today):
        notes.append(f"no valid key: {client.client} cannot log in; ask {client.contact} for one")
    return notes
