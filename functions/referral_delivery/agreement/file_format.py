"""What a client's file looks like: its format and dialect, how it is packed, and what it is called."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from referral_delivery.agreement import file_ending, file_name, spellings
from referral_delivery.agreement.recipient import Pgp
from referral_delivery.agreement.refusal import Refused
from referral_delivery.agreement.spellings import YesOrNo

QUOTE = '"'
MAX_NULL_CHARACTERS = 16
_DELIMITERS = {"comma": ",", "semicolon": ";", "pipe": "|", "tab": "\t", "\\t": "\t"}
# For the JSON Schema: ASCII's signs but the quote, or a word for one.
_WORD = "|".join("".join(f"[{c.upper()}{c}]" for c in word) for word in _DELIMITERS if word.isalpha())
_DELIMITER = Annotated[
    str, Field(pattern=rf"^(?:[!#-/:-@\[-`{{-~\t]|\\[tT]|{_WORD})$", json_schema_extra={"examples": [";", "|", "tab"]})
]
_NULL = Annotated[str, Field(pattern=rf"^[!#-~]{{0,{MAX_NULL_CHARACTERS}}}$")] | Annotated[int, Field()]
_ENDING = Annotated[str, Field(pattern=f"^{file_ending.EXTENSION.pattern}$")]
_DIALECT = ("delimiter", "line_ending", "bom", "quote", "header", "null", "formula_guard")
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
    """A field that stands there and says nothing is refused in the field's own words."""
    if value is None:
        raise ValueError("nothing")
    return value


def _delimiter(value: Any) -> Any:
    if value in ("", None):  # `delimiter: |` is YAML for a text on the lines below
        raise ValueError("nothing")
    return _DELIMITERS.get(value.casefold(), value) if isinstance(value, str) else value


def _of_formats(schema: dict[str, Any]) -> None:
    """What goes with which format, for the JSON Schema."""
    properties = schema["properties"]
    dialect = {name: _plain_alone(properties[name].get("default")) for name in _DIALECT}
    packed = {"compression": {"const": Compression.NONE}}
    rules = {
        Format.TSV: {"delimiter": {"pattern": r"^(?:\t|\\t|[Tt][Aa][Bb])$"}},
        Format.PSV: {"delimiter": {"pattern": r"^(?:\||[Pp][Ii][Pp][Ee])$"}},
        Format.JSONL: dialect,
        Format.PARQUET: dialect | packed,
    }
    schema["allOf"] = [
        {
            "if": {"properties": {"format": {"const": each}}, "required": ["format"]},
            "then": {"properties": rule},
        }
        for each, rule in rules.items()
    ]


def _plain_alone(default: Any) -> Any:
    """Nothing but the default, however it is spelt; of a field without one, nothing at all."""
    if isinstance(default, bool):
        return {"enum": [default, *(("yes", "on") if default else ("no", "off"))]}
    return False if default is None else {"const": default}


class FileFormat(BaseModel):
    """What a client's file looks like; by default comma, header, UTF-8, LF, quotes only where needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_of_formats)

    format: Format = Format.CSV
    delimiter: Annotated[str | None, BeforeValidator(_delimiter, json_schema_input_type=_DELIMITER)] = Field(
        default=None,
        description="Of format csv: one character, or the word tab; default: a comma",
        json_schema_extra=spellings.without_default,
    )
    line_ending: LineEnding = LineEnding.LF
    bom: YesOrNo = Field(default=False, description="Begin with UTF-8's byte order mark, by which Excel knows UTF-8")
    quote: Quote = Quote.MINIMAL
    header: YesOrNo = Field(default=True, description="Begin with a line of the columns' names")
    null: Annotated[str, BeforeValidator(_said, json_schema_input_type=_NULL)] = Field(
        default="", description="What stands, never in quotes, for a value that is not there"
    )
    formula_guard: YesOrNo = Field(
        default=False, description="Put ' before texts that Excel would take for formulas; such values are changed"
    )
    compression: Compression = Compression.NONE
    extension: Annotated[str | None, BeforeValidator(_said, json_schema_input_type=_ENDING)] = Field(
        default=None,
        description="What the name ends with, whole; default: follows from format, compression and pgp",
        json_schema_extra=spellings.without_default,
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

    @field_validator(*_DIALECT)
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
                expected="no compression: Parquet is compressed inside, column by column",
                do="remove the compression",
            )
        return compression

    @field_validator("extension")
    @classmethod
    def _short_ending(cls, extension: str, info: ValidationInfo) -> str:
        return file_ending.check(extension, format_=info.data.get("format"), compression=info.data.get("compression"))

    @model_validator(mode="after")
    def _named_for_what_it_is(self) -> Self:
        if self.extension and self.pgp is None:
            file_ending.check_plain(self.extension)
        return self
