"""The operators' command."""

import typer

from referralctl import clients, lake
from referralctl.deliver import deliver
from referralctl.local import cli as local
from referralctl.package import package

app = typer.Typer(
    help="Referral files for outside clients: check, package, run locally, deliver.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(clients.app, name="clients")
app.add_typer(lake.app, name="lake")
app.add_typer(local.app, name="local")
app.command()(deliver)
app.command()(package)
