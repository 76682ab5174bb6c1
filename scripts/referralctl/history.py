"""`referralctl deliveries`, `audit` and `status`: what was delivered, what was not, and what is due."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from cronsim import CronSim

from infra.schedules import schedule_name
from referral_delivery.event import ExportEvent
from referral_delivery.export import DOWNLOADS
from referral_delivery.lake import REACH, Lake, LakeObject
from referral_delivery.records import Delivery, Pending
from referral_delivery.window import Window, floor_to_hour, to_text
from referralctl import stacks
from referralctl.output import AsJson, errors_reported, facts, print_json, print_table, talk
from referralctl.stacks import OutputsFile, Stack

# A run may take Lambda's 15 minutes, and its retries a few more.
GRACE = timedelta(minutes=20)


def deliveries(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    outputs: OutputsFile = None,
    as_json: AsJson = False,
) -> None:
    """List what CLIENT has received, oldest first: every delivery, backfill and resend."""
    with errors_reported():
        stack = stacks.find(outputs)
        stack.check_client(client)
        visible = _visible(stack, client)
        made = [*stack.ledger.deliveries(client), *_finished(stack.ledger.backfills(client))]
        rows = [_described(each, visible) for each in sorted(made, key=lambda each: each.published_at)]
    if as_json:
        print_json(rows)
        return
    columns = ["sequence", "kind", "window", "rows", "bytes", "sha256", "file", "published", "state", "resent"]
    cells = [
        [
            row["sequence"],
            row["kind"],
            f"{row['window_start']} to {row['window_end']}",
            row["rows"],
            row["bytes"],
            row["sha256"],
            row["file"],
            row["published_at"],
            row["state"],
            ", ".join(resend["file"] or "lake changed" for resend in row["resends"]),
        ]
        for row in rows
    ]
    print_table(columns, cells, right={"sequence", "rows", "bytes"})


def audit(
    client: Annotated[str, typer.Argument(help="Name of the client")],
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How far back to look")] = 30,
    outputs: OutputsFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare the lake with the ledger, and name every object that no delivery has read; exit 1 if there is one."""
    with errors_reported():
        stack = stacks.find(outputs)
        deliver_from = _schedule(stack, client, 1)["event"].contract.deliver_from
        unread, looked_at = unread_objects(stack, client, deliver_from, now=datetime.now(UTC), days=days)
    if as_json:
        print_json({"client": client, "objects": looked_at, "unread": [found.key for found in unread]})
    else:
        facts.print(
            f"{client}: {looked_at:,} objects of the last {days} days, {len(unread):,} that no delivery has read"
        )
        for found in unread:
            facts.print(f"  {found.key}", markup=False)
    if unread:
        first, last = unread[0].hour, max(found.hour for found in unread) + timedelta(hours=1)
        span = f"--from {first:%Y-%m-%dT%H:%M} --to {last:%Y-%m-%dT%H:%M}"
        talk.print(
            f"deliver them with: referralctl backfill {client} {span} --overlap (its file holds all of the range)",
            markup=False,
        )
        raise typer.Exit(1)


def status(outputs: OutputsFile = None, as_json: AsJson = False) -> None:
    """Say of every client what it has received last and what is due next; exit 1 if one is overdue."""
    with errors_reported():
        stack = stacks.find(outputs)
        now = datetime.now(UTC)
        rows = [client_status(stack, client, now) for client in stack.client_names]
    if as_json:
        print_json(rows)
    else:
        columns = ["client", "last file", "rows", "cursor age", "next due", "state"]
        print_table(columns, [[row[name.replace(" ", "_")] for name in columns] for row in rows], right={"rows"})
    if any(row["overdue"] for row in rows):
        raise typer.Exit(1)


def unread_objects(
    stack: Stack, client: str, deliver_from: date, *, now: datetime, days: int
) -> tuple[list[LakeObject], int]:
    """Objects that no delivery or backfill has read and that none will, and how many were looked at.

    What the next scheduled run still lists is not counted: it is only not yet due.
    """
    start = max(datetime.combine(deliver_from, datetime.min.time(), UTC), now - timedelta(days=days))
    listed = Lake(stack.s3, stack["lake_bucket"]).objects(client, Window(floor_to_hour(start) + REACH, now))
    read = stack.ledger.already_read(client, since=floor_to_hour(start))
    for made in stack.ledger.backfills(client):
        read |= made.objects or frozenset()
    cursor = stack.ledger.position(client).cursor
    still_listed = floor_to_hour(cursor - REACH) if cursor else start
    return [found for found in listed if found.hour < still_listed and found.name_hash not in read], len(listed)


def next_due(expression: str, timezone: str, after: datetime) -> datetime:
    """When a deployed cron expression is due next, UTC; a local time that does not exist is skipped."""
    minute, hour, day, month, weekday, _year = expression.removeprefix("cron(").removesuffix(")").split()
    zone = ZoneInfo(timezone)
    plain = " ".join("*" if field == "?" else field for field in (minute, hour, day, month, weekday))
    local = after.astimezone(zone).replace(tzinfo=None)
    for moment in CronSim(plain, local - timedelta(hours=3)):
        due = moment.replace(tzinfo=zone).astimezone(UTC)
        if due > after and due.astimezone(zone).replace(tzinfo=None) == moment:
            return due
    raise AssertionError(expression)


def client_status(stack: Stack, client: str, now: datetime) -> dict[str, Any]:
    """A client's last file, cursor and next due time at a moment, and whether one was missed."""
    position = stack.ledger.position(client)
    schedules = _schedules(stack, client)
    created = min(schedule["created"] for schedule in schedules)
    since = max(position.cursor or created, created)
    due = min(next_due(each["expression"], each["timezone"], now) for each in schedules)
    missed = min(next_due(each["expression"], each["timezone"], since) for each in schedules)
    overdue = missed + GRACE < now
    leased = position.lease_expires is not None and position.lease_expires > now.timestamp()
    files = [each for each in stack.ledger.deliveries(client, since=_recently(position.cursor)) if each.key]
    last = files[-1] if files else None
    state = "overdue" if overdue else "running" if leased else "pending" if position.pending else "ok"
    zone = ZoneInfo(schedules[0]["timezone"])
    return {
        "client": client,
        "last_file": str(last.key).rsplit("/", 1)[1] if last else None,
        "rows": last.rows if last else None,
        "published_at": to_text(last.published_at) if last else None,
        "cursor": to_text(position.cursor) if position.cursor else None,
        "cursor_age": str(now.replace(microsecond=0) - position.cursor) if position.cursor else None,
        "next_due": f"{due.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}",
        "overdue": overdue,
        "state": state,
    }


def _recently(cursor: datetime | None) -> datetime | None:
    """From when to look for a client's last file: a client with years of history costs what a new one does."""
    return cursor - timedelta(days=31) if cursor else None


def _schedules(stack: Stack, client: str) -> list[dict[str, Any]]:
    listed = stack.scheduler.get_paginator("list_schedules").paginate(
        GroupName=stack["schedule_group"], NamePrefix=f"{client}."
    )
    count = sum(len(page["Schedules"]) for page in listed)
    return [_schedule(stack, client, number) for number in range(1, count + 1)]


def _schedule(stack: Stack, client: str, number: int) -> dict[str, Any]:
    stack.check_client(client)
    found = stack.scheduler.get_schedule(GroupName=stack["schedule_group"], Name=schedule_name(client, number))
    return {
        "expression": found["ScheduleExpression"],
        "timezone": found["ScheduleExpressionTimezone"],
        "created": found["CreationDate"].astimezone(UTC),
        "event": ExportEvent.model_validate_json(found["Target"]["Input"]),
    }


def _visible(stack: Stack, client: str) -> set[str]:
    pages = stack.s3.get_paginator("list_objects_v2").paginate(
        Bucket=stack["delivery_bucket"], Prefix=f"{DOWNLOADS}/{client}/"
    )
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def _finished(backfills: list[Delivery | Pending]) -> list[Delivery]:
    return [each for each in backfills if isinstance(each, Delivery)]


def _described(delivery: Delivery, visible: set[str]) -> dict[str, Any]:
    state = "empty" if delivery.key is None else "there" if delivery.key in visible else "expired"
    return {
        "sequence": delivery.sequence,
        "kind": delivery.kind,
        "window_start": to_text(delivery.window.start),
        "window_end": to_text(delivery.window.end),
        "rows": delivery.rows,
        "late_rows": delivery.late_rows,
        "bytes": delivery.size_bytes,
        "sha256": delivery.sha256,
        "file": delivery.key.rsplit("/", 1)[1] if delivery.key else None,
        "published_at": to_text(delivery.published_at),
        "state": state,
        "resends": [
            {
                "file": resend.key.rsplit("/", 1)[1] if resend.key else None,
                "sha256": resend.sha256,
                "at": to_text(resend.at),
            }
            for resend in delivery.resends
        ],
    }
