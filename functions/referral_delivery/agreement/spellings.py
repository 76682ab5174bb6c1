"""Spellings that people use beside the plain one and that mean the same; and the plain one that they may have meant."""

import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from referral_delivery.agreement.refusal import Refused, nearest

_YES_OR_NO = {"yes": True, "on": True, "no": False, "off": False}
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = {spelling: n for n, day in enumerate(_WEEK) for spelling in (day, day[:3])}
_MEANT_DAYS = {"weekdays": "mon-fri", "workdays": "mon-fri", "weekends": "sat-sun", "daily": "mon-sun"}
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h]?(\d{2}))?(?::00)?\s*([ap])?\.?(?:m\.?)?")
_INTERVAL = re.compile(r"(?:every\s+)?(\d+)\s*(?:([mh])[a-z]*)?")


def listed(value: Any) -> Any:
    """A list of texts; also written as `a, b`, as one text alone, or with commas left at the items' ends."""
    if isinstance(value, str) and value.strip(", "):
        value = value.strip().removesuffix(",").split(",")
    if isinstance(value, list | tuple):
        return [item.strip().removesuffix(",").rstrip() if isinstance(item, str) else item for item in value]
    return value


def days(value: Any) -> Any:
    """Days of the week, short, in the order given; also long, in capitals, or as ranges such as `fri-mon`."""
    items = listed(value)
    if not isinstance(items, list):
        return items
    unknown = [item for item in items if not (isinstance(item, str) and set(_ends(item)) <= _DAYS.keys())]
    if unknown:
        spoken = [str(item) for item in unknown if isinstance(item, str)]
        meant = [_day_meant(each) for each in spoken]
        near = ", ".join(dict.fromkeys(each for each in meant if each)) if all(meant) else ""
        raise Refused(
            found=", ".join(f"`{each}`" for each in spoken) or "fields or lists of their own",
            expected="days of the week: mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri",
            do=f"did you mean `{near}`?" if near else "write them like `days: mon-fri` or `days: [mon, thu]`",
        )
    return [day for item in items for day in _range(item)]


def _day_meant(item: str) -> str | None:
    plain = re.sub("\\s*(?:\u2013|\u2014| to )\\s*", "-", item)
    if set(_ends(plain)) <= _DAYS.keys():
        return plain.casefold()
    near = nearest(item, _DAYS)
    return _MEANT_DAYS.get(item.casefold()) or (near[:3] if near else None)


def time_of_day(text: str) -> str | None:
    """`6am`, `6.00`, `0600` or `06:00:00` as HH:MM; None where it is no time at all."""
    clock = _CLOCK.fullmatch(text.strip().casefold())
    if not clock:
        return None
    hour, minute = int(clock[1]), int(clock[2] or 0)
    if clock[3]:
        hour = hour % 12 + (12 if clock[3] == "p" else 0)
    return f"{hour % 24:02d}:{minute:02d}" if hour <= 24 and minute < 60 else None  # noqa: PLR2004


def interval(text: str) -> str | None:
    """`15 minutes`, `15`, `60m` or `hourly` as 15m or 1h; None where it is no interval at all."""
    match = _INTERVAL.fullmatch(text.strip().casefold().replace("hourly", "1h"))
    if not match:
        return None
    count, unit = int(match[1]), match[2] or "m"
    return f"{count // 60}h" if unit == "m" and count and count % 60 == 0 else f"{count}{unit}"


def input_type(item: str, *, names: Collection[str] = (), least: int = 0, or_item: Any = None) -> Any:
    """What `listed` takes, for the JSON Schema: a list of texts like `item`, or such texts with commas between.

    Editors offer `names`; an item of the list may also be an `or_item`.
    """
    offered = {"anyOf": [{"enum": list(names)}, {"pattern": rf"^\s*{item}\s*,?\s*$"}]}
    text = Annotated[str, Field(json_schema_extra=offered if names else offered["anyOf"][1])]
    several = Annotated[str, Field(pattern=rf"^\s*(?:{item}\s*(?:,\s*|$))+$")]
    item_type: Any = text | or_item if or_item else text
    return Annotated[list[item_type], Field(min_length=least)] | several


def _range(item: str) -> list[str]:
    start, end = (_DAYS[day] for day in _ends(item))
    return [_WEEK[(start + n) % 7][:3] for n in range((end - start) % 7 + 1)]


def _ends(item: str) -> tuple[str, str]:
    first, hyphen, last = item.casefold().partition("-")
    return (first.strip(), last.strip()) if hyphen else (first, first)


def _yes_or_no(value: Any) -> Any:
    return _YES_OR_NO.get(value, value) if isinstance(value, str) else value


# For the JSON Schema, which has no other way to say "in capitals or not".
_DAY = "(?:" + "|".join("".join(f"[{c.upper()}{c}]" for c in day[:3]) for day in _WEEK) + ")[A-Za-z]*"
DAYS = input_type(rf"{_DAY}(?:\s*-\s*{_DAY})?", names=[day[:3] for day in _WEEK], least=1)
YesOrNo = Annotated[
    StrictBool,
    BeforeValidator(_yes_or_no, json_schema_input_type=bool | Literal["yes", "no", "on", "off"]),
]
