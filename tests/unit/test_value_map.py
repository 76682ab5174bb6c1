"""Value maps: their limits, their order, and which of their entries can come to their turn."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from referral_delivery.agreement.client_files import load
from referral_delivery.agreement.column import Column
from referral_delivery.agreement.contract import MAX_CONTRACT_CHARACTERS
from referral_delivery.agreement.value_map import MAX_ENTRIES, MAX_TEXT_CHARACTERS, ValueMap, folded
from referral_delivery.errors import ClientFileError
from tests.support import TODAY, write_client

maps = st.dictionaries(st.text("abAB", min_size=1, max_size=4), st.just("x"), max_size=5)


def said(folder: Path, *columns: Any) -> list[str]:
    """What is wrong with a client file of some columns, without the file's name."""
    path = write_client(folder, attributes=list(columns))
    with pytest.raises(ClientFileError) as refused:
        load(path, today=TODAY)
    return [line.partition(" ")[2] for line in str(refused.value).splitlines()]


def mapped(**fields: Any) -> dict[str, Any]:
    return {"name": "state", "map": fields}


def test_a_map_may_have_as_many_entries_as_it_may_and_no_more(tmp_path: Path) -> None:
    most = {f"v{number}": "x" for number in range(MAX_ENTRIES)}
    assert len(list(ValueMap.model_validate({"equals": most}).entries)) == MAX_ENTRIES
    assert said(tmp_path, mapped(equals=most | {"one": "more"})) == [
        "attributes.0.map.equals (state): found 5,001 values; expected at most 5,000; have the lake's writer map them, "
        "or say fewer, and `if_no_match` for the rest"
    ]


def test_values_without_their_kind_are_one_finding_and_not_thousands(tmp_path: Path) -> None:
    assert said(tmp_path, mapped(**{f"v{number}": "x" for number in range(2_000)})) == [
        "attributes.0.map (state): found values (`v0`, `v1`, `v2`, `v3`, …) without `equals:`; expected `equals:` or "
        "`contains:`, and the values below it; write `equals:` in the line above them, and indent them by two blanks "
        "more"
    ]


def test_maps_that_no_schedule_could_carry_are_refused(tmp_path: Path) -> None:
    def column(texts: int) -> dict[str, Any]:
        return mapped(equals={f"{number:03d}" + "x" * 897: "é" * 50 for number in range(texts)})

    fits = next(n for n in range(130, 0, -1) if len(_plain(column(n))) <= MAX_CONTRACT_CHARACTERS)
    assert load(write_client(tmp_path, attributes=[column(fits)]), today=TODAY)
    size = len(_plain(column(fits + 1)))
    assert said(tmp_path, column(fits + 1)) == [
        f"attributes: found attributes and maps of {size:,} bytes; expected at most 131,072; shorten the maps"
    ]


def _plain(column: dict[str, Any]) -> bytes:
    return json.dumps(Column.model_validate(column).to_plain(), ensure_ascii=False).encode()


@pytest.mark.parametrize("fields", [{"equals": {"x" * 1_001: "a"}}, {"contains": {"a": "x" * 1_001}}])
def test_a_text_is_at_most_a_thousand_characters(fields: dict[str, Any], tmp_path: Path) -> None:
    assert len("x" * 1_000) == MAX_TEXT_CHARACTERS
    [line] = said(tmp_path, mapped(**fields))
    assert line.endswith("(1,001 characters not shown)`; expected at most 1,000 characters; shorten it")


def test_the_order_is_the_files_also_after_a_round_trip() -> None:
    fields = {"contains": {"b": "1"}, "ignore_case": True, "equals": {"a": "2", "A+": "3"}}
    made = ValueMap.model_validate(fields)
    kept = [tuple(entry) for entry in made.entries]
    assert kept == [("contains", "b", "1"), ("equals", "a", "2"), ("equals", "A+", "3")]
    for again in (ValueMap.model_validate(made.model_dump()), ValueMap.recalled(made.model_dump())):
        assert [tuple(entry) for entry in again.entries] == kept
        assert again.ignore_case


@given(maps, maps, st.booleans())
def test_a_map_is_accepted_where_each_of_its_entries_can_come_to_its_turn(
    equals: dict[str, str], contains: dict[str, str], ignore_case: bool
) -> None:
    fields = {"contains": contains, "equals": equals, "ignore_case": ignore_case}
    like = folded if ignore_case else str
    parts, wholes = [like(text) for text in contains], [like(text) for text in equals]
    hidden = [part for at, part in enumerate(parts) if any(earlier in part for earlier in parts[:at])]
    hidden += [whole for at, whole in enumerate(wholes) if whole in wholes[:at] or any(part in whole for part in parts)]
    try:
        ValueMap.model_validate(fields)
    except ValidationError:
        assert hidden or not (equals or contains)
    else:
        assert not hidden
