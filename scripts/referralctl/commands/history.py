"""`referralctl deliveries` and `audit`: what was delivered, and what was not."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer

from referral_delivery.file.upload import DOWNLOADS
from referral_delivery.lake.objects import REACH, LakeObject
from referral_delivery.ledger.records import Delivery, Sealed
from referral_delivery.window import HOUR, Window, floor_to_hour, midnight, to_text
from referralctl import stacks
from referralctl.output import AsJson, facts, print_json, print_table, talk
from referralctl.stacks import OutputsFile, Stack, StackName


def deliveries(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """List what CLIENT has received, oldest first: every delivery, backfill and resend."""
    with stacks.opened(outputs, stack_name) as stack:
        stack.check_client(client)
        visible = _visible(stack, client)
        made = [*stack.ledger.deliveries(client), *_finished(stack.ledger.backfills(client))]
        rows = [_described(each, visible) for each in sorted(made, key=lambda each: each.published_at)]
    if as_json:
        print_json(rows)
        return
    columns = ["sequence", "occasion", "window", "rows", "bytes", "sha256", "file", "published", "state"]
    columns += ["collected", "resent"]
    cells = [
        [
            row["sequence"],
            row["occasion"],
            f"{row['window_start']} to {row['window_end']}",
            row["rows"],
            row["bytes"],
            row["sha256"],
            row["file"],
            row["published_at"],
            row["state"],
            _collected(row),
            ", ".join(resend["file"] or "lake changed" for resend in row["resends"]),
        ]
        for row in rows
    ]
    print_table(columns, cells, right={"sequence", "rows", "bytes"})


def audit(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    days: Annotated[
        int | None, typer.Option(min=1, max=3_650, help="How far back to look; default: to the first day of the client")
    ] = None,
    outputs: OutputsFile = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Compare the lake with the ledger, and name each object that no delivery has read whole; exit 1 if any is."""
    with stacks.opened(outputs, stack_name) as stack:
        deliver_from = stack.entry(client).contract.deliver_from
        unread, looked_at = unread_objects(stack, client, deliver_from, now=datetime.now(UTC), days=days)
        made = {each.window for each in _finished(stack.ledger.backfills(client))}
    if as_json:
        print_json({"client": client, "objects": looked_at, "unread": [found.key for found in unread]})
    else:
        since = f"of the last {days} days" if days else f"since {deliver_from}"
        facts.print(f"{client}: {looked_at:,} objects {since}, {len(unread):,} that no delivery has read whole")
        for found in unread:
            facts.print(f"  {found.key}", markup=False)
    if unread:
        talk.print("deliver them with (each file holds all that arrived in its range, delivered before or not):")
        for window in [unmade(each, made) for each in spans(found.hour for found in unread)]:
            span = f"--from {window.start:%Y-%m-%dT%H:%M} --to {window.end:%Y-%m-%dT%H:%M}"
            talk.print(f"  referralctl backfill {client} {span} --overlap", markup=False)
        raise typer.Exit(1)


def unread_objects(
    stack: Stack, client: str, deliver_from: date, *, now: datetime, days: int | None
) -> tuple[list[LakeObject], int]:
    """Objects that no delivery or backfill has read whole and that none will, and how many were looked at.

    What the next scheduled run still lists is not counted: it is only not yet due.
    """
    start = max(midnight(deliver_from), now - timedelta(days=days)) if days else midnight(deliver_from)
    listed = stack.lake.objects(client, Window(floor_to_hour(start) + REACH, now), deliver_from=deliver_from)
    made = stack.ledger.deliveries(client, since=floor_to_hour(start))
    read = {name_hash for each in made for name_hash in each.objects}
    backfilled = {name_hash for each in _finished(stack.ledger.backfills(client)) for name_hash in each.objects}
    in_part = _read_in_part(stack, made)
    cursor = stack.ledger.position(client).cursor
    still_listed = floor_to_hour(cursor - REACH) if cursor else start
    unread = [
        found
        for found in listed
        if found.name_hash not in backfilled
        and (found.hour < still_listed if found.name_hash not in read else found.name_hash in in_part[found.hour])
    ]
    return unread, len(listed)


def _read_in_part(stack: Stack, deliveries: Iterable[Delivery]) -> dict[datetime, set[bytes]]:
    """By hour, what was read up to a moment of it, and not on from there.

    For the next delivery had a later first day by then: it took nothing of its window before that.
    """
    found, read = defaultdict[datetime, set[bytes]](set), set[bytes]()
    for each in deliveries:
        contract = stack.ledger.contract(each.client, each.contract)
        if each.window.start < midnight(contract.deliver_from):
            found[floor_to_hour(each.window.start)] |= read
        read |= each.objects
    return found


def spans(hours: Iterable[datetime]) -> list[Window]:
    """The hours as windows, those that follow on each other as one."""
    windows: list[Window] = []
    for hour in sorted(set(hours)):
        if windows and windows[-1].end == hour:
            windows[-1] = Window(windows[-1].start, hour + HOUR)
        else:
            windows.append(Window(hour, hour + HOUR))
    return windows


def unmade(window: Window, made: Collection[Window]) -> Window:
    """The window, begun so many minutes earlier that it has no backfill yet, which would stay as it is."""
    while window in made:
        window = Window(window.start - timedelta(minutes=1), window.end)
    return window


def _visible(stack: Stack, client: str) -> set[str]:
    pages = stack.s3.get_paginator("list_objects_v2").paginate(
        Bucket=stack["delivery_bucket"], Prefix=f"{DOWNLOADS}/{client}/"
    )
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def _finished(backfills: list[Delivery | Sealed]) -> list[Delivery]:
    return [each for each in backfills if isinstance(each, Delivery)]


def _text(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None


def _collected(row: dict[str, Any]) -> str:
    """When the client fetched the file whole for the first time, and from where it did the last time."""
    if row["first_collected_at"]:
        return f"{row['first_collected_at']} from {row['collected_from']}"
    return "in part" if row["partial_collections"] else ""


def _described(delivery: Delivery, visible: set[str]) -> dict[str, Any]:
    state = "empty" if delivery.key is None else "there" if delivery.key in visible else "expired"
    return {
        "sequence": delivery.sequence,
        "occasion": delivery.occasion,
        "window_start": to_text(delivery.window.start),
        "window_end": to_text(delivery.window.end),
        "rows": delivery.rows,
        "late_rows": delivery.late_rows,
        "bytes": delivery.size_bytes,
        "sha256": delivery.sha256,
        "file": delivery.key.rsplit("/", 1)[1] if delivery.key else None,
        "published_at": to_text(delivery.published_at),
        "state": state,
        "first_collected_at": _text(delivery.receipts.first),
        "last_collected_at": _text(delivery.receipts.last),
        "collected_from": delivery.receipts.last_address,
        "collections": delivery.receipts.complete,
        "partial_collections": delivery.receipts.partial,
        "resends": [
            {
                "file": resend.key.rsplit("/", 1)[1] if resend.key else None,
                "sha256": resend.sha256,
                "at": to_text(resend.at),
            }
            for resend in delivery.resends
        ],
    }
