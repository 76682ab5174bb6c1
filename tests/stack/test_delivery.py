"""Deliveries: windows, files, the ledger, and late referrals."""

import gzip
import hashlib
from datetime import timedelta

import pytest

from referral_delivery.delivery.report import Status
from referral_delivery.errors import UnreadableObject
from tests.stack.conftest import Lab
from tests.support import parquet, utc


def test_a_first_delivery_starts_at_deliver_from_and_ends_now(lab: Lab) -> None:
    lab.put_referrals("2026-11-05 03", "a", "b")
    (delivery,) = lab.deliver().deliveries
    assert (delivery.window.start, delivery.window.end) == (utc("2026-11-01 00:00"), lab.now)
    assert lab.files() == {f"referrals_{lab.client}_20261120T120000Z_000001.csv": b"referral_id\na\nb\n"}


def test_referrals_from_before_deliver_from_are_not_delivered(lab: Lab) -> None:
    lab.put_referrals("2026-10-31 23", "too-early", minute=59)
    lab.put_referrals("2026-11-01 00", "in-time")
    lab.deliver()
    assert lab.delivered() == ["in-time"]


def test_a_client_whose_deliveries_begin_later_has_nothing_due(lab: Lab) -> None:
    report = lab.deliver(lab.contract(deliver_from="2026-12-01"))
    assert (report.status, lab.files()) == (Status.NOTHING_TO_DELIVER, {})


def test_the_next_window_starts_where_the_last_one_ended(lab: Lab) -> None:
    lab.deliver(due=utc("2026-11-20 10:00"))
    (second,) = lab.deliver(due=utc("2026-11-20 11:00")).deliveries
    assert (second.window.start, second.window.end) == (utc("2026-11-20 10:00"), utc("2026-11-20 11:00"))
    assert second.sequence == 2


def test_a_second_run_of_the_same_schedule_delivers_nothing(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver(due=utc("2026-11-20 10:00"))
    before = lab.files()
    again = lab.deliver(due=utc("2026-11-20 10:00"))
    assert (again.status, again.deliveries, lab.files()) == (Status.NOTHING_TO_DELIVER, [], before)


def test_a_due_time_in_the_future_ends_the_window_now(lab: Lab) -> None:
    (delivery,) = lab.deliver(due=lab.now + timedelta(hours=3)).deliveries
    assert delivery.window.end == lab.now


def test_a_referral_stamped_at_the_windows_end_is_of_the_next_file(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 10", "at-the-end")
    lab.deliver(due=utc("2026-11-20 10:00"))
    assert lab.delivered() == []
    lab.deliver(due=utc("2026-11-20 11:00"))
    assert lab.delivered() == ["at-the-end"]


def test_an_object_of_an_hour_that_a_window_cuts_is_shared_between_two_files(lab: Lab) -> None:
    rows = [{"referral_id": f"m{minute:02d}", "received_at": f"2026-11-20 10:{minute:02d}:00"} for minute in range(60)]
    lab.put("2026-11-20 10", rows)
    lab.deliver(due=utc("2026-11-20 10:30"))
    lab.deliver(due=utc("2026-11-20 11:00"))
    first, second = (content.decode().split()[1:] for content in lab.files().values())
    assert (first, second) == ([f"m{n:02d}" for n in range(30)], [f"m{n:02d}" for n in range(30, 60)])


def test_a_late_referral_goes_with_the_next_delivery_and_is_counted(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "in-time")
    lab.deliver(due=utc("2026-11-20 10:00"))
    lab.put_referrals("2026-11-20 09", "late", minute=30)
    lab.put_referrals("2026-11-20 10", "punctual")
    (second,) = lab.deliver(due=utc("2026-11-20 11:00")).deliveries
    assert (second.rows, second.late_rows) == (2, 1)
    assert lab.delivered() == ["in-time", "late", "punctual"]


def test_a_referral_that_lands_47_hours_late_is_delivered_once(lab: Lab) -> None:
    lab.deliver(due=utc("2026-11-20 10:00"))
    lab.put_referrals("2026-11-18 12", "very-late")
    for hour in (11, 12):
        lab.deliver(due=utc(f"2026-11-20 {hour}:00"))
    assert lab.delivered() == ["very-late"]


def test_an_empty_window_is_a_file_with_a_header(lab: Lab) -> None:
    (delivery,) = lab.deliver(lab.contract(attributes=["referral_id", {"name": "mail", "from": "email"}])).deliveries
    assert list(lab.files().values()) == [b"referral_id,mail\n"]
    assert delivery.rows == 0
    assert delivery.sha256 == hashlib.sha256(b"referral_id,mail\n").hexdigest()


@pytest.mark.ledger
def test_a_skipped_empty_window_is_a_record_alone_and_takes_no_number(lab: Lab) -> None:
    skipping = lab.contract(file={"when_empty": "skip"})
    (empty,) = lab.deliver(skipping, due=utc("2026-11-20 10:00")).deliveries
    assert (empty.sequence, empty.key, lab.files(), lab.uploads_in_progress()) == (None, None, {}, [])
    lab.put_referrals("2026-11-20 10", "a")
    (second,) = lab.deliver(skipping, due=utc("2026-11-20 11:00")).deliveries
    assert (second.sequence, second.window.start) == (1, utc("2026-11-20 10:00"))
    assert [delivery.sequence for delivery in lab.ledger.deliveries(lab.client)] == [None, 1]


def test_a_window_whose_objects_hold_no_row_of_it_is_empty(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 10", "after-the-window", minute=45)
    (delivery,) = lab.deliver(lab.contract(file={"when_empty": "skip"}), due=utc("2026-11-20 10:30")).deliveries
    assert (delivery.rows, lab.files()) == (0, {})
    lab.deliver(due=utc("2026-11-20 11:00"))
    assert lab.delivered() == ["after-the-window"]


@pytest.mark.ledger
def test_the_ledger_has_rows_bytes_and_hash_of_the_file_as_the_client_gets_it(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a", "b", "c")
    lab.deliver(lab.contract(file={"compression": "gzip"}))
    ((name, content),) = lab.files().items()
    (recorded,) = lab.ledger.deliveries(lab.client)
    assert (recorded.rows, recorded.size_bytes, recorded.sha256) == (
        3,
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert (recorded.key, name[-7:]) == (f"downloads/{lab.client}/{name}", ".csv.gz")
    assert gzip.decompress(content) == b"referral_id\na\nb\nc\n"


def test_columns_come_in_the_contracts_order_under_its_names(lab: Lab) -> None:
    row = {
        "referral_id": "a",
        "received_at": "2026-11-20 09:00:00",
        "email": " A@B.example ",
        "postcode": "0800",
    }
    lab.put("2026-11-20 09", [row])
    lab.deliver(
        lab.contract(
            attributes=[
                {"name": "ZIP code", "from": "postcode"},
                "referral_id",
                {"name": "hashed", "from": "email", "transform": "md5"},
                {"name": "arrived", "from": "received_at"},
            ]
        )
    )
    hashed = hashlib.md5(b"a@b.example", usedforsecurity=False).hexdigest()
    (content,) = lab.files().values()
    assert content.decode() == f"ZIP code,referral_id,hashed,arrived\n0800,a,{hashed},2026-11-20T09:00:00.000000Z\n"


def test_an_attribute_that_some_object_lacks_is_empty_there(lab: Lab) -> None:
    lab.put("2026-11-20 08", [{"referral_id": "a", "received_at": "2026-11-20 08:00:00", "source": "site"}])
    lab.put_referrals("2026-11-20 09", "b")
    lab.deliver(lab.contract(attributes=["referral_id", "source"]))
    (content,) = lab.files().values()
    assert content == b"referral_id,source\na,site\nb,\n"


def test_an_attribute_that_only_objects_read_before_lack_is_still_delivered(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 10", "old", minute=40)
    lab.deliver(due=utc("2026-11-20 10:30"))
    lab.put("2026-11-20 10", [{"referral_id": "new", "received_at": "2026-11-20 10:45:00", "source": "site"}])
    lab.deliver(lab.contract(attributes=["referral_id", "source"]), due=utc("2026-11-20 11:00"))
    assert lab.files()[f"referrals_{lab.client}_20261120T110000Z_000002.csv"] == b"referral_id,source\nold,\nnew,site\n"


def test_markers_and_unfinished_objects_of_a_writer_are_not_read(lab: Lab) -> None:
    folder = f"referrals/client={lab.client}/dt=2026-11-20/hr=09"
    for name in ("", "_SUCCESS", "_temporary/0.parquet", ".staging.parquet", "notes.txt"):
        lab.stack.s3.put_object(Bucket=lab.stack["lake_bucket"], Key=f"{folder}/{name}", Body=b"")
    lab.put_referrals("2026-11-20 09", "a")
    lab.deliver()
    assert lab.delivered() == ["a"]


def test_a_listing_of_more_than_a_thousand_objects_is_read_whole(lab: Lab) -> None:
    body = parquet([{"referral_id": "a", "received_at": "2026-11-20 09:00:00"}])
    for _ in range(1_005):
        lab.put("2026-11-20 09", body)
    (delivery,) = lab.deliver().deliveries
    assert delivery.rows == 1_005


@pytest.mark.ledger
def test_a_failed_run_leaves_the_cursor_and_gives_the_lease_back(lab: Lab) -> None:
    lab.deliver(due=utc("2026-11-20 09:00"))
    key = lab.put("2026-11-20 09", b"no parquet")
    before = lab.files()
    for _ in range(2):
        with pytest.raises(UnreadableObject, match=key):
            lab.deliver(due=utc("2026-11-20 10:00"))
    assert lab.cursor()["position"] == {"S": "2026-11-20T09:00:00Z"}
    assert "lease_owner" not in lab.cursor()
    assert (lab.files(), lab.uploads_in_progress()) == (before, [])
    lab.stack.s3.delete_object(Bucket=lab.stack["lake_bucket"], Key=key)
    lab.put_referrals("2026-11-20 09", "mended")
    lab.deliver(due=utc("2026-11-20 10:00"))
    assert lab.delivered() == ["mended"]
