"""`referralctl status`: how all clients stand."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live

from referralctl import stacks
from referralctl.output import AsJson, facts, print_json, talk
from referralctl.stacks import OutputsFile, StackName
from referralctl.status.page import write_page
from referralctl.status.reading import Reader
from referralctl.status.table import LEGEND, summary, table
from referralctl.status.view import ClientView


def status(  # noqa: PLR0917 - Typer reads options from the signature
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C")] = False,
    every: Annotated[int, typer.Option(min=1, max=3_600, help="Seconds between two looks of --watch")] = 10,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the status as one page that needs nothing else", show_default=False),
    ] = None,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Say of every client what it has received and what is due, overdue ones first; exit 1 if one is overdue."""
    if as_json and (watch or html):
        raise typer.BadParameter("give one of --json, --watch and --html", param_hint="--json")
    with stacks.opened(outputs, stack_name) as stack:
        reader = Reader(stack)

        def look() -> tuple[list[ClientView], datetime]:
            now = datetime.now(UTC)
            views = reader.read(now)
            if html:
                write_page(html, views, now=now, stack=stack.name)
            return views, now

        views = _watched(look, every) if watch else _shown(*look(), as_json=as_json, to_page=html is not None)
    if any(view.overdue for view in views):
        raise typer.Exit(1)


def _shown(views: list[ClientView], now: datetime, *, as_json: bool, to_page: bool) -> list[ClientView]:
    if as_json:
        print_json([view.to_json() for view in views])
    elif to_page:
        talk.print(summary(views, now), highlight=False)
    else:
        facts.print(table(views, now))
        talk.print(LEGEND, style="dim", markup=False)
    return views


def _watched(look: Callable[[], tuple[list[ClientView], datetime]], every: int) -> list[ClientView]:
    """What was seen last before Ctrl-C; a line for each look where nobody sees a table change."""
    views, now = look()
    try:
        if not facts.is_terminal:
            while True:
                print(summary(views, now), flush=True)
                time.sleep(every)
                views, now = look()
        with Live(console=facts, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                live.update(Group(summary(views, now), table(views, now), LEGEND), refresh=True)
                time.sleep(every)
                views, now = look()
    except KeyboardInterrupt:
        return views
