"""The operators' command."""

import typer

from referralctl import clients, lake
from referralctl.again import backfill, resend
from referralctl.cost import cost
from referralctl.deliver import deliver
from referralctl.history import audit, deliveries, status
from referralctl.local import cli as local
from referralctl.package import package

app = typer.Typer(
    help="Referral files for outside clients: check, package, run locally, deliver, look into, deliver again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(clients.app, name="clients")
app.add_typer(lake.app, name="lake")
app.add_typer(local.app, name="local")
for command in (deliver, deliveries, status, resend, backfill, audit):
    app.command()(command)
app.command()(package)
app.command()(cost)
