"""What commands print: facts to stdout, talk to stderr."""

import json
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.errors import Refused
from local_aws.errors import LocalAwsError
from referral_delivery.errors import DeliveryError
from referralctl.errors import CommandError

# Piped output is not to be cut or folded to a width that no one sees.
_PIPED_COLUMNS = 400
facts = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else _PIPED_COLUMNS)
talk = Console(stderr=True, soft_wrap=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON")]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing")]

_EXPECTED = (CommandError, DeliveryError, Refused, LocalAwsError)


@contextmanager
def errors_reported() -> Iterator[None]:
    """Turn an expected error into its message on stderr and exit code 1."""
    try:
        yield
    except _EXPECTED as error:
        talk.print("[red]error:[/red] ", end="")
        talk.print(str(error), markup=False)
        raise typer.Exit(1) from error


def would(what: str, as_json: bool) -> None:
    """Say what a command would do, in a dry run."""
    if as_json:
        print_json({"dry_run": True, "would": what})
    else:
        facts.print(f"Would {what}", markup=False)


def print_json(value: Any) -> None:
    """Facts as JSON, readable and complete."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(columns: list[str], rows: list[list[object]], *, right: Collection[str] = ()) -> None:
    """Facts as a table; the columns named in `right` are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_shown, row))
    facts.print(table)


def visible(text: str) -> str:
    """A text in which what a terminal would not show, or would obey, stands as its escape."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _shown(cell: object) -> Text:
    """A cell as it is: what others have written is no markup, and moves no terminal's cursor."""
    text = f"{cell:,}" if isinstance(cell, int) else str("" if cell is None else cell)
    return Text(visible(text))
