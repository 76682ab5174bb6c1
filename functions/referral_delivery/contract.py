"""The delivery contract: the part of a client's agreement that the function carries out.

It travels in the schedule's Input and is written into the pending record, so that a delivery that has begun
is finished under the contract that it began with.
"""

import difflib
import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from referral_delivery import file_name
from referral_delivery.attributes import CATALOGUE, AttributeType

CLIENT_NAME = r"[a-z][a-z0-9-]{2,31}"
MAX_COLUMN_NAME_CHARACTERS = 64
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

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    name: str = Field(description="The column's header")
    source: str = Field(alias="from", description="Attribute of the catalogue; default: the name")
    transform: Transform | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, value: Any) -> Any:
        """`email` is short for `{name: email, from: email}`."""
        if isinstance(value, str):
            return {"name": value, "from": value}
        if isinstance(value, dict) and "from" not in value and "source" not in value and "name" in value:
            return {**value, "from": value["name"]}
        return value

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if len(name) > MAX_COLUMN_NAME_CHARACTERS or not _COLUMN_NAME.fullmatch(name):
            raise ValueError(
                f"{name[:MAX_COLUMN_NAME_CHARACTERS]!r} is no column name; use letters, digits, blanks, '_', '.' "
                f"and '-', a letter or '_' first, at most {MAX_COLUMN_NAME_CHARACTERS} characters"
            )
        return name

    @field_validator("source")
    @classmethod
    def _in_catalogue(cls, source: str) -> str:
        if source not in CATALOGUE:
            close = difflib.get_close_matches(source, CATALOGUE, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(CATALOGUE)}"
            raise ValueError(f"unknown attribute {source!r}; {hint}")
        return source

    @model_validator(mode="after")
    def _text_is_hashed(self) -> Self:
        if self.transform and CATALOGUE[self.source].type is not AttributeType.TEXT:
            raise ValueError(f"{self.transform} hashes text, and {self.source!r} is {CATALOGUE[self.source].type}")
        return self


class FileFormat(BaseModel):
    """What a client's file looks like: comma, header, UTF-8, LF, quotes only where needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["csv"] = "csv"
    compression: Compression = Compression.NONE
    when_empty: WhenEmpty = WhenEmpty.HEADER_ONLY
    manifest: bool = Field(default=False, description="Publish <file>.manifest.json after each file")
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
        return ".csv.gz" if self.compression is Compression.GZIP else ".csv"


class Contract(BaseModel):
    """All that the function must know of a client to deliver to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str = Field(pattern=f"^{CLIENT_NAME}$", description="SFTP user name and folder")
    deliver_from: date = Field(description="First day, UTC, whose referrals are delivered")
    attributes: tuple[Column, ...] = Field(min_length=1, description="The file's columns, in order")
    file: FileFormat = FileFormat()

    @field_validator("attributes")
    @classmethod
    def _distinct_columns(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        seen: set[str] = set()
        for column in columns:
            if column.name.lower() in seen:
                raise ValueError(f"column {column.name!r} stands twice; rename or remove one of them")
            seen.add(column.name.lower())
        return columns
