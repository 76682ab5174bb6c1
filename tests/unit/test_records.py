"""Records of the ledger, of this version, of the first one and of an imagined later one."""

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.plan import MAX_NAMED_OBJECTS
from referral_delivery.errors import UnreadableRecord
from referral_delivery.file.upload import MAX_PARTS, UploadedParts
from referral_delivery.ledger import items
from referral_delivery.ledger.records import Claim, Delivery, Position, Resend, Sealed
from referral_delivery.window import Window
from tests.support import catalogue_without, contract, utc

RECORDS = Path(__file__).parents[1] / "records" / "version-1.json"
WINDOW = Window(utc("2026-11-20 09:00"), utc("2026-11-20 10:00"))
KEY = "downloads/acme/referrals_acme_20261120T100000Z_000007.csv.gz"
ETAGS = ['"0cc175b9c0f1b6a831c399e269772661"', '"92eb5ffee6ae2fec3ad71c777531578f"']
OBJECTS = frozenset({bytes(range(1, 9)), bytes(range(17, 25))})
# What DynamoDB charges for an attribute: its name, its value, a byte for a number and each entry of a list or map.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
MAX_ITEM_BYTES = 400 * 1024


@pytest.fixture(scope="module")
def first_version() -> dict[str, Any]:
    """Records as the first version wrote them."""

    def with_bytes(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: with_bytes(key, each) for key, each in value.items()}
        return base64.b64decode(value) if name == "objects" else value

    found: dict[str, Any] = with_bytes("", json.loads(RECORDS.read_text(encoding="utf-8")))
    return {name: items.plain(items.item(values)) for name, values in found.items()}


def sealed(**changed: Any) -> Sealed:
    values: dict[str, Any] = {
        "sequence": 7,
        "occasion": "scheduled",
        "window": WINDOW,
        "key": KEY,
        "contract": "c" * 16,
        "objects": OBJECTS,
        "parts": UploadedParts("upload-1", ETAGS, 16_777_300, "ab" * 32, "plain"),
        "rows": 123_456,
        "late_rows": 7,
        "fence": 41,
        "run": "run-1",
    }
    return Sealed(**values | changed)


def delivery(**changed: Any) -> Delivery:
    values: dict[str, Any] = {
        "client": "acme",
        "sequence": 7,
        "occasion": "scheduled",
        "window": WINDOW,
        "key": KEY,
        "rows": 123_456,
        "size_bytes": 16_777_300,
        "sha256": "ab" * 32,
        "plain_hash": "plain",
        "late_rows": 7,
        "published_at": utc("2026-11-20 10:00"),
        "contract": "c" * 16,
        "objects": OBJECTS,
    }
    return Delivery(**values | changed)


def claimed(cursor: dict[str, Any]) -> Claim:
    """A cursor's item, as a claim for the third time leaves it."""
    return items.to_claim("acme", cursor | {"attempts": 3})


def through_dynamodb(values: dict[str, Any]) -> dict[str, Any]:
    return items.plain(items.item(values))


def test_a_sealed_delivery_is_read_as_it_was_written() -> None:
    assert items.to_sealed(through_dynamodb(items.from_sealed(sealed()))) == sealed()


@pytest.mark.parametrize("gone", ["start", "end"])
def test_a_sealed_delivery_without_an_end_of_its_window_is_told_by_that(gone: str) -> None:
    values = through_dynamodb(items.from_sealed(sealed()))
    del values[gone]
    with pytest.raises(UnreadableRecord, match=f"attribute '{gone}': found nothing; expected a moment"):
        items.to_sealed(values)


@pytest.mark.parametrize("made", [delivery(), delivery(sequence=None, key=None, sha256=None, plain_hash=None, rows=0)])
def test_a_delivery_is_read_as_it_was_written(made: Delivery) -> None:
    assert items.to_delivery(through_dynamodb(items.from_delivery(made))) == made


ODD = [
    (
        {"position": Decimal(5)},
        "attribute 'position': found a number; expected a moment, such as 2026-11-20T10:00:00Z;",
    ),
    ({"position": "yesterday"}, "attribute 'position': found another type or text; expected a moment"),
    ({"requested_until": "2026-11-20T10:00:00"}, "attribute 'requested_until': found another type or text"),
    ({"sequence": "six"}, "attribute 'sequence': found another type or text; expected a whole number; put it right"),
    ({"sequence": Decimal("1.5")}, "attribute 'sequence': found a number; expected a whole number"),
    ({"attempts": True}, "attribute 'attempts': found a boolean; expected a whole number"),
    ({"pending": "a file"}, "attribute 'pending': found another type or text; expected a map"),
    ({"pending": {"sealed": None}}, "record 'cursor', pending: attribute 'sealed': found NULL; expected a map"),
    ({"pending": {"sealed": {}}}, "record 'cursor', pending: attribute 'start': found nothing; expected a moment"),
    ({"pending.key": None}, "pending: attribute 'key': found NULL; expected a text"),
    ({"pending.objects": "abc"}, "pending: attribute 'objects': found another type or text; expected bytes"),
    ({"pending.sealed": {}}, "pending, sealed: attribute 'etags': found nothing; expected a text"),
    ({"pending.sealed": {"etags": "e"}}, "pending, sealed: attribute 'upload_id': found nothing; expected a text"),
]


@pytest.mark.parametrize(("odd", "said"), ODD)
def test_an_attribute_that_somebody_has_changed_by_hand_is_told_with_its_item(odd: dict[str, Any], said: str) -> None:
    cursor: dict[str, Any] = {"client": "acme", "record": "cursor", "fence": Decimal(1), "attempts": Decimal(1)}
    pending = through_dynamodb(items.from_sealed(sealed()))
    for name, value in odd.items():
        if name.startswith("pending."):
            cursor["pending"] = pending | {name.removeprefix("pending."): value}
        else:
            cursor[name] = value
    for read in (items.to_position, lambda found: items.to_claim("acme", found)):
        with pytest.raises(UnreadableRecord) as told:
            read(cursor)
        assert str(told.value).startswith("client acme, record 'cursor'")
        assert said in str(told.value)


def test_a_lease_without_an_end_is_told_with_its_item() -> None:
    with pytest.raises(
        UnreadableRecord, match="client acme, record 'cursor': attribute 'lease_expires': found nothing"
    ):
        items.to_lease({"client": "acme", "record": "cursor", "lease_owner": "somebody", "fence": Decimal(1)})


def test_a_sealed_delivery_of_the_first_version_is_read_with_its_contract(first_version: dict[str, Any]) -> None:
    claim = claimed(first_version["cursor_of_a_sealed_delivery"])
    kept = items.contract_of(first_version["cursor_of_a_sealed_delivery"]["pending"])
    assert kept is not None
    assert [(each.name, each.source, each.type) for each in kept.attributes] == [
        ("referral_id", "referral_id", "text"),
        ("email_sha256", "email", "text"),
        ("bid_price", "bid_price", "decimal"),
    ]
    assert (kept.file.ending, kept.file.manifest) == (".csv.gz", True)
    parts = UploadedParts("upload-1", ETAGS, 16_777_300, "ab" * 32)
    assert claim.sealed == sealed(contract=kept.hash, parts=parts, fence=41, run=None)
    assert (claim.position, claim.sequence, claim.fence, claim.attempt) == (WINDOW.start, 6, 41, 3)


@pytest.mark.parametrize(("attempts", "in_vain", "attempt"), [(3, 0, 3), (3, 2, 1), (5, 2, 3), (1, 3, 1)])
def test_attempts_in_vain_do_not_count_nor_those_that_a_rollback_forgot(
    attempts: int, in_vain: int, attempt: int
) -> None:
    cursor = through_dynamodb({"fence": 1, "attempts": attempts, "in_vain": in_vain})
    assert items.to_claim("acme", cursor).attempt == attempt


def test_what_the_first_version_had_begun_and_not_sealed_was_promised_to_nobody(first_version: dict[str, Any]) -> None:
    claim = claimed(first_version["cursor_of_a_begun_delivery"])
    assert (claim.sealed, claim.position) == (None, WINDOW.start)


def test_a_delivery_of_the_first_version_is_read_with_its_resends(first_version: dict[str, Any]) -> None:
    found = items.to_delivery(first_version["delivery"])
    resends = (
        Resend(KEY.replace(".csv", "_r2.csv"), "ab" * 32, utc("2026-11-21 10:00")),
        Resend(None, "ef" * 32, utc("2026-11-22 10:00")),
    )
    kept = items.contract_of(first_version["delivery"])
    assert kept is not None
    assert found == delivery(contract=kept.hash, plain_hash=None, resends=resends)


def test_an_empty_run_and_the_backfills_of_the_first_version_are_read(first_version: dict[str, Any]) -> None:
    empty = items.to_delivery(first_version["empty_run"])
    assert (empty.sequence, empty.key, empty.sha256, empty.rows) == (None, None, None, 0)
    made, waiting = items.to_delivery(first_version["backfill"]), items.to_sealed(first_version["sealed_backfill"])
    assert waiting is not None
    assert (made.occasion, made.key, made.window) == ("backfill", waiting.key, waiting.window)
    assert waiting.parts.upload_id == "upload-2"


def test_a_record_of_a_later_version_is_read_for_what_this_one_knows() -> None:
    later = items.from_delivery(delivery()) | {"version": 9, "occasion": "rehearsal", "approved_by": {"name": "x"}}
    del later["late_rows"]
    assert items.to_delivery(through_dynamodb(later)) == delivery(occasion="rehearsal", late_rows=0)


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("request_", ["request-1", None])
def test_a_resend_is_read_as_it_was_written(key: str | None, request_: str | None) -> None:
    made = Resend(key, "ab" * 32, utc("2026-11-21 10:00"), request_)
    record = items.from_delivery(delivery()) | {"resends": [items.from_resend(made)]}
    assert items.to_delivery(through_dynamodb(record)).resends == (made,)


def test_a_record_without_counts_counts_nothing() -> None:
    whole = through_dynamodb(items.from_delivery(delivery()))
    bare = {name: value for name, value in whole.items() if name not in {"rows", "bytes", "late_rows", "objects"}}
    assert items.to_delivery(bare) == delivery(rows=0, size_bytes=0, late_rows=0, objects=frozenset())


def test_every_record_says_its_version() -> None:
    assert items.from_sealed(sealed())["version"] == items.from_delivery(delivery())["version"] == 2


def test_a_client_to_whom_nothing_was_delivered_stands_nowhere() -> None:
    assert items.to_position({}) == Position(
        cursor=None, sequence=0, requested_until=None, sealed_key=None, lease_owner=None, lease_expires=None
    )


def test_a_position_says_what_waits_and_who_holds_the_lease(first_version: dict[str, Any]) -> None:
    cursor = first_version["cursor_of_a_sealed_delivery"]
    lease = {"lease_owner": "run", "lease_expires": 1_764_000_000, "requested_until": "2026-11-20T11:00:00Z"}
    assert items.to_position(cursor | lease) == Position(
        cursor=WINDOW.start,
        sequence=6,
        requested_until=utc("2026-11-20 11:00"),
        sealed_key=KEY,
        lease_owner="run",
        lease_expires=1_764_000_000.0,
    )


def test_a_contract_of_a_later_version_is_recalled_for_what_this_one_knows() -> None:
    plain = contract(file={"compression": "gzip"}).to_plain() | {"new": 1}
    plain["attributes"].append({"name": "score", "from": "score", "type": "integer", "transform": "rot13", "mask": 3})
    plain["file"] |= {"compression": "zstd", "pgp": {"sign": True}}
    found = Contract.recalled(json.loads(json.dumps(plain)))
    assert (found.attributes[-1].source, found.attributes[-1].type, found.file.compression) == (
        "score",
        "integer",
        "zstd",
    )


def test_a_contract_is_recalled_as_it_was_after_its_attribute_has_left_the_catalogue(
    first_version: dict[str, Any],
) -> None:
    made = contract(attributes=["referral_id", "bid_price", {"name": "hashed", "from": "email", "transform": "md5"}])
    name, plain = made.hash, json.loads(json.dumps(made.to_plain()))
    with catalogue_without("bid_price", "email"):
        found = Contract.recalled(plain)
        assert ([each.type for each in found.attributes], found.hash) == (["text", "decimal", "text"], name)
        assert items.to_delivery(first_version["delivery"]).sequence == 7
        assert claimed(first_version["cursor_of_a_sealed_delivery"]).sealed is not None


def test_two_contracts_have_one_hash_only_if_they_say_the_same() -> None:
    one = contract(attributes=["referral_id", "email"])
    assert one.hash == contract(attributes=["referral_id", "email"]).hash
    others = [
        contract(attributes=["email", "referral_id"]),
        contract(attributes=["referral_id", {"name": "email", "from": "email", "transform": "md5"}]),
        contract(attributes=["referral_id", "email"], deliver_from="2026-11-02"),
        contract(attributes=["referral_id", "email"], file={"manifest": True}),
    ]
    assert len({each.hash for each in [one, *others]}) == 5


def test_the_largest_delivery_that_can_be_sealed_fits_into_the_cursors_item() -> None:
    largest = sealed(
        objects=frozenset(number.to_bytes(8, "big") for number in range(MAX_NAMED_OBJECTS)),
        parts=UploadedParts("u" * 200, ETAGS[:1] * MAX_PARTS, 10**12, "ab" * 32, "plain" * 10),
        key=KEY + "x" * 800,
        fence=10**9,
        run="r" * 36,
    )
    cursor = {"client": "a" * 32, "record": "cursor", "position": "x" * 20, "pending": items.from_sealed(largest)}
    assert _size(cursor) < MAX_ITEM_BYTES


def _size(value: Any) -> int:
    match value:
        case dict():
            return 3 + sum(len(name) + 1 + _size(each) for name, each in value.items())
        case list():
            return 3 + sum(1 + _size(each) for each in value)
        case bytes() | str():
            return len(value)
    return 21
