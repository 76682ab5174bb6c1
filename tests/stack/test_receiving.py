"""Receipts in the ledger: which record a fetch is counted in, once, and what is no fetch of a delivered file."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from referral_delivery.delivery.backfill import backfill
from referral_delivery.delivery.resend import resend
from referral_delivery.ledger.receiving import REMEMBERED, Fetch, Received, Receiving
from referral_delivery.ledger.records import Delivery, Receipts
from referral_delivery.window import Window
from tests.stack.conftest import Lab
from tests.support import utc

SINCE = utc("2026-10-01 00:00")
AT = utc("2026-11-21 06:00")
COMPACT = "%Y%m%dT%H%M%SZ"


@pytest.fixture
def receiving(lab: Lab) -> Receiving:
    """The ledger as receipts use it."""
    return Receiving(lab.stack.dynamodb, lab.stack["ledger_table"])


@pytest.fixture
def delivery(lab: Lab) -> Delivery:
    """A delivery of one file."""
    return deliver(lab)


def deliver(lab: Lab, **file: str) -> Delivery:
    """Deliver one file, of such a name as the contract says."""
    lab.put_referrals("2026-11-20 08", "a")
    lab.deliver(lab.contract(file=file), due=utc("2026-11-20 09:00"))
    return only(lab)


def only(lab: Lab) -> Delivery:
    """The client's one delivery."""
    (found,) = lab.ledger.deliveries(lab.client)
    return found


def fetch(of: Delivery, id_: str = "1", **changed: Any) -> Fetch:
    """A whole fetch of a delivery's file."""
    values = {
        "client": of.client,
        "key": of.key,
        "id": id_,
        "whole": True,
        "size_bytes": of.size_bytes,
        "etag": of.etag,
        "ended": AT,
        "address": "203.0.113.7",
    }
    return Fetch(**values | changed)


def test_fetches_are_counted_once_each_with_the_first_and_the_last_in_whatever_order_they_are_told(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    hours = {"1": (6, "203.0.113.7"), "2": (8, "203.0.113.8"), "3": (5, "203.0.113.9"), "4": (8, "203.0.113.10")}
    for id_, (hour, address) in hours.items():
        told = fetch(delivery, id_, ended=AT.replace(hour=hour), address=address)
        assert receiving.receive(told, since=SINCE) is Received.COUNTED
        assert receiving.receive(told, since=SINCE) is Received.COUNTED_BEFORE
    assert only(lab).receipts == Receipts(
        first=AT.replace(hour=5), last=AT.replace(hour=8), last_address="203.0.113.10", complete=4
    )


def test_a_fetch_of_which_no_address_is_told_leaves_the_last_one_that_was(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    receiving.receive(fetch(delivery), since=SINCE)
    receiving.receive(fetch(delivery, "2", ended=AT + timedelta(hours=1), address=None), since=SINCE)
    assert only(lab).receipts.last_address == "203.0.113.7"


def test_a_fetch_that_broke_off_is_counted_whatever_it_got_of_the_file(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    for size in (0, delivery.size_bytes - 1, delivery.size_bytes):
        broken = fetch(delivery, str(size), whole=False, size_bytes=size, etag=None)
        assert receiving.receive(broken, since=SINCE) is Received.COUNTED
    larger = fetch(delivery, "larger", whole=False, size_bytes=delivery.size_bytes + 1)
    assert receiving.receive(larger, since=SINCE) is Received.OTHER_BYTES
    assert only(lab).receipts == Receipts(partial=3)


@pytest.mark.parametrize("other", [{"size_bytes": 1}, {"size_bytes": 1_000}, {"etag": "0" * 32}])
def test_a_whole_fetch_of_other_bytes_is_not_counted(
    lab: Lab, receiving: Receiving, delivery: Delivery, other: dict[str, Any]
) -> None:
    assert receiving.receive(fetch(delivery, **other), since=SINCE) is Received.OTHER_BYTES
    assert only(lab).receipts == Receipts()


def test_a_fetch_whose_etag_is_not_told_is_known_by_its_size(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    assert receiving.receive(fetch(delivery, etag=None), since=SINCE) is Received.COUNTED
    assert only(lab).receipts.complete == 1


def test_a_hundred_fetches_are_remembered_and_then_the_record_starts_afresh_and_counts_on(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    def told(number: int) -> Received:
        return receiving.receive(fetch(delivery, str(number)), since=SINCE)

    assert {told(number) for number in range(REMEMBERED)} == {Received.COUNTED}
    assert {told(number) for number in range(0, REMEMBERED, 33)} == {Received.COUNTED_BEFORE}
    assert told(REMEMBERED) is Received.COUNTED
    assert told(REMEMBERED) is Received.COUNTED_BEFORE
    assert told(0) is Received.COUNTED, "it is forgotten"
    assert only(lab).receipts.complete == REMEMBERED + 2 == 102


@pytest.mark.parametrize("before", [0, 1])
def test_of_two_fetches_at_once_neither_is_lost(
    lab: Lab, receiving: Receiving, delivery: Delivery, before: int
) -> None:
    for number in range(before):
        receiving.receive(fetch(delivery, f"before {number}"), since=SINCE)
    dynamodb: Any = lab.session.client("dynamodb", endpoint_url=lab.stack.dynamodb.meta.endpoint_url)
    other = [fetch(delivery, "other", ended=AT + timedelta(hours=1), address="203.0.113.8")]

    def meanwhile(**_: Any) -> None:
        if other:
            assert receiving.receive(other.pop(), since=SINCE) is Received.COUNTED

    dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", meanwhile)
    slower = Receiving(dynamodb, lab.stack["ledger_table"])
    assert slower.receive(fetch(delivery), since=SINCE) is Received.COUNTED
    assert only(lab).receipts == Receipts(
        first=AT, last=AT + timedelta(hours=1), last_address="203.0.113.8", complete=before + 2
    )


def test_one_fetch_told_twice_at_once_is_counted_once(lab: Lab, receiving: Receiving, delivery: Delivery) -> None:
    broken = fetch(delivery, whole=False)
    dynamodb: Any = lab.session.client("dynamodb", endpoint_url=lab.stack.dynamodb.meta.endpoint_url)
    dynamodb.meta.events.register_first(
        "before-call.dynamodb.UpdateItem", lambda **_: receiving.receive(broken, since=SINCE) and None
    )
    slower = Receiving(dynamodb, lab.stack["ledger_table"])
    assert slower.receive(broken, since=SINCE) is Received.COUNTED_BEFORE
    assert only(lab).receipts.partial == 1


def test_a_file_that_was_published_again_is_the_deliverys_under_both_names(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    resend(lab.ledger, lab.exporter.writer, lab.client, 1, request="again", now=lab.exporter.now)
    (again,) = only(lab).resends
    assert again.key is not None
    assert receiving.receive(fetch(delivery, key=again.key, etag="0" * 32), since=SINCE) is Received.COUNTED
    assert receiving.receive(fetch(delivery, "2"), since=SINCE) is Received.COUNTED
    assert only(lab).receipts.complete == 2
    third = again.key.replace("_r2", "_r3")
    assert receiving.receive(fetch(delivery, "3", key=third), since=SINCE) is Received.UNKNOWN_FILE


def test_what_a_changed_lake_gave_in_the_files_place_is_none_of_the_delivery(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    resend(lab.ledger, lab.exporter.writer, lab.client, 1, request="again", now=lab.exporter.now)
    lab.stack.dynamodb.update_item(
        TableName=lab.stack["ledger_table"],
        Key={"client": {"S": lab.client}, "record": {"S": "delivery#2026-11-20T09:00:00Z"}},
        UpdateExpression="SET resends[0].sha256 = :other",
        ExpressionAttributeValues={":other": {"S": "ab" * 32}},
    )
    (again,) = only(lab).resends
    assert receiving.receive(fetch(delivery, key=again.key), since=SINCE) is Received.UNKNOWN_FILE


@pytest.mark.parametrize("name", ["daily_{sequence}", "of_20261399T000000Z_{sequence}", f"of_{{start:{COMPACT}}}"])
def test_a_file_whose_name_does_not_say_its_window_is_found_among_those_from_a_moment_on(
    lab: Lab, receiving: Receiving, name: str
) -> None:
    delivery = deliver(lab, name=name)
    end = delivery.window.end
    assert receiving.receive(fetch(delivery), since=end + timedelta(seconds=1)) is Received.UNKNOWN_FILE
    assert receiving.receive(fetch(delivery), since=end) is Received.COUNTED
    assert only(lab).receipts.complete == 1


def test_a_file_of_such_a_name_that_was_published_again_is_found_too(lab: Lab, receiving: Receiving) -> None:
    delivery = deliver(lab, name="daily_{sequence}")
    resend(lab.ledger, lab.exporter.writer, lab.client, 1, request="again", now=lab.exporter.now)
    (again,) = only(lab).resends
    assert again.key is not None
    assert receiving.receive(fetch(delivery, key=again.key), since=SINCE) is Received.COUNTED


def test_a_name_that_says_where_its_window_starts_too_is_found_by_its_end_without_a_search(
    lab: Lab, receiving: Receiving
) -> None:
    delivery = deliver(lab, name=f"of_{{start:{COMPACT}}}_{{end:{COMPACT}}}")
    assert receiving.receive(fetch(delivery), since=searched_from(delivery.window.end)) is Received.COUNTED


def test_a_backfills_file_is_found_by_both_ends_of_its_window_and_not_for_a_delivery(
    lab: Lab, receiving: Receiving, delivery: Delivery
) -> None:
    window = Window(utc("2026-10-05 00:00"), utc("2026-10-06 00:00"))
    lab.put_referrals("2026-10-05 03", "old")
    exporter = lab.exporter
    backfill(lab.ledger, exporter.writer, lab.contract(), window, overlap=False, run="run", now=exporter.now)
    made = lab.ledger.backfill(lab.client, window)
    assert isinstance(made, Delivery)
    assert receiving.receive(fetch(made), since=searched_from(window.end)) is Received.COUNTED
    assert receiving.receive(fetch(made), since=searched_from(window.end)) is Received.COUNTED_BEFORE
    assert only(lab) == delivery


def searched_from(end: datetime) -> datetime:
    """So late a moment that no search would find a window with this end."""
    return end + timedelta(days=365)
