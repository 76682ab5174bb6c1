"""`referralctl resend` and `referralctl backfill`: files of the past, beside the scheduled ones."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.progress import Progress

from referral_delivery.delivery import backfill as backfills
from referral_delivery.delivery import resend as resends
from referral_delivery.errors import ContractError
from referral_delivery.file.upload import Uploads
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.window import Window, to_text
from referralctl import stacks
from referralctl.commands.deliver import SAID, invoke, print_report, schedule_input
from referralctl.output import AsJson, DryRun, print_json, print_table, talk, would
from referralctl.stacks import OutputsFile, StackName

_EVERY = re.compile(r"([1-9]\d*)([hd])")
# A hundred years: a step is no longer than its range anyway.
_MOST_HOURS = 876_600
_OTHERWISE = "backfilled_otherwise"


def resend(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    sequence: Annotated[int, typer.Argument(min=1, help="Number of the delivery, as `deliveries` lists it")],
    *,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make delivery SEQUENCE again from the lake, the same bytes, under a free name; the cursor stays.

    What is encrypted is never the same bytes twice: then its rows are held against the recorded hash of the first ones.
    """
    with stacks.opened(outputs, stack_name) as stack:
        event = schedule_input(stack, client).model_copy(
            update={"occasion": Occasion.RESEND, "sequence": sequence, "request": uuid.uuid4().hex}
        )
        if dry_run:
            original = resends.find(stack.ledger, client, sequence)
            uploads, extension = Uploads(stack.s3, stack["delivery_bucket"]), event.contract.file.ending
            key = uploads.free_key(str(original.key), extension, mark=resends.MARK)
            would(f"publish {original.rows:,} rows again as {key.rsplit('/', 1)[1]}", as_json)
            return
        report = invoke(stack, event)
    print_report(report, as_json)
    if report["status"] == "lake_changed":
        raise typer.Exit(1)


def backfill(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    *,
    first: Annotated[str, typer.Option("--from", help="First moment of arrival, UTC: 2026-11-01 or 2026-11-01T06:00")],
    to: Annotated[str, typer.Option("--to", help="End of the range, UTC, not included")],
    every: Annotated[str | None, typer.Option(help="A file for each 6h, 1d …; default: one file")] = None,
    overlap: Annotated[bool, typer.Option("--overlap", help="Also where deliveries cover the range")] = False,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Publish files of a past range, beside the scheduled ones; the cursor stays.

    Interrupted, it goes on where it was: a file that exists is not made twice.
    """
    with stacks.opened(outputs, stack_name) as stack:
        event = schedule_input(stack, client)
        windows = split(_moment(first), _moment(to), every)
        whole = Window(windows[0].start, windows[-1].end)
        backfills.check(stack.ledger, event.contract, whole, overlap=overlap)
        if dry_run:
            names = [backfills.key_of(event.contract, window).rsplit("/", 1)[1] for window in windows]
            would(f"publish {len(names)} files: {', '.join(names)}", as_json)
            return
        reports: list[dict[str, Any]] = []
        with Progress(console=talk, transient=True, disable=not talk.is_terminal) as progress:
            for window in progress.track(windows, description=f"backfilling {client}"):
                asked = {
                    "occasion": Occasion.BACKFILL,
                    "window_start": window.start,
                    "window_end": window.end,
                    "overlap": overlap,
                }
                reports.append(invoke(stack, event.model_copy(update=asked)))
    _print_backfills(client, reports, as_json)
    if any(report["status"] == _OTHERWISE for report in reports):
        talk.print(f"{client}: {SAID[_OTHERWISE]}", markup=False)
        raise typer.Exit(1)


def _print_backfills(client: str, reports: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"client": client, "windows": reports})
        return
    print_table(
        ["window", "status", "file", "rows", "bytes", "sha256"],
        [
            [
                f"{made['window_start']} to {made['window_end']}",
                report["status"],
                made["file"] or "(no file)",
                made["rows"],
                made["bytes"],
                made["sha256"],
            ]
            for report in reports
            for made in report["deliveries"]
        ],
        right={"rows", "bytes"},
    )


def split(start: datetime, end: datetime, every: str | None) -> list[Window]:
    """The range in windows of `every`, the last one possibly shorter; ContractError for an empty range."""
    if end <= start:
        raise ContractError(f"--to ({to_text(end)}) must be after --from ({to_text(start)})")
    step = end - start
    if every is not None:
        match = _EVERY.fullmatch(every)
        if match is None:
            raise ContractError(f"--every {every!r} is no interval; write hours or days, such as 6h or 1d")
        step = min(step, timedelta(hours=min(int(match[1]), _MOST_HOURS) * (24 if match[2] == "d" else 1)))
    windows = []
    while start < end:
        windows.append(Window(start, min(start + step, end)))
        start += step
    return windows


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC, microsecond=0) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ContractError(f"{text!r} is no moment; write 2026-11-01 or 2026-11-01T06:00 (UTC)") from error
