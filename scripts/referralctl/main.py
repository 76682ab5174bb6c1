"""The operators' command."""

import typer

from referralctl.lazy import LazyGroup


class Commands(LazyGroup):
    """All commands."""

    modules = {  # noqa: RUF012 - a ClassVar, as LazyGroup says
        "preview": "preview",
        "deliver": "deliver",
        "deliveries": "history",
        "status": "status",
        "resend": "again",
        "backfill": "again",
        "audit": "history",
        "notices": "notices",
        "pgp": "pgp",
        "package": "package",
        "cost": "cost",
        "clients": "clients",
        "lake": "lake",
        "local": "local",
    }


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def referralctl() -> None:
    """Referral files for outside clients: check, package, run locally, deliver, look into, deliver again."""
