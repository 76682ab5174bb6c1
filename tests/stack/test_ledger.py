"""The ledger, as DynamoDB keeps it: what a claim answers, what is asked for, and what only one of two may do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from referral_delivery.errors import Overtaken, UnreadableRecord
from referral_delivery.file.upload import UploadedParts
from referral_delivery.ledger.records import Claim, Delivery, LeaseHeld, Sealed
from referral_delivery.window import HOUR, Window
from tests.stack.conftest import Lab
from tests.support import utc

pytestmark = pytest.mark.ledger

DUE = utc("2026-11-20 10:00")
WINDOW = Window(DUE - HOUR, DUE)
NOW = 1_000.0


def claim(lab: Lab, owner: str = "one", *, now: float = NOW) -> Claim:
    """A claim that has to succeed."""
    made = lab.ledger.claim(lab.client, owner=owner, now=now, expires=now + 90, due=DUE)
    assert isinstance(made, Claim)
    return made


def sealed(window: Window = WINDOW, *, upload_id: str = "u") -> Sealed:
    return Sealed(
        sequence=1,
        occasion="scheduled",
        window=window,
        key="downloads/acme/file.csv",
        contract="c",
        objects=frozenset({b"12345678"}),
        parts=UploadedParts(upload_id, ["e"], 5, "s", "p"),
        rows=2,
        late_rows=1,
        fence=1,
    )


def delivery(lab: Lab, window: Window = WINDOW, **changed: object) -> Delivery:
    made = Delivery(
        client=lab.client,
        sequence=1,
        occasion="scheduled",
        window=window,
        key="downloads/acme/file.csv",
        rows=2,
        size_bytes=5,
        sha256="s",
        plain_hash="p",
        late_rows=1,
        published_at=DUE,
        contract="c",
        objects=frozenset({b"12345678"}),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def test_the_first_claim_stands_at_the_beginning_and_the_next_one_counts_on(lab: Lab) -> None:
    first, second = claim(lab), claim(lab)
    assert first == Claim(
        client=lab.client,
        fence=1,
        attempt=1,
        position=None,
        sequence=0,
        sealed=None,
        requested_until=DUE,
        contract=None,
    )
    assert second == replace(first, fence=2, attempt=2)


def test_an_attempt_that_failed_in_vain_is_not_counted_and_any_other_is(lab: Lab) -> None:
    counted = []
    for in_vain in ({"in_vain": True}, {}, {"in_vain": True}):
        made = claim(lab)
        lab.ledger.abandon(made, **in_vain)
        counted.append(made.attempt)
    assert [*counted, claim(lab).attempt] == [1, 1, 2, 2]


def test_a_lease_is_anothers_until_the_second_in_which_it_ends(lab: Lab) -> None:
    claim(lab)
    asked = {"owner": "two", "expires": NOW + 200, "due": DUE}
    assert lab.ledger.claim(lab.client, now=NOW + 89, **asked) == LeaseHeld("one", 1, 1_090)  # type: ignore[arg-type]
    assert isinstance(lab.ledger.claim(lab.client, now=NOW + 90, **asked), Claim)  # type: ignore[arg-type]


def test_a_claim_asks_for_its_due_time_and_leaves_a_later_one(lab: Lab) -> None:
    claim(lab)
    lab.ledger.request(lab.client, DUE + HOUR)
    assert claim(lab).requested_until == DUE + HOUR
    lab.ledger.request(lab.client, DUE)
    assert lab.ledger.position(lab.client).requested_until == DUE + HOUR


def test_what_was_asked_for_by_a_clock_ten_minutes_ahead_keeps_the_lease_and_what_was_further_ahead_does_not(
    lab: Lab,
) -> None:
    made = claim(lab)
    for ahead, answer in ((timedelta(minutes=10), DUE + timedelta(minutes=10)), (timedelta(seconds=601), None)):
        lab.ledger.request(lab.client, DUE + ahead)
        assert lab.ledger.release(made, done=DUE, now=DUE) == answer
    assert lab.ledger.position(lab.client).lease_owner is None


def test_a_commit_goes_on_where_more_was_asked_for_and_gives_the_lease_back_where_not(lab: Lab) -> None:
    made = claim(lab)
    lab.ledger.request(lab.client, DUE + timedelta(minutes=10))
    kept = lab.ledger.commit(made, delivery(lab), keep=False, now=DUE)
    assert kept == replace(
        made, position=DUE, sequence=1, contract="c", requested_until=DUE + timedelta(minutes=10), attempt=1
    )
    following = Window(DUE, DUE + timedelta(minutes=10))
    assert lab.ledger.commit(kept, delivery(lab, following, sequence=2), keep=False, now=DUE) is None
    assert lab.ledger.position(lab.client).lease_owner is None
    assert [each.sequence for each in lab.ledger.deliveries(lab.client)] == [1, 2]


def test_what_was_asked_for_by_a_clock_that_nobody_can_follow_keeps_no_run_at_work(lab: Lab) -> None:
    made = claim(lab)
    lab.ledger.request(lab.client, DUE + timedelta(seconds=601))
    assert lab.ledger.commit(made, delivery(lab), keep=False, now=DUE) is None


def test_a_cursor_that_somebody_has_changed_by_hand_is_told_by_its_attribute(lab: Lab) -> None:
    cursor: dict[str, Any] = {"client": {"S": lab.client}, "record": {"S": "cursor"}, "fence": {"N": "1"}}
    odd: list[tuple[dict[str, Any], str]] = [
        ({"requested_until": {"N": "5"}}, "requested_until"),
        ({"lease_owner": {"S": "somebody"}}, "lease_expires"),
    ]
    for changed, name in odd:
        lab.stack.dynamodb.put_item(TableName=lab.stack["ledger_table"], Item=cursor | changed)
        with pytest.raises(UnreadableRecord, match=f"client {lab.client}, record 'cursor': attribute '{name}': found"):
            claim(lab)


def test_a_second_delivery_of_a_window_is_overtaken_and_changes_nothing(lab: Lab) -> None:
    kept = lab.ledger.commit(claim(lab), delivery(lab), keep=True, now=DUE)
    assert kept is not None
    for keep in (True, False):
        with pytest.raises(Overtaken):
            lab.ledger.commit(kept, delivery(lab, sequence=2), keep=keep, now=DUE)
    lab.ledger.request(lab.client, DUE + timedelta(minutes=5))
    with pytest.raises(Overtaken, match="since fencing number 1"):
        lab.ledger.commit(kept, delivery(lab, sequence=2), keep=False, now=DUE)
    assert [each.sequence for each in lab.ledger.deliveries(lab.client)] == [1]


def test_an_overtaken_run_commits_nothing_though_more_was_asked_for(lab: Lab) -> None:
    made = claim(lab)
    claim(lab, "two", now=NOW + 90)
    lab.ledger.request(lab.client, DUE + timedelta(minutes=5))
    with pytest.raises(Overtaken):
        lab.ledger.commit(made, delivery(lab), keep=False, now=DUE)
    assert lab.ledger.release(made, done=DUE, now=DUE) is None
    assert lab.ledger.position(lab.client).lease_owner == "two"


def test_an_empty_run_takes_no_number(lab: Lab) -> None:
    made = claim(lab)
    kept = lab.ledger.commit(made, delivery(lab, sequence=None, key=None, sha256=None), keep=True, now=DUE)
    assert kept is not None
    assert (kept.sequence, lab.ledger.position(lab.client).sequence) == (0, 0)


def test_a_contract_is_kept_once_and_read_by_any_other_ledger(lab: Lab) -> None:
    agreed = lab.contract()
    lab.ledger.keep(agreed)
    elsewhere = Lab(lab.stack, lab.client, lab.session)
    assert elsewhere.ledger.contract(lab.client, agreed.hash).to_plain() == agreed.to_plain()
    other = lab.contract(attributes=["referral_id", "source"])
    lab.ledger.keep(other, last=other.hash)
    with pytest.raises(KeyError):
        elsewhere.ledger.contract(lab.client, other.hash)


def test_what_was_read_is_what_deliveries_of_a_span_name_both_ends_included(lab: Lab) -> None:
    held: Claim | None = claim(lab)
    for number in range(4):
        assert held is not None
        window = Window(DUE + number * HOUR, DUE + (number + 1) * HOUR)
        made = delivery(lab, window, sequence=number + 1, objects=frozenset({bytes([number] * 8)}))
        held = lab.ledger.commit(held, made, keep=True, now=DUE)
    since, until = DUE + 2 * HOUR, DUE + 3 * HOUR
    assert lab.ledger.already_read(lab.client, since=since, until=until) == {bytes([1] * 8), bytes([2] * 8)}
    assert lab.ledger.already_read(lab.client, since=since) == {bytes([n] * 8) for n in (1, 2, 3)}
    assert [each.sequence for each in lab.ledger.deliveries(lab.client, since=until)] == [3, 4]
    assert [each.sequence for each in lab.ledger.deliveries(lab.client)] == [1, 2, 3, 4]


def test_a_backfill_is_sealed_once_and_again_only_in_the_place_of_what_is_lost_or_expired(lab: Lab) -> None:
    first, second = sealed(upload_id="first"), sealed(upload_id="second")
    first, second = (replace(each, occasion="backfill", sequence=0) for each in (first, second))
    assert lab.ledger.backfill(lab.client, WINDOW) is None
    assert lab.ledger.seal_backfill(lab.client, first, instead_of=None)
    assert not lab.ledger.seal_backfill(lab.client, second, instead_of=None)
    assert not lab.ledger.seal_backfill(lab.client, second, instead_of=second)
    assert lab.ledger.backfill(lab.client, WINDOW) == first
    assert lab.ledger.seal_backfill(lab.client, second, instead_of=first)

    made = delivery(lab, occasion="backfill", sequence=None)
    lab.ledger.finish_backfill(made)
    assert lab.ledger.backfills(lab.client) == [made]
    assert not lab.ledger.seal_backfill(lab.client, first, instead_of=second)
    assert not lab.ledger.seal_backfill(lab.client, first, instead_of=replace(made, published_at=DUE + HOUR))
    assert lab.ledger.seal_backfill(lab.client, first, instead_of=made)
    assert lab.ledger.backfills(lab.client) == [first]


def test_a_lease_that_was_given_back_after_an_overtaking_is_the_others(lab: Lab) -> None:
    made = claim(lab)
    claim(lab, "two", now=NOW + 90)
    lab.ledger.abandon(made)
    assert (lab.ledger.holds(made), lab.ledger.position(lab.client).lease_owner) == (False, "two")
