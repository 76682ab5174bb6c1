"""The delivery contract: the part of a client's agreement that the function carries out.

It travels in the schedule's Input. The ledger keeps each one that a delivery was made under, as plain data under its
hash, and recalls it as it was: what was delivered does not change with today's catalogue or today's rules.
"""

import hashlib
import json
import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from referral_delivery.agreement import file_name
from referral_delivery.agreement.attributes import CATALOGUE, AttributeType
from referral_delivery.agreement.refusal import Refused, nearest
from referral_delivery.agreement.spellings import YesOrNo

CLIENT_NAME = r"[a-z][a-z0-9-]{2,31}"
MAX_COLUMN_NAME_CHARACTERS = 64
_HASH_CHARACTERS = 16
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]*")


class Transform(StrEnum):
    """What is done to a text value before it is written: trimmed, lower-cased, hashed, as lower-case hex."""

    SHA256 = "sha256"
    MD5 = "md5"


class Compression(StrEnum):
    """How the file as a whole is packed."""

    NONE = "none"
    GZIP = "gzip"


class WhenEmpty(StrEnum):
    """What a due time without referrals leaves behind."""

    HEADER_ONLY = "header_only"
    SKIP = "skip"


class Column(BaseModel):
    """One column of the file: its header, the attribute it is filled from, and how that is changed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        serialize_by_alias=True,
        json_schema_extra={"required": ["name"]},
    )

    name: str = Field(
        description="The column's header",
        json_schema_extra={"pattern": f"^{_COLUMN_NAME.pattern}$", "maxLength": MAX_COLUMN_NAME_CHARACTERS},
    )
    source: str = Field(
        alias="from",
        description="Attribute of the catalogue; default: the name",
        json_schema_extra={"enum": list(CATALOGUE)},
    )
    transform: Transform | None = None
    _type: str | None = PrivateAttr(default=None)

    @property
    def type(self) -> str | None:
        """The attribute's logical type; None for a recalled column of an attribute that nobody knows any more."""
        if self._type is None and self.source in CATALOGUE:
            return CATALOGUE[self.source].type
        return self._type

    @classmethod
    def recalled(cls, plain: dict[str, Any]) -> "Column":
        """A column as `Contract.to_plain` wrote it, unchecked."""
        column = cls.model_construct(name=plain["name"], source=plain["from"], transform=plain.get("transform"))
        column._type = plain.get("type")
        return column

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, value: Any) -> Any:
        """`email` is short for `{name: email, from: email}`."""
        if isinstance(value, str):
            return {"name": value, "from": value}
        if isinstance(value, dict) and "from" not in value and "name" in value:
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
    def _in_catalogue(cls, source: str) -> str:
        if source not in CATALOGUE:
            raise _unknown_attribute(source)
        return source

    @model_validator(mode="after")
    def _text_is_hashed(self) -> Self:
        if self.transform and CATALOGUE[self.source].type is not AttributeType.TEXT:
            raise Refused(
                found=f"{self.transform} of `{self.source}`, which is no text",
                expected="an attribute that is text, which is what a hash is made of",
                do="remove the transform",
            )
        return self


def _unknown_attribute(source: str) -> Refused:
    """Words for a name that is not in the catalogue, or for several names that were taken as one."""
    if source.startswith("-"):
        return Refused(expected="an attribute's name", do="put a blank after each hyphen")
    if ";" in source:
        return Refused(expected="an attribute's name", do="put commas between the names, or each on a line of its own")
    if near := nearest(source, CATALOGUE):
        return Refused(expected="an attribute's name", do=f"did you mean `{near}`?")
    return Refused(expected=f"an attribute: {', '.join(CATALOGUE)}", do="choose one of them")


class FileFormat(BaseModel):
    """What a client's file looks like: comma, header, UTF-8, LF, quotes only where needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["csv"] = "csv"
    compression: Compression = Compression.NONE
    when_empty: WhenEmpty = WhenEmpty.HEADER_ONLY
    manifest: YesOrNo = Field(default=False, description="Publish <file>.manifest.json after each file")
    name: Annotated[str, Field(description="Name without extension; fields: client, start, end, sequence")] = (
        file_name.DEFAULT_TEMPLATE
    )

    @field_validator("name")
    @classmethod
    def _safe_template(cls, template: str) -> str:
        return file_name.check(template)

    @property
    def extension(self) -> str:
        """Follows from format and compression."""
        return ".csv.gz" if self.compression == Compression.GZIP else ".csv"


class Contract(BaseModel):
    """All that the function must know of a client to deliver to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str = Field(pattern=f"^{CLIENT_NAME}$", description="SFTP user name and folder")
    deliver_from: date = Field(description="First day, UTC, whose referrals are delivered")
    attributes: tuple[Column, ...] = Field(min_length=1, description="The file's columns, in order")
    file: FileFormat = FileFormat()

    def to_plain(self) -> dict[str, Any]:
        """The contract as JSON values, with each column's type: all that its files can be made again from."""
        plain = self.model_dump(mode="json", warnings=False)
        plain["attributes"] = [
            {"name": each.name, "from": each.source, "type": each.type, "transform": each.transform}
            for each in self.attributes
        ]
        return plain

    @classmethod
    def recalled(cls, plain: dict[str, Any]) -> "Contract":
        """A contract that `to_plain` wrote, at any version: what is not known is left out, nothing is checked."""
        file = {name: value for name, value in plain["file"].items() if name in FileFormat.model_fields}
        return cls.model_construct(
            client=plain["client"],
            deliver_from=date.fromisoformat(plain["deliver_from"]),
            attributes=tuple(Column.recalled(each) for each in plain["attributes"]),
            file=FileFormat.model_construct(**file),
        )

    @property
    def hash(self) -> str:
        """What the ledger keeps this contract under: the same for the same plain data."""
        text = json.dumps(self.to_plain(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]

    @field_validator("attributes")
    @classmethod
    def _distinct_columns(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        seen: set[str] = set()
        for column in columns:
            if column.name.lower() in seen:
                raise Refused(
                    found=f"the column `{column.name}` twice",
                    expected="each column once",
                    do="rename or remove one of them",
                )
            seen.add(column.name.lower())
        return columns
