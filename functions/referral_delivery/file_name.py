"""The template of a client's file names: checked when the client is read, rendered once per delivery."""

import re
import string
from datetime import UTC, datetime, timedelta

DEFAULT_TEMPLATE = "referrals_{client}_{end:%Y%m%dT%H%M%SZ}_{sequence:06d}"
FIELDS = ("client", "start", "end", "sequence")

# Under the 255 bytes that file systems allow, with room for the extension and a suffix.
MAX_NAME_CHARACTERS = 200
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PROBE = datetime(2026, 1, 1, tzinfo=UTC)
_STEPS = tuple(timedelta(seconds=s) for s in (1, 60, 3_600, 86_400, 31 * 86_400, 365 * 86_400))


def render(template: str, *, client: str, start: datetime, end: datetime, sequence: int) -> str:
    """The name, without extension, of a delivery's file; `start` and `end` are UTC."""
    return template.format(client=client, start=start, end=end, sequence=sequence)


def check(template: str) -> str:
    """The template itself, or ValueError with what is wrong and what to do.

    A template must tell any two deliveries of a client apart: a name that is taken cannot be delivered to.
    """
    _check_fields(template)
    first = _probe(template)
    if not _SAFE_NAME.fullmatch(first) or len(first) > MAX_NAME_CHARACTERS:
        raise ValueError(
            f"the template makes names such as {first[:80]!r}; use letters, digits, '.', '_' and '-' only (no "
            f"path, quote or blank), at most {MAX_NAME_CHARACTERS} characters, and no leading '.' or '-'"
        )
    other_sequence = _probe(template, sequence=2)
    if other_sequence == first and any(_probe(template, later=step) == first for step in _STEPS):
        raise ValueError(
            "the template can give two deliveries the same name; add {sequence:06d}, or an {end:…} down to the second"
        )
    return template


def _check_fields(template: str) -> None:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"the template is malformed ({error}); write fields as {{name:format}}") from error
    for _, field, _, conversion in parts:
        if field is not None and (field not in FIELDS or conversion):
            raise ValueError(
                f"unknown field {{{field}}} in the template; expected {', '.join(f'{{{f}}}' for f in FIELDS)}"
            )


def _probe(template: str, *, sequence: int = 1, later: timedelta = timedelta()) -> str:
    try:
        return render(
            template,
            client="client",
            start=_PROBE + later,
            end=_PROBE + timedelta(hours=1) + later,
            sequence=sequence,
        )
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"the template cannot be rendered ({error}); e.g. {DEFAULT_TEMPLATE!r}") from error
