"""`referralctl lake`: referrals from a file into the lake, under the lake's contract."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from referral_delivery.window import to_text
from referralctl import stacks
from referralctl.loading.load import Load, prepared
from referralctl.output import AsJson, DryRun, facts, print_json, print_table, talk
from referralctl.stacks import OutputsFile, StackName

app = typer.Typer(no_args_is_help=True)

# What shells say of a program that Ctrl-C ended.
_INTERRUPTED = 130


@app.callback()
def lake() -> None:
    """The referral lake."""


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet; columns are attribute names")],
    *,
    client: Annotated[str, typer.Option(help="Name of the client whose referrals these are")],
    allow_too_late: Annotated[
        bool, typer.Option("--allow-too-late", help="Also referrals so old that only a backfill would deliver them")
    ] = False,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put the referrals of FILE into the lake, every value exactly; what does not fit is refused, and nothing written.

    Times without an offset are UTC. Without a column received_at, the referrals are stamped as arriving now.
    A second load of the same file adds nothing, or what an interrupted one has left out.
    """
    loading: Load | None = None
    with stacks.opened(outputs, stack_name) as stack:
        stack.check_client(client)
        try:
            with prepared(file, stack.s3, stack.lake, client, now=datetime.now(UTC)) as loading:
                loading.plan(dry_run=dry_run, allow_too_late=allow_too_late)
                if not dry_run:
                    loading.write()
        except KeyboardInterrupt as interrupt:
            talk.print(f"interrupted: {loading.so_far if loading else 'nothing was written'}")
            raise typer.Exit(_INTERRUPTED) from interrupt
        except (BotoCoreError, ClientError):
            if loading:
                talk.print(loading.so_far)
            raise
    _print(loading, dry_run=dry_run, as_json=as_json)


def _print(loading: Load, *, dry_run: bool, as_json: bool) -> None:
    rows, new = loading.staged.rows, sum(planned.new for planned in loading.objects)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "client": loading.client,
                "rows": rows,
                "received_at": loading.stamp.isoformat() if loading.stamp else None,
                "objects": [
                    {"key": each.key, "hour": to_text(each.hour), "rows": each.rows, "new": each.new}
                    for each in loading.objects
                ],
                "added": len(loading.written),
            }
        )
        return
    if dry_run:
        print_table(
            ["hour", "rows", "", "object"],
            [
                [to_text(each.hour), each.rows, "new" if each.new else "already there", each.key]
                for each in loading.objects
            ],
            right={"rows"},
        )
    facts.print(
        f"{'Would put ' if dry_run else ''}{rows:,} referrals of {loading.client} in {len(loading.objects):,} objects "
        f"of the lake, {new if dry_run else len(loading.written):,} of them new",
        markup=False,
    )
