"""How long something may take, as a client file says it: `90m`, `36h`, `2d`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from referral_delivery.agreement.refusal import Refused

_DURATION = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_LIKE = re.compile(r"([1-9][0-9]{0,3})\s*([mhd])[a-z]*")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
# What is shorter than two runs of the watch it cannot see in time; what is longer than a year nobody waits for.
LEAST, MOST = timedelta(minutes=10), timedelta(days=366)


def parse(value: object) -> timedelta:
    """The duration that a text says."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        near = _LIKE.fullmatch(str(value).strip().casefold())
        do = f"did you mean `{near[1]}{near[2]}`?" if near else "write it like `36h`"
        raise Refused(expected="a number of minutes, hours or days, such as 90m, 36h or 2d", do=do)
    duration = int(found[1]) * _UNITS[found[2]]
    if not LEAST <= duration <= MOST:
        raise Refused(expected=f"{text(LEAST)} to {text(MOST)}", do="write it like `36h`")
    return duration


def text(duration: timedelta) -> str:
    """The duration in its largest whole unit."""
    unit = next(unit for unit in reversed(_UNITS) if not duration % _UNITS[unit])
    return f"{duration // _UNITS[unit]}{unit}"


Duration = Annotated[
    timedelta,
    BeforeValidator(
        parse, json_schema_input_type=Annotated[str, Field(pattern=f"^{_DURATION.pattern}$", examples=["36h"])]
    ),
    PlainSerializer(text, return_type=str),
]
