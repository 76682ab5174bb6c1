"""Value map: what a client calls a value, by the whole of it (`equals`) or by a part of it (`contains`).

It is data from the client file to the query's parameters, never SQL.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    field_validator,
    model_serializer,
    model_validator,
)

from referral_delivery.agreement.refusal import Refused
from referral_delivery.agreement.spellings import YesOrNo

MAX_ENTRIES = 5_000
MAX_TEXT_CHARACTERS = 1_000
_KINDS = ("equals", "contains")


def given(value: Any) -> Any:
    """The value; Refused where a field stands there and says nothing."""
    if value is None:
        raise Refused(
            expected="a text, or `true` or `false`",
            do='write `""` for an empty text, and quotes around a word like null',
        )
    return value


def _short(value: str | bool) -> str | bool:
    if isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS:
        raise Refused(expected=f"at most {MAX_TEXT_CHARACTERS:,} characters", do="shorten it")
    return value


def _key(text: str) -> str:
    if not text:
        raise Refused(found="an entry for the empty text", expected="a text", do="remove it, and say `if_empty: …`")
    return str(_short(text))


# What stands in the file: a text, or `true` and `false`, which JSONL and Parquet know as such.
Output = Annotated[
    str | bool,
    BeforeValidator(given, json_schema_input_type=str | float | bool),
    AfterValidator(_short),
]
_Entries = Annotated[
    dict[Annotated[str, AfterValidator(_key)], Output],
    Field(max_length=MAX_ENTRIES, json_schema_extra={"minProperties": 1}),
]


class Entry(NamedTuple):
    """One line of a map: which values, and what is written for them."""

    kind: Literal["equals", "contains"]
    text: str
    output: str | bool


class ValueMap(BaseModel):
    """Which values are written as what; of several entries that fit, the first in the file's order counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        if isinstance(value, dict) and isinstance(entries := value.get("entries"), list):
            value = {**_as_mappings(entries), "ignore_case": value.get("ignore_case", False)}
        made = handler(value)
        if isinstance(value, dict):
            made._kinds = tuple(kind for kind in value if kind in _KINDS)
        return made

    @field_validator("equals", "contains", mode="before")
    @classmethod
    def _not_nothing(cls, entries: Any) -> Any:
        return {} if entries == [] else entries

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.equals or self.contains):
            raise Refused(
                found="a map without entries",
                expected="values, and what is written for them",
                do="add them under `equals:` or `contains:`, such as `gold: Premium`, or remove the map",
            )
        if self.ignore_case:
            for kind in _KINDS:
                _refuse_twice(getattr(self, kind))
        return self

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


def _refuse_twice(texts: Mapping[str, Any]) -> None:
    seen: dict[str, str] = {}
    for text in texts:
        if (other := seen.setdefault(folded(text), text)) != text:
            raise Refused(
                found=f"`{other}` and `{text}`, which are the same with `ignore_case`",
                expected="each value once",
                do="remove one of them",
            )
