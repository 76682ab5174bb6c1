"""The template of a client's file names: checked when the client is read, rendered once per delivery.

A name that is taken cannot be delivered to. So a template is accepted only where any two deliveries of a client have
different names, capitals aside: Windows takes `A` and `a` for the same. That is proved, not tried:

- A name is made of fixed text, of parts of times whose width is fixed, and of the sequence, whose width never
  shrinks as it grows. If two names are of the same length, then each piece is of the same width in both. So two
  names are the same only where each of their pieces is, and a name determines all that its pieces say.
- Two deliveries of a client differ in their sequences, in their starts and in their ends, which are whole seconds;
  those of which the windows end on the same day, UTC, differ in their day_sequences. So it is enough that a name says
  the sequence, or a start or an end down to the second, or the day of an end and the day_sequence.
- There is one number without a fixed width: sequence or day_sequence, never both.
- Nothing but fixed text holds a `_`, so all names of a template have as many. A resend's `…_r2` has one more than
  the name that it is made from, and is no other delivery's.
"""

import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime

from referral_delivery.agreement.refusal import Refused, nearest

DEFAULT_TEMPLATE = "referrals_{client}_{end:%Y%m%dT%H%M%SZ}_{sequence:06d}"
FIELDS = ("client", "start", "end", "sequence", "day_sequence")
# Each as wide for one moment as for any other; names of days and months are English, because a Python program keeps
# the C locale's unless it asks for others. https://docs.python.org/3/library/locale.html
DIRECTIVES = "YymbdjGVuaHIpMS"
# What tells years apart, and so on, the first being the usual one.
_TOLD_BY = {
    # Two digits come again after a century, and a file is gone within weeks.
    "year": ("Y", "y", "GVu"),
    "month": ("m", "b", "j", "GVu"),
    "day": ("d", "j", "GVu"),
    "hour": ("H", "Ip"),
    "minute": ("M",),
    "second": ("S",),
}

# Under the 255 bytes that file systems allow, with room for the extension and a suffix.
MAX_NAME_CHARACTERS = 200
_SAFE = "A-Za-z0-9._-"
_SAFE_NAME = re.compile(rf"[A-Za-z0-9_][{_SAFE}]*")
_OF_A_TIME = re.compile(rf"(?=.*%)(?:[{_SAFE}]|%[{DIRECTIVES}])+")
_OF_A_DAY = ("year", "month", "day")
# As other programs write a time's parts; here such letters would stand in every name.
_LETTERS_OF_A_TIME = re.compile(r"YY|MM|DD|HH|SS", re.IGNORECASE)
_ENDINGS = "csv|tsv|psv|txt|json|jsonl|ndjson|parquet|gz|zip|pgp|gpg|asc"
_EXTENSION = re.compile(rf"(?:\.(?:{_ENDINGS}))+$", re.IGNORECASE)
_OF_A_SEQUENCE = re.compile(r"(?:0[1-9][0-9]?)?[dxX]?")
_LONGEST_CLIENT = "c" * 32
_LARGE_SEQUENCE = 10**9
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
# As delivery/backfill.py names a file: `referrals_<client>_backfill_<start>_<end>`.
_BACKFILL = {0: "referrals", 2: "backfill"}
_PARTS_OF_A_BACKFILL = 5


def render(template: str, *, client: str, start: datetime, end: datetime, sequence: int, day_sequence: int = 1) -> str:
    """The name, without extension, of a delivery's file; `start` and `end` are UTC.

    `day_sequence` counts the files of the day, UTC, on which their windows end, from 1.
    """
    return template.format(client=client, start=start, end=end, sequence=sequence, day_sequence=day_sequence)


def counts_days(template: str) -> bool:
    """Whether its names say a day_sequence."""
    return any(field == "day_sequence" for _, field, _ in _pieces(template))


def check(template: str) -> str:
    """The template itself, or ValueError with what is wrong and what to do."""
    told: dict[str, set[str]] = {}
    for _, field, spec in _pieces(template):
        if field:
            _check_spec(field, spec)
            told.setdefault(field, set()).update(re.findall("%(.)", spec))
    if extension := _EXTENSION.search(template):
        raise Refused(
            found=f"a template that ends in `{extension[0]}`",
            expected="a name without its extension, which follows from the format and the compression",
            do=f"leave out `{extension[0]}`, or say it beside the name: `extension: {extension[0]}`",
        )
    _check_safe(template)
    if "day_sequence" in told:
        _check_day(told)
    elif "sequence" not in told:
        _check_distinct({field: told[field] for field in ("end", "start") if field in told})
    if _may_be_a_backfill(template):
        raise Refused(
            expected="a template of names that no backfill has, which are `referrals_<client>_backfill_<start>_<end>`",
            do="leave out `backfill`",
        )
    return template


def _pieces(template: str) -> Iterator[tuple[str, str, str]]:
    """Text, the field after it, and the field's format; the last two may be empty."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise Refused(
            expected="a template with each { closed by a }", do=f"write it like `{DEFAULT_TEMPLATE}`"
        ) from error
    for text, field, spec, conversion in parts:
        if field is not None and (field not in FIELDS or conversion):
            near = nearest(field, FIELDS)
            raise Refused(
                found=_template_with(field, f"!{conversion}" if conversion else ""),
                expected=f"only the fields {', '.join(f'{{{f}}}' for f in FIELDS)}",
                do=f"did you mean `{{{near}}}`?" if near else f"write it like `{DEFAULT_TEMPLATE}`",
            )
        yield text, field or "", spec or ""


def _check_spec(field: str, spec: str) -> None:
    """A client has no format, a sequence is a whole number, and of a time only parts of a fixed width are taken."""
    found = _template_with(field, f":{spec}" if spec else "")
    if field == "client":
        if spec:
            raise Refused(found=found, expected="the client's name as it is", do="write it `{client}`")
    elif field in ("sequence", "day_sequence"):
        if not _OF_A_SEQUENCE.fullmatch(spec):
            raise Refused(
                found=found,
                expected="a whole number, with leading zeros or without",
                do="write it like `{sequence:06d}`" if field == "sequence" else "write it like `{day_sequence:02d}`",
            )
    elif not _OF_A_TIME.fullmatch(spec) or _LETTERS_OF_A_TIME.search(re.sub("%.", "%", spec)):
        raise Refused(
            found=found,
            expected=f"parts of a time ({', '.join(f'%{each}' for each in DIRECTIVES)}), and between them letters, "
            "digits, `.`, `_` and `-`",
            do=f"write it like `{{{field}:%Y%m%dT%H%M%SZ}}`",
        )


def _check_safe(template: str) -> None:
    first = _sample(template, client="client", sequence=1)
    longest = _sample(template, client=_LONGEST_CLIENT, sequence=_LARGE_SEQUENCE)
    if not _SAFE_NAME.fullmatch(first) or len(longest) > MAX_NAME_CHARACTERS:
        raise Refused(
            found=f"a template of names such as `{_shown(first)}`",
            expected=f"names of at most {MAX_NAME_CHARACTERS} letters, digits, `.`, `_` and `-`, no `.` or `-` first",
            do="remove paths, quotes, blanks and the like",
        )


def _template_with(field: str, rest: str) -> str:
    return f"a template with {_shown(f'{{{field}{rest}}}')}"


def _shown(text: str) -> str:
    """A text in one line, cut to a readable length."""
    return " ".join(text.split())[:80]


def _sample(template: str, *, client: str, sequence: int) -> str:
    return render(template, client=client, start=_MOMENT, end=_MOMENT, sequence=sequence, day_sequence=sequence)


def _check_distinct(told: dict[str, set[str]]) -> None:
    """Refuse a template without the sequence whose times (field to directives) are not told down to the second."""
    missing = {field: _missing(directives) for field, directives in told.items()}
    if not missing:
        raise Refused(
            expected="a template that tells any two deliveries apart",
            do="add `{sequence:06d}`, or `{end:%Y%m%dT%H%M%SZ}`",
        )
    field = min(missing, key=lambda each: len(missing[each]))
    if units := missing[field]:
        raise Refused(
            expected=f"a template that tells deliveries {_alike(units)} apart",
            do=f"add `{{sequence:06d}}`, or the {_listed(units)} "
            f"(`{''.join('%' + _TOLD_BY[unit][0] for unit in units)}`) to `{{{field}:…}}`",
        )


def _check_day(told: dict[str, set[str]]) -> None:
    """Refuse a template with a day_sequence that does not say which day, or that has the sequence too."""
    if "sequence" in told:
        raise Refused(
            found="a template with both `{sequence}` and `{day_sequence}`", expected="one of them", do="remove one"
        )
    units = [unit for unit in _missing(told.get("end", set())) if unit in _OF_A_DAY]
    if units:
        raise Refused(
            expected="a template that says on which day the window ended",
            do=f"add the {_listed(units)} as in `{{end:%Y%m%d}}_{{day_sequence:02d}}`",
        )


def _missing(directives: set[str]) -> list[str]:
    """The units of a moment that its directives do not determine, from years down."""
    return [unit for unit, ways in _TOLD_BY.items() if not any(set(way) <= directives for way in ways)]


def _alike(missing: list[str]) -> str:
    """Which deliveries may get the same name."""
    units = list(_TOLD_BY)
    if missing[0] != units[0]:
        return f"of the same {units[units.index(missing[0]) - 1]}"
    alone = next((n for n, unit in enumerate(units) if unit not in missing), len(units))
    return f"of different {units[alone - 1]}s"


def _listed(words: list[str]) -> str:
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def _may_be_a_backfill(template: str) -> bool:
    """Whether a backfill of some client may have one of the template's names.

    The `_` of both are fixed text, so they are the same part by part. No month, day or half of a day is a part of
    the two words.
    """
    names = ""
    for text, field, spec in _pieces(template):
        names += text + ("{client}" if field == "client" else spec or "0" * bool(field))
    parts = [re.escape(part).replace(re.escape("{client}"), "[a-z0-9-]+") for part in names.split("_")]
    return len(parts) == _PARTS_OF_A_BACKFILL and all(
        re.fullmatch(parts[n], word, re.IGNORECASE) for n, word in _BACKFILL.items()
    )
