"""What a client's file looks like: its format and dialect, how it is packed, and what it is called."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from referral_delivery.agreement import file_name
from referral_delivery.agreement.recipient import Pgp
from referral_delivery.agreement.refusal import Refused
from referral_delivery.agreement.spellings import YesOrNo

QUOTE = '"'
MAX_NULL_CHARACTERS = 16
_EXTENSION = re.compile(r"(?:\.[A-Za-z0-9]{1,10}){0,4}")
_DELIMITERS = {"comma": ",", "semicolon": ";", "pipe": "|", "tab": "\t", "\\t": "\t"}
# What the files of every version have said in the ledger; the rest is kept where it is not the default.
_ALWAYS_KEPT = ("format", "compression", "when_empty", "manifest", "name")


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    TSV = "tsv"
    PSV = "psv"
    JSONL = "jsonl"
    PARQUET = "parquet"


TEXT_FORMATS = {Format.CSV: ",", Format.TSV: "\t", Format.PSV: "|"}


class LineEnding(StrEnum):
    """What ends a row of a text format; line breaks inside values stay as they are."""

    LF = "lf"
    CRLF = "crlf"


class Quote(StrEnum):
    """Which values of a text format stand in quotes."""

    MINIMAL = "minimal"
    ALL = "all"


class Compression(StrEnum):
    """How the file as a whole is packed."""

    NONE = "none"
    GZIP = "gzip"
    ZIP = "zip"


_SUFFIX = {Compression.NONE: "", Compression.GZIP: ".gz", Compression.ZIP: ".zip"}
_CONTENT_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.TSV: "text/tab-separated-values; charset=utf-8",
    Format.PSV: "text/plain; charset=utf-8",
    # https://github.com/wardi/jsonlines/issues/19: in use, and not registered
    Format.JSONL: "application/jsonl",
    # https://www.iana.org/assignments/media-types/application/vnd.apache.parquet
    Format.PARQUET: "application/vnd.apache.parquet",
}
_PACKED = {Compression.GZIP: "application/gzip", Compression.ZIP: "application/zip"}


class WhenEmpty(StrEnum):
    """What a due time without referrals leaves behind."""

    HEADER_ONLY = "header_only"
    SKIP = "skip"


def _said(value: Any) -> Any:
    if value is None:
        raise Refused(expected="a text", do='put it in quotes, like `null: "NULL"`, or `""` for none at all')
    return value


def _delimiter(value: Any) -> Any:
    return _DELIMITERS.get(value.casefold(), value) if isinstance(value, str) else value


class FileFormat(BaseModel):
    """What a client's file looks like; by default comma, header, UTF-8, LF, quotes only where needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Format = Format.CSV
    delimiter: Annotated[str | None, BeforeValidator(_delimiter), BeforeValidator(_said)] = Field(
        default=None, description="Of format csv: one character, or the word tab; default: a comma"
    )
    line_ending: LineEnding = LineEnding.LF
    bom: YesOrNo = Field(default=False, description="Begin with UTF-8's byte order mark, by which Excel knows UTF-8")
    quote: Quote = Quote.MINIMAL
    header: YesOrNo = Field(default=True, description="Begin with a line of the columns' names")
    null: Annotated[str, BeforeValidator(_said)] = Field(
        default="", description="What stands, never in quotes, for a value that is not there"
    )
    formula_guard: YesOrNo = Field(
        default=False, description="Put ' before texts that Excel would take for formulas; such values are changed"
    )
    compression: Compression = Compression.NONE
    extension: Annotated[str | None, BeforeValidator(_said)] = Field(
        default=None,
        description="What the name ends with, whole; default: follows from format, compression and pgp",
        json_schema_extra={"anyOf": [{"type": "string", "pattern": f"^{_EXTENSION.pattern}$"}, {"type": "null"}]},
    )
    pgp: Pgp | None = Field(default=None, description="Encrypt, and sign, as the last thing that is done to the file")
    when_empty: WhenEmpty = WhenEmpty.HEADER_ONLY
    manifest: YesOrNo = Field(default=False, description="Publish <file>.manifest.json after each file")
    name: Annotated[
        str, Field(description="Name without extension; fields: client, start, end, sequence, day_sequence")
    ] = file_name.DEFAULT_TEMPLATE

    @property
    def ending(self) -> str:
        """What each file's name ends with; may be empty."""
        if self.extension is not None:
            return self.extension
        return f".{self.format}{_SUFFIX[Compression(self.compression)]}{'.pgp' if self.pgp else ''}"

    @property
    def content_type(self) -> str:
        """The media type of the file as it lies there."""
        if self.pgp:
            return "application/octet-stream"
        return _PACKED.get(Compression(self.compression), _CONTENT_TYPES[Format(self.format)])

    @property
    def is_text(self) -> bool:
        """Whether it has a dialect: delimiter, quotes, header."""
        return self.format in TEXT_FORMATS

    @property
    def between(self) -> str:
        """The character between two columns of a text format."""
        return self.delimiter or TEXT_FORMATS[Format(self.format)]

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in serialize(self).items()
            if name in _ALWAYS_KEPT or value != fields[name].default
        }

    @field_validator("name")
    @classmethod
    def _safe_template(cls, template: str) -> str:
        return file_name.check(template)

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, delimiter: str, info: ValidationInfo) -> str:
        format_ = info.data.get("format")
        if format_ in (Format.TSV, Format.PSV) and delimiter != TEXT_FORMATS[format_]:
            raise Refused(
                found=f"`format: {format_}` and a delimiter",
                expected=f"a delimiter with format csv only; {format_} has its own",
                do="write `format: csv`, or remove the delimiter",
            )
        if delimiter == QUOTE:
            raise Refused(expected="another character than the quote", do='write it like `delimiter: ";"`')
        visible = len(delimiter) == 1 and delimiter.isascii() and (delimiter.isprintable() or delimiter == "\t")
        if not visible or delimiter.isalnum() or delimiter == " ":
            raise Refused(
                expected="one character: neither a letter, a digit, a blank nor a quote; or the word tab",
                do='write it like `delimiter: ";"`',
            )
        return delimiter

    @field_validator("delimiter", "line_ending", "bom", "quote", "header", "null", "formula_guard")
    @classmethod
    def _of_a_text_format(cls, value: Any, info: ValidationInfo) -> Any:
        format_, name = info.data.get("format"), str(info.field_name)
        if format_ in (Format.JSONL, Format.PARQUET) and value != cls.model_fields[name].default:
            raise Refused(
                found=f"`{name}` with `format: {format_}`",
                expected=f"{name} with a text format only: {', '.join(TEXT_FORMATS)}",
                do=f"remove `{name}`, or choose another format",
            )
        return value

    @field_validator("null")
    @classmethod
    def _a_word(cls, word: str, info: ValidationInfo) -> str:
        between = info.data.get("delimiter") or TEXT_FORMATS.get(info.data.get("format", Format.CSV), ",")
        plain = len(word) <= MAX_NULL_CHARACTERS and all("!" <= each <= "~" for each in word)
        if not plain or {QUOTE, between} & {*word}:
            raise Refused(
                expected=f"at most {MAX_NULL_CHARACTERS} letters, digits and signs; no blank, quote or delimiter",
                do='write it like `null: "NULL"`',
            )
        return word

    @field_validator("compression")
    @classmethod
    def _not_twice(cls, compression: Compression, info: ValidationInfo) -> Compression:
        if info.data.get("format") == Format.PARQUET and compression != Compression.NONE:
            raise Refused(
                found=f"`compression: {compression}` with `format: parquet`",
                expected="none: Parquet is compressed inside, column by column",
                do="remove the compression",
            )
        return compression

    @field_validator("extension")
    @classmethod
    def _short_ending(cls, extension: str) -> str:
        if not _EXTENSION.fullmatch(extension):
            near = f".{extension}" if _EXTENSION.fullmatch(f".{extension}") else ""
            raise Refused(
                expected="an ending such as .txt or .csv.gz, with at most 10 letters and digits behind each point",
                do=f"did you mean `{near}`?" if near else "write it like `extension: .txt`",
            )
        if extension.casefold().endswith(".manifest.json"):
            raise Refused(expected="another ending than that of manifests", do="choose another")
        return extension
