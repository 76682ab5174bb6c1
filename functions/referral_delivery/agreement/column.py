"""Column: one of a file's columns, from the attribute of the lake to what the client finds in it.

the attribute's exact text  →  format, places  →  map, if_empty, if_no_match  →  transform
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from referral_delivery.agreement import exact_text, moments, spellings, timezones
from referral_delivery.agreement.attributes import CATALOGUE, AttributeType
from referral_delivery.agreement.client_file.shown import quoted
from referral_delivery.agreement.refusal import Refused, nearest
from referral_delivery.agreement.value_map import TEXT_OR_TRUTH, ValueMap, said

MAX_COLUMN_NAME_CHARACTERS = 64
# More digits than any currency has.
MAX_PLACES = 9
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]*")
# What no attribute is, but a client file may say: `value: true`, or a map to true and false.
BOOLEAN = "boolean"
_SHAPES = ("value", "format", "timezone", "places", "map", "if_empty", "if_no_match")


class Transform(StrEnum):
    """What is done to a text value before it is written: trimmed, lower-cased, hashed, as lower-case hex."""

    SHA256 = "sha256"
    MD5 = "md5"


def _given(value: Any) -> Any:
    """A field that stands there and says nothing is refused in the field's own words."""
    if value is None:
        raise ValueError("nothing")
    return value


def _digits(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and not re.fullmatch(r"[0-9](?:\.0)?", value)):
        raise ValueError("no number of digits")
    return _given(value)


_Output = Annotated[str | bool | None, BeforeValidator(said, json_schema_input_type=TEXT_OR_TRUTH)]
_Text = Annotated[str | None, BeforeValidator(_given, json_schema_input_type=str)]
_Format = Annotated[str | None, BeforeValidator(_given, json_schema_input_type=moments.FORMAT)]
_DIGITS = Annotated[int, Field(ge=0, le=MAX_PLACES)] | Annotated[str, Field(pattern=f"^[0-{MAX_PLACES}]$")]


def _optional(description: str) -> Any:
    """A field that may be left out, and not left empty."""
    return Field(default=None, description=description, json_schema_extra=spellings.without_default)


class Column(BaseModel):
    """One column of the file: its header, what it is filled from, and how that is changed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        serialize_by_alias=True,
        json_schema_extra={
            "required": ["name"],
            "dependentRequired": {"if_no_match": ["map"]},
            "dependentSchemas": {"value": {"properties": dict.fromkeys(("from", *_SHAPES[1:], "transform"), False)}},
        },
    )

    name: str = Field(
        description="The column's header",
        json_schema_extra={"pattern": f"^{_COLUMN_NAME.pattern}$", "maxLength": MAX_COLUMN_NAME_CHARACTERS},
    )
    source: str | None = Field(
        default=None,
        alias="from",
        description="Attribute of the catalogue; default: the name",
        json_schema_extra={"anyOf": [{"enum": list(CATALOGUE)}]},
    )
    value: _Output = _optional("The same in every row, in the place of an attribute")
    format: _Format = _optional('Of a date or timestamp: iso, date, epoch, epoch_ms, or parts such as "%d/%m/%Y"')
    timezone: _Text = _optional("Whose clock a timestamp is written by; default: UTC")
    places: Annotated[int | None, BeforeValidator(_digits, json_schema_input_type=_DIGITS)] = _optional(
        "Digits behind the point; halves are rounded away from zero"
    )
    map: Annotated[ValueMap | None, BeforeValidator(_given, json_schema_input_type=ValueMap)] = _optional(
        "What is written for which values"
    )
    if_empty: _Output = _optional("What is written where there is no value")
    if_no_match: _Output = _optional("What is written for a value that the map does not know; default: the value")
    transform: Transform | None = None
    _type: str | None = PrivateAttr(default=None)

    @property
    def type(self) -> str | None:
        """The attribute's logical type; None for a recalled column of an attribute that nobody knows any more."""
        if self.value is not None:
            return BOOLEAN if isinstance(self.value, bool) else AttributeType.TEXT
        if self._type is None and self.source in CATALOGUE:
            return CATALOGUE[self.source].type
        return self._type

    @property
    def kind(self) -> str | None:
        """The logical type of what is written, which JSONL and Parquet show."""
        return AttributeType.TEXT if self.transform else self._kind_of_text

    @property
    def is_shaped(self) -> bool:
        """Whether anything but the attribute's own text is written."""
        return self.transform is not None or any(getattr(self, each) is not None for each in _SHAPES)

    @property
    def _kind_of_text(self) -> str | None:
        """The logical type of what a transform is made of."""
        base = self.type
        if self.format is not None:
            base = AttributeType.INTEGER if self.format in moments.NUMBERS else AttributeType.TEXT
        elif self.timezone is not None:
            base = AttributeType.TEXT
        outputs = [each.output for each in self.map.entries] if self.map else []
        outputs += [each for each in (self.if_empty, self.if_no_match) if each is not None]
        if not outputs:
            return base
        if self.if_no_match is not None and all(isinstance(each, bool) for each in outputs):
            return BOOLEAN
        keeps = all(isinstance(each, str) and exact_text.is_of(base, each) for each in outputs)
        return base if keeps else AttributeType.TEXT

    @classmethod
    def recalled(cls, plain: Mapping[str, Any]) -> "Column":
        """A column as `to_plain` wrote it, unchecked."""
        shape = {name: plain[name] for name in _SHAPES if name in plain}
        if "map" in shape:
            shape["map"] = ValueMap.recalled(shape["map"])
        column = cls.model_construct(
            name=plain["name"], source=plain["from"], transform=plain.get("transform"), **shape
        )
        column._type = plain.get("type")
        return column

    def to_plain(self) -> dict[str, Any]:
        """The column as JSON values, with its type: all that it can be made again from."""
        shape = self.model_dump(mode="json", warnings=False, include=set(_SHAPES))
        return {"name": self.name, "from": self.source, "type": self.type, "transform": self.transform} | shape

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, value: Any) -> Any:
        """`email` is short for `{name: email, from: email}`."""
        if isinstance(value, str):
            return {"name": value, "from": value}
        if isinstance(value, dict) and "name" in value and not {"from", "value"} & value.keys():
            return {**value, "from": value["name"]}
        return value

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if len(name) > MAX_COLUMN_NAME_CHARACTERS or not _COLUMN_NAME.fullmatch(name):
            raise Refused(
                expected=f"a column's header: at most {MAX_COLUMN_NAME_CHARACTERS} letters, digits, blanks, `_`, `.` "
                "and `-`, a letter or `_` first",
                do="choose another name",
            )
        return name

    @field_validator("source")
    @classmethod
    def _in_catalogue(cls, source: str | None) -> str:
        if source is None or source not in CATALOGUE:
            raise _unknown_attribute(source or "")
        return source

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        return timezones.check(name)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.value is not None:
            self._check_constant()
        if self.format is not None or self.timezone is not None:
            self._check_moment()
        if self.places is not None and self.type != AttributeType.DECIMAL:
            raise self._only_of("places", "a decimal number")
        if self.if_no_match is not None and self.map is None:
            raise Refused(
                found="`if_no_match` alone",
                expected="a `map:` beside it",
                do="add one, or remove it",
                at=("if_no_match",),
            )
        if self.map is not None:
            self._check_values(self.map)
        if self.transform and self._kind_of_text != AttributeType.TEXT:
            raise Refused(
                found=f"{self.transform} of `{self.source}`, which is no text",
                expected="an attribute that is text, which is what a hash is made of",
                do="remove the transform",
                at=("transform",),
            )
        return self

    def _check_constant(self) -> None:
        beside = [name for name in (*_SHAPES[1:], "transform") if getattr(self, name) is not None]
        beside = ["from", *beside] if self.source is not None else beside
        if beside:
            raise Refused(
                found=f"`value` and {', '.join(f'`{name}`' for name in beside)}",
                expected="a value that is the same in every row, or an attribute",
                do="remove `value`, or all but it and the name",
            )

    def _check_values(self, map_: ValueMap) -> None:
        """An entry for what is never written would be of no effect, and nobody would know."""
        if self.format is not None:
            return
        for text in map_.equals:
            if form := exact_text.unlike(self.type, text, places=self.places):
                raise Refused(
                    found=f"{quoted(text)} among the values of `{self.source}`",
                    expected=f"a value as it is written: {form.described}",
                    do=f'did you mean "{form.meant}"?' if form.meant else f'write it like "{form.example}"',
                    at=("map", "equals", text),
                )

    def _check_moment(self) -> None:
        if self.type not in moments.NAMES or (self.timezone is not None and self.type == AttributeType.DATE):
            of = "a timestamp" if self.timezone is not None else "a date or timestamp"
            raise self._only_of("timezone" if self.timezone is not None else "format", of)
        if self.format is not None:
            moments.check(self.format, AttributeType(self.type))
        if self.timezone is not None and self.format in moments.NUMBERS:
            raise Refused(
                found=f"`format: {self.format}` and a timezone",
                expected="seconds or milliseconds since 1970, which are the same everywhere",
                do="remove the timezone",
                at=("timezone",),
            )

    def _only_of(self, field: str, what: str) -> Refused:
        names = [each.name for each in CATALOGUE.values() if each.type in _TYPES_OF[field]]
        return Refused(
            found=f"`{field}` of `{self.source}`, which is {exact_text.CALLED[AttributeType(str(self.type))]}",
            expected=f"{what}: {', '.join(names)}",
            do=f"remove the {field}",
            at=(field,),
        )


_TYPES_OF = {
    "places": (AttributeType.DECIMAL,),
    "timezone": (AttributeType.TIMESTAMP,),
    "format": (AttributeType.DATE, AttributeType.TIMESTAMP),
}


def _unknown_attribute(source: str) -> Refused:
    """Words for a name that is not in the catalogue, or for several names that were taken as one."""
    if source.startswith("-"):
        return Refused(expected="an attribute's name", do="put a blank after each hyphen")
    if ";" in source:
        return Refused(expected="an attribute's name", do="put commas between the names, or each on a line of its own")
    if near := nearest(source, CATALOGUE):
        return Refused(expected="an attribute's name", do=f"did you mean `{near}`?")
    return Refused(expected=f"an attribute: {', '.join(CATALOGUE)}", do="choose one of them")
