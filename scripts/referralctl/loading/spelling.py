"""How a file of text spells numbers and times, and the SQL of their exact values."""

from collections.abc import Callable
from dataclasses import dataclass

from referral_delivery.agreement.attributes import AttributeType
from referralctl.loading.values import Reading, in_years

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
_OFFSET = r"[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?"
_MOMENT = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_TIME} ?(Z|z|{_OFFSET})?"

# Digits of a DECIMAL in all, and those before and after the point of the lake's usual one.
_MAX_DIGITS, _USUAL_WHOLE, _USUAL_SCALE = 38, 12, 6


@dataclass(frozen=True)
class Digits:
    """The most digits that a column of decimals needs before and after the point."""

    whole: int = 0
    scale: int = 0

    @property
    def type(self) -> str:
        """The type that holds them all; the usual one where it does, so that most objects of a lake have the same."""
        if self.whole <= _USUAL_WHOLE and self.scale <= _USUAL_SCALE:
            return f"DECIMAL({_USUAL_WHOLE + _USUAL_SCALE}, {_USUAL_SCALE})"
        return f"DECIMAL({_MAX_DIGITS}, {min(self.scale, _MAX_DIGITS)})"


def spelled(attribute: AttributeType, column: str, digits: Digits) -> Reading:
    """How the values of a column of text are read; `digits` are those of a decimal column."""
    if attribute is AttributeType.TEXT:
        return Reading(column)
    text = f"nullif({column}, '')"  # "" is no number and no time: as good as nothing
    reading = _decimal(text, digits) if attribute is AttributeType.DECIMAL else _SPELLED[attribute](text)
    return Reading(reading.value, f"({text} IS NULL OR coalesce({reading.good}, false))", reading.expected)


def digits_of(column: str) -> tuple[str, str]:
    """SQL of the digits that a decimal needs before and after the point; null where it is no number."""
    before, after, exponent = _parts(column)
    whole, scale = f"length(ltrim({before}, '0'))", f"length(rtrim({after}, '0'))"
    number = f"regexp_full_match({column}, '{_NUMBER}')"
    return (
        f"CASE WHEN {number} THEN greatest(0, {whole} + {exponent}) END",
        f"CASE WHEN {number} THEN greatest(0, {scale} - {exponent}) END",
    )


def _integer(text: str) -> Reading:
    value = f"TRY_CAST({text} AS BIGINT)"
    good = f"regexp_full_match({text}, '[+-]?[0-9]+') AND {value} IS NOT NULL"
    return Reading(value, good, "an integer of 64 bits in digits alone, such as 41")


def _decimal(text: str, digits: Digits) -> Reading:
    whole, scale = digits_of(text)
    # Where one value alone has too many digits, it is the one to be named.
    beside = digits.scale if digits.scale <= _MAX_DIGITS else scale
    fits = f"{scale} <= {_MAX_DIGITS} AND {whole} + {beside} <= {_MAX_DIGITS}"
    value = f"CASE WHEN {fits} THEN TRY_CAST({_plain(text)} AS {digits.type}) END"
    expected = (
        f"a number such as 12.5 of at most {_MAX_DIGITS} digits, {digits.scale} of them after the point in this column"
    )
    return Reading(value, f"{fits} AND ({value}) IS NOT NULL", expected)


def _parts(number: str) -> tuple[str, str, str]:
    """SQL of the digits before the point, of those after it, and of the exponent."""
    return (
        f"regexp_extract({number}, '^[+-]?([0-9]*)', 1)",
        rf"regexp_extract({number}, '\.([0-9]*)', 1)",
        f"coalesce(TRY_CAST(regexp_extract({number}, '[eE](.*)$', 1) AS INTEGER), 0)",
    )


def _plain(number: str) -> str:
    """A number without its exponent: DuckDB's cast takes 1e-38 for no DECIMAL(38, 38)."""
    before, after, exponent = _parts(number)
    point = f"(length({before}) + {exponent})"
    padded = f"(repeat('0', 1 - {point}) || {before} || {after} || repeat('0', {exponent} - length({after})))"
    whole = f"greatest({point}, 1)"
    return f"regexp_extract({number}, '^-') || left({padded}, {whole}) || '.' || substr({padded}, {whole} + 1)"


def _date(text: str) -> Reading:
    value = f"TRY_CAST({text} AS DATE)"
    good = f"regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') AND {in_years(value)}"
    return Reading(value, good, "a date such as 2026-11-01")


def _timestamp(text: str) -> Reading:
    """A local time less its offset: DuckDB's own cast to TIMESTAMP drops offsets, and digits after the sixth."""
    local = rf"regexp_extract({text}, '^[0-9-]+[T ][0-9:]+(\.[0-9]{{1,6}})?')"
    offset = f"regexp_extract({text}, '{_OFFSET}$')"
    minutes = (
        f"(TRY_CAST({offset}[2:3] AS INTEGER) * 60 + "
        f"CASE WHEN length({offset}) > 3 THEN TRY_CAST(right({offset}, 2) AS INTEGER) ELSE 0 END)"
    )
    signed = f"CASE {offset}[1] WHEN '+' THEN -{minutes} WHEN '-' THEN {minutes} ELSE 0 END"
    value = (
        f"CASE WHEN regexp_full_match({text}, '{_MOMENT}') "
        f"THEN TRY_CAST({local} AS TIMESTAMP) + to_minutes({signed}) END"
    )
    expected = "a time such as 2026-11-01 10:00:00.123456 or 2026-11-01T10:00:00+11:00, to the microsecond at most"
    return Reading(value, in_years(value), expected)


_SPELLED: dict[AttributeType, Callable[[str], Reading]] = {
    AttributeType.INTEGER: _integer,
    AttributeType.DATE: _date,
    AttributeType.TIMESTAMP: _timestamp,
}
