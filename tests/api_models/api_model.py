"""What botocore's models say about a request and botocore does not check: enums, patterns, most minima and maxima."""

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import regex

_SHOWN = 40
# Java's classes of letters and the like know all of Unicode; its \w, \d, \s and \p{Print} know ASCII only.
# https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html
_UNICODE_CLASS = regex.compile(r"\\[pP]\{(?:[LMNPSZC][a-z]?|Is\w+|all)\}")
# Java writes what lies beyond the first 65,536 characters as pairs, and a code as \x{…}.
_SPELLINGS = ((r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"), (r"\p{all}", r"\p{Any}"))
_HEXADECIMAL = regex.compile(r"\\x\{([0-9a-fA-F]{1,4})\}")


def validator(validate: ModuleType) -> Any:
    """A class that walks a request as botocore's validator does, and also holds each value against its shape."""

    class ModelValidator(validate.ParamValidator):  # type: ignore[misc, name-defined]
        # botocore goes into a list of plain values only where their shape has one of these.
        VALIDATED_METADATA_ATTRS = validate.ParamValidator.VALIDATED_METADATA_ATTRS | {"max", "pattern", "enum"}

        def findings(self, parameters: dict[str, Any], shape: Any) -> list[str]:
            """What is wrong: path, found, expected; where botocore finds something itself, that in its words."""
            if shape is None:
                return []
            self._findings: list[str] = []
            report = self.validate(parameters, shape)
            return report.generate_report().splitlines() if report.has_errors() else self._findings

        def _validate(self, params: Any, shape: Any, errors: Any, name: str) -> None:
            super()._validate(params, shape, errors, name)
            if not errors.has_errors():  # else the value may be of any type
                self._findings += [f"{name.removeprefix('.')}: {each}" for each in broken(params, shape)]

    return ModelValidator


def broken(value: Any, shape: Any) -> Iterator[str]:
    """What its shape says against a value of the right type."""
    limits: dict[str, Any] = shape.metadata
    if isinstance(value, str) and "enum" in limits and value not in limits["enum"]:
        yield f"found {_shown(value, limits)}, expected one of {', '.join(limits['enum'])}"
    if isinstance(value, str) and "pattern" in limits and not java_pattern(limits["pattern"]).fullmatch(value):
        yield f"found {_shown(value, limits)}, expected what matches {limits['pattern']}"
    if "min" in limits or "max" in limits:
        amount, unit = _amount(value, shape.type_name)
        if amount is None:
            yield "found a stream, expected bytes, whose number can be held against the model"
        elif not limits.get("min", amount) <= amount <= limits.get("max", amount):
            yield f"found {amount}{unit}, expected {limits.get('min', 0)} to {limits.get('max', 'any')}"


@cache
def java_pattern(pattern: str) -> "regex.Pattern[str]":
    """A model's pattern, which AWS matches with Java against the whole value; regex.error where it cannot be read."""
    readable = _HEXADECIMAL.sub(lambda found: rf"\u{int(found[1], 16):04x}", pattern)
    for java, python in _SPELLINGS:
        readable = readable.replace(java, python)
    return regex.compile(readable, 0 if _UNICODE_CLASS.search(pattern) else regex.ASCII)


def _amount(value: Any, kind: str) -> tuple[float | None, str]:
    """What minimum and maximum are about, with its unit; None where it cannot be told."""
    match kind:
        case "integer" | "long" | "float" | "double":
            return value, ""
        case "string":
            return len(value), " characters"
        case "blob":
            return (len(value), " bytes") if isinstance(value, bytes | bytearray | str) else (None, "")
        case _:
            return len(value), " entries"


def _shown(value: str, limits: dict[str, Any]) -> str:
    """A value as an error may show it: not where it is a secret, and never at length."""
    if limits.get("sensitive"):
        return f"{len(value)} characters that the model calls sensitive"
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
