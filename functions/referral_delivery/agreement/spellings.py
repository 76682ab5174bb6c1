"""Spellings that people use beside the plain one and that mean the same; and the plain one that they may have meant."""

import re
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from referral_delivery.agreement.refusal import Refused, nearest

_YES_OR_NO = {"yes": True, "on": True, "no": False, "off": False}
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = {spelling: n for n, day in enumerate(_WEEK) for spelling in (day, day[:3])}
_MEANT_DAYS = {"weekdays": "mon-fri", "workdays": "mon-fri", "weekends": "sat-sun", "daily": "mon-sun"}
_DAY_OF_MONTH = "(?:0?[1-9]|[12][0-9]|3[01])"
_DAYS_OF_MONTH = rf"(?:{_DAY_OF_MONTH}(?:\s*-\s*{_DAY_OF_MONTH})?|[Ll][Aa][Ss][Tt])"
_ORDINAL = re.compile(r"(?:(?:the|day)\s+)?(\d{1,2})\s*(?:st|nd|rd|th|\.)?")
_LAST_MEANT = re.compile(
    r"(?:the\s+)?(?:last|end)(?:\s+day)?(?:\s+of\s+(?:(?:the|each|every)\s+)?month)?"
    r"|month[\s-]?end|eom|l|-1|ultimo"
)
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
        of_month = _all_meant(unknown, _day_of_month_meant) if len(unknown) == len(items) else ""
        near = _all_meant(unknown, _day_meant)
        do = f"did you mean `{near}`?" if near else "write them like `days: mon-fri` or `days: [mon, thu]`"
        if of_month and set(re.findall(r"\w+", of_month)) <= set("1234567"):  # or the week's, as cron numbers them
            do += f"; days of the month are written `days_of_month: {of_month}`"
        elif of_month:
            do = f"did you mean `days_of_month: {of_month}`?"
        raise Refused(
            found=_named(unknown),
            expected="days of the week: mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri",
            do=do,
        )
    return [day for item in items for day in _range(item)]


def days_of_month(value: Any) -> Any:
    """Numbers and `last`, in the order given; also as text, in capitals, or as ranges such as `1-7`."""
    items = [value] if isinstance(value, int) and not isinstance(value, bool) else listed(value)
    if not isinstance(items, list):
        return items
    unknown = [item for item in items if not _counted_out(item)]
    if unknown:
        of_week = _all_meant(unknown, _day_for_sure) if len(unknown) == len(items) else ""
        near = f"days: {of_week}" if of_week else _all_meant(unknown, _day_of_month_meant)
        raise Refused(
            found=_named(unknown),
            expected="days of the month: 1 to 31, a range such as 1-7, or `last`",
            do=f"did you mean `{near}`?" if near else "write them like `days_of_month: [1, 15, last]`",
        )
    return [day for item in items for day in _counted_out(item)]


def _counted_out(item: Any) -> list[int | str]:
    """The days of the month that an item names; none where it is none."""
    if isinstance(item, bool) or not re.fullmatch(_DAYS_OF_MONTH, str(item)):
        return []
    if str(item).casefold() == "last":
        return ["last"]
    first, _, last = str(item).partition("-")
    return list(range(int(first), int(last or first) + 1))


def _day_of_month_meant(item: str) -> str | None:
    text = _hyphened(item).casefold()
    ordinal = _ORDINAL.fullmatch(text)
    plain = str(int(ordinal[1])) if ordinal else text
    if _counted_out(plain):
        return plain
    return "last" if _LAST_MEANT.fullmatch(text) or (text.isalpha() and nearest(text, ["last"])) else None


def _all_meant(items: list[Any], meant: Callable[[str], str | None]) -> str:
    """What each item was meant as, with commas between; nothing where one was meant as nothing."""
    near = [meant(str(item)) if isinstance(item, str | int) else None for item in items]
    return ", ".join(dict.fromkeys(each for each in near if each)) if all(near) else ""


def _named(items: list[Any]) -> str:
    plain = [item for item in items if not isinstance(item, dict | list)]
    said = [
        f"`{str(item).lower() if isinstance(item, bool) else item}`" if item is not None else "nothing"
        for item in plain
    ]
    return ", ".join(said) or "fields or lists of their own"


def _hyphened(item: str) -> str:
    return re.sub("\\s*(?:\u2013|\u2014| to )\\s*", "-", item)


def _day_meant(item: str) -> str | None:
    near = nearest(item, _DAYS)
    return _day_for_sure(item) or (near[:3] if near else None)


def _day_for_sure(item: str) -> str | None:
    plain = _hyphened(item).casefold()
    return plain if set(_ends(plain)) <= _DAYS.keys() else _MEANT_DAYS.get(plain)


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


def without_default(schema: dict[str, Any]) -> None:
    """An editor would fill in a default that is refused where it is written out: nothing, or an empty list."""
    del schema["default"]


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
_NUMBER = Annotated[int, Field(ge=1, le=31)]
DAYS_OF_MONTH = input_type(_DAYS_OF_MONTH, names=["last"], least=1, or_item=_NUMBER) | _NUMBER
YesOrNo = Annotated[
    StrictBool,
    BeforeValidator(_yes_or_no, json_schema_input_type=bool | Literal["yes", "no", "on", "off"]),
]
