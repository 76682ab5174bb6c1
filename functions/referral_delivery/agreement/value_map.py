"""Value map: what a client calls a value, by the whole of it (`equals`) or by a part of it (`contains`).

It is data from the client file to the query's parameters, never SQL.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeGuard

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_serializer,
    model_validator,
)

from referral_delivery.agreement.client_file.shown import CURLY_QUOTES, quoted
from referral_delivery.agreement.refusal import Refused
from referral_delivery.agreement.spellings import YesOrNo

MAX_ENTRIES = 5_000
MAX_TEXT_CHARACTERS = 1_000
_KINDS = ("equals", "contains")
_SHOWN_VALUES = 4


def said(value: Any) -> Any:
    """What is to be written; Refused where nothing is said, or no text."""
    if value is None:
        raise Refused(
            expected="a text, or `true` or `false`",
            do='write `""` for an empty text, and quotes around a word like null',
        )
    if not isinstance(value, str | bool):
        raise Refused(expected="one text, or `true` or `false`", do="write it in one line, in quotes where in doubt")
    return value if isinstance(value, bool) else _plain(value)


def _plain(text: str) -> str:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise Refused(expected=f"at most {MAX_TEXT_CHARACTERS:,} characters", do="shorten it")
    if text[:1] in CURLY_QUOTES and text[-1:] in CURLY_QUOTES:
        raise Refused(
            expected="a text in straight quotes, or without quotes",
            do="type the quotes anew, straight ones, or leave them out",
        )
    return text


def _key(text: str) -> str:
    if not text:
        raise Refused(found="an entry for the empty text", expected="a text", do="remove it, and say `if_empty: …`")
    return _plain(text)


def _entries(entries: Any) -> Any:
    if isinstance(entries, list) and entries:
        raise Refused(
            expected="values, and what is written for them, as fields without hyphens",
            do="write each on a line of its own like `gold: Premium`, or all as `{gold: Premium, silver: Standard}`",
        )
    if isinstance(entries, dict) and len(entries) > MAX_ENTRIES:
        raise Refused(
            found=f"{len(entries):,} values",
            expected=f"at most {MAX_ENTRIES:,}",
            do="have the lake's writer map them, or say fewer, and `if_no_match` for the rest",
        )
    return {} if entries == [] else entries


# What stands in the file: a text, or `true` and `false`, which JSONL and Parquet know as such.
_Short = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]
TEXT_OR_TRUTH = _Short | float | bool
Output = Annotated[str | bool, BeforeValidator(said, json_schema_input_type=TEXT_OR_TRUTH)]
_Entries = Annotated[
    dict[Annotated[str, AfterValidator(_key)], Output],
    BeforeValidator(_entries, json_schema_input_type=dict[Annotated[_Short, Field(min_length=1)], TEXT_OR_TRUTH]),
    Field(json_schema_extra={"minProperties": 1, "maxProperties": MAX_ENTRIES}),
]


class Entry(NamedTuple):
    """One line of a map: which values, and what is written for them."""

    kind: Literal["equals", "contains"]
    text: str
    output: str | bool


class ValueMap(BaseModel):
    """Which values are written as what; of several entries that fit, the first in the file's order counts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"anyOf": [{"required": [kind]} for kind in _KINDS]}
    )

    equals: _Entries = Field(default={}, description="By the whole value")
    contains: _Entries = Field(default={}, description="By a part of the value")
    ignore_case: YesOrNo = Field(default=False, description="Take capitals and small letters for the same")
    _kinds: tuple[str, ...] = PrivateAttr(default=_KINDS)

    @property
    def entries(self) -> Iterator[Entry]:
        """All lines, in the file's order."""
        for kind in self._kinds:
            yield from (Entry(kind, text, output) for text, output in getattr(self, kind).items())  # type: ignore[arg-type]

    @classmethod
    def recalled(cls, plain: Mapping[str, Any]) -> "ValueMap":
        """A map as `model_dump` gives it, unchecked."""
        texts = _as_mappings(plain["entries"])
        made = cls.model_construct(
            equals=texts.get("equals", {}),
            contains=texts.get("contains", {}),
            ignore_case=plain.get("ignore_case", False),
        )
        made._kinds = tuple(texts)
        return made

    @model_validator(mode="wrap")
    @classmethod
    def _in_the_order_of_the_file(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, dict):
            if _is_dumped(entries := value.get("entries")):
                value = {**_as_mappings(entries), "ignore_case": value.get("ignore_case", False)}
            _refuse_values_without_kind(value)
        made = handler(value)
        if isinstance(value, dict):
            made._kinds = tuple(kind for kind in value if kind in _KINDS)
        return made

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        """Each line of it can come to its turn."""
        if not (self.equals or self.contains):
            raise Refused(
                found="a map without entries",
                expected="values, and what is written for them",
                do="add them under `equals:` or `contains:`, such as `gold: Premium`, or remove the map",
            )
        if self.ignore_case:
            for kind in _KINDS:
                _refuse_twice(kind, getattr(self, kind))
        self._refuse_what_comes_too_late()
        return self

    def _refuse_what_comes_too_late(self) -> None:
        """A part that holds an earlier part: whatever holds the one holds the other."""
        parts: dict[str, str] = {}
        lengths: set[int] = set()
        for entry in self.entries:
            text = folded(entry.text) if self.ignore_case else entry.text
            pieces = (text[at : at + length] for length in lengths for at in range(len(text) - length + 1))
            if earlier := next((parts[piece] for piece in pieces if piece in parts), None):
                raise Refused(
                    found=f"{quoted(entry.text)} behind `contains` {quoted(earlier)}, which is a part of it and "
                    "comes first",
                    expected="the longer text first, of which the other is a part",
                    do="move it up, before the other, or remove it",
                    at=(entry.kind, entry.text),
                )
            if entry.kind == "contains":
                parts[text] = entry.text
                lengths.add(len(text))

    # Lists, because a DynamoDB map, and JSON with its names sorted, would lose the order.
    @model_serializer
    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"entries": [list(entry) for entry in self.entries]}
        return plain | ({"ignore_case": True} if self.ignore_case else {})


def folded(text: str) -> str:
    """Small letters one by one, as DuckDB's `lower` makes them: no letter becomes two, and none depends on the next."""
    return "".join(each.lower()[0] for each in text)


def _as_mappings(entries: list[Any]) -> dict[str, dict[str, Any]]:
    mappings: dict[str, dict[str, Any]] = {}
    for kind, text, output in entries:
        mappings.setdefault(kind, {})[text] = output
    return mappings


def _is_dumped(entries: Any) -> TypeGuard[list[Any]]:
    """Whether these are lines as `model_dump` gives them, which a client file does not have."""
    return isinstance(entries, list) and all(
        isinstance(each, list | tuple) and len(each) == len(Entry._fields) and each[0] in _KINDS for each in entries
    )


def _refuse_values_without_kind(fields: Mapping[str, Any]) -> None:
    """Refuse `map: {gold: Premium}`: one finding, not one for each value."""
    values = [name for name, each in fields.items() if name != "ignore_case" and isinstance(each, str | bool)]
    if values and not any(fields.get(kind) for kind in _KINDS):
        raise Refused(
            found=f"values ({', '.join(map(quoted, values[:_SHOWN_VALUES]))}"
            f"{', …' if len(values) > _SHOWN_VALUES else ''}) without `equals:`",
            expected="`equals:` or `contains:`, and the values below it",
            do="write `equals:` in the line above them, and indent them by two blanks more",
        )


def _refuse_twice(kind: str, texts: Mapping[str, Any]) -> None:
    seen: dict[str, str] = {}
    for text in texts:
        if (other := seen.setdefault(folded(text), text)) != text:
            raise Refused(
                found=f"{quoted(other)} and {quoted(text)}, which are the same with `ignore_case`",
                expected="each value once",
                do="remove one of them",
                at=(kind, text),
            )
