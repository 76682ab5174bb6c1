"""How large the parts of an upload are, and how much all of them hold."""

import itertools

import pytest

from referral_delivery.file.upload import MAX_PARTS, names, part_bytes

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("number", "mib"), [(1, 8), (1_000, 8), (1_001, 16), (2_000, 16), (2_001, 32), (4_001, 128), (5_000, 128)]
)
def test_parts_are_of_8_mib_and_double_after_each_thousand(number: int, mib: int) -> None:
    assert part_bytes(number) == mib * MIB


def test_an_upload_may_hold_260_gb() -> None:
    assert sum(part_bytes(number) for number in range(1, MAX_PARTS + 1)) == 248_000 * MIB


def test_the_second_name_has_a_two() -> None:
    assert list(itertools.islice(names("a/b.csv.gz", ".csv.gz", mark="_r"), 3)) == [
        "a/b.csv.gz",
        "a/b_r2.csv.gz",
        "a/b_r3.csv.gz",
    ]
