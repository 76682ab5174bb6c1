"""`referralctl status`: what it says, and how few requests it takes."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from referral_delivery.ledger.table import Ledger
from referralctl.stacks import Stack
from referralctl.status.reading import READ_AGAIN, Reader
from referralctl.status.view import ClientView, State
from tests.stack.conftest import Command, Lab
from tests.stack.test_recovery import run_until_death


def seen(lab: Lab, now: datetime | None = None) -> ClientView:
    """The client's status at a moment."""
    return next(view for view in Reader(lab.stack).read(now or datetime.now(UTC)) if view.client == lab.client)


def calls_of(stack: Stack, counts: Counter[str]) -> Stack:
    """A stack like this one, whose calls are counted."""
    counted = Stack(stack.outputs, stack.local)
    for client in (counted.dynamodb, counted.s3, counted.scheduler):
        client.meta.events.register("before-call", lambda model, **_: counts.update([model.name]))
    return counted


def test_status_says_what_is_due_and_that_nobody_is_overdue(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-11-05 03", "a")
    command("deliver", quiet.client)
    mine = next(row for row in command("status") if row["client"] == quiet.client)
    assert (mine["overdue"], mine["state"], mine["rows"]) == (False, "ok", 1)
    assert mine["next_due"].endswith(" UTC")
    assert mine["last_file"] in quiet.csv_files()


def test_a_client_whose_due_time_passed_without_a_file_is_overdue_after_a_grace(quiet: Lab, command: Command) -> None:
    command("deliver", quiet.client)
    due = datetime.now(UTC) + timedelta(hours=12)
    early, late = (seen(quiet, due + timedelta(minutes=n)) for n in (20, 45))
    assert (early.overdue, late.overdue, late.state) == (False, True, State.OVERDUE)


def test_a_pending_delivery_shows_in_the_status(quiet: Lab) -> None:
    quiet.put_sources("2026-11-05 03", "a")
    run_until_death(quiet, Ledger, "seal", before=False)
    at = datetime.now(UTC)
    assert seen(quiet, at).state is State.PENDING
    quiet.ledger.claim(quiet.client, owner="other", now=at.timestamp(), expires=at.timestamp() + 60, due=at)
    assert seen(quiet, at).state is State.RUNNING


def test_a_status_takes_one_request_a_client_and_two_a_hundred(stack: Stack) -> None:
    counts: Counter[str] = Counter()
    views = Reader(calls_of(stack, counts)).read(datetime.now(UTC))
    assert counts == {"GetObject": 1, "BatchGetItem": 1, "Query": len(views)}


def test_a_second_look_asks_only_for_the_deliveries_of_clients_whose_cursor_has_moved(quiet: Lab) -> None:
    counts: Counter[str] = Counter()
    reader, now = Reader(calls_of(quiet.stack, counts)), datetime.now(UTC)
    first = {view.client: view.cursor for view in reader.read(now)}
    quiet.now = now
    quiet.deliver(due=now)
    counts.clear()
    second = {view.client: view.cursor for view in reader.read(now + timedelta(seconds=10))}
    moved = [client for client, cursor in second.items() if cursor != first[client]]
    assert quiet.client in moved
    assert counts == {"GetObject": 1, "BatchGetItem": 1, "Query": len(moved)}
    counts.clear()
    reader.read(now + READ_AGAIN)
    assert counts["Query"] == len(second)
