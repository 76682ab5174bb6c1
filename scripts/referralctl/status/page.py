"""The status as one page of HTML that asks nobody for anything: style and script are in it, and it allows no others."""

import base64
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from referralctl.errors import PageNotWritten
from referralctl.status import drawing
from referralctl.status.strip import Outcome
from referralctl.status.view import ClientView, State

_FOLDER = Path(__file__).parent
# Of what went wrong, the latest so many are named; the strip shows and counts all.
_NAMED = 10


def write_page(file: Path, views: Sequence[ClientView], *, now: datetime, stack: str) -> None:
    """Write the page, whole or not at all: whoever reloads it sees this one or the one before.

    PageNotWritten names the file and what the system said.
    """
    text, new = page(views, now=now, stack=stack), file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        raise PageNotWritten(f"{file}: {error.strerror}; give a file in a folder that you may write to") from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def page(views: Sequence[ClientView], *, now: datetime, stack: str) -> str:
    """The page's text; everything in it that is not of this folder is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"stamp": _stamp, "left": _left}
    style, script = (_FOLDER.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    states = [view.state for view in views]
    return environment.get_template("page.html.jinja").render(
        views=[_Row(view, now) for view in views],
        now=now,
        stack=stack,
        states=[(state, states.count(state)) for state in State],
        with_notes=sum(bool(view.notes) for view in views),
        outcomes=list(Outcome),
        key=drawing.KEY,
        style=Markup(style),  # noqa: S704 - of this folder
        script=Markup(script),  # noqa: S704 - of this folder
        policy=(
            f"default-src 'none'; style-src '{_source(style)}'; script-src '{_source(script)}'; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        ),
    )


class _Row:
    """One client, as the template asks for it."""

    def __init__(self, view: ClientView, now: datetime) -> None:
        self.view = view
        self.paths = drawing.paths(view.marks, now)
        wrong = [mark for mark in view.marks if mark.outcome in {Outcome.MISSING, Outcome.LATE}]
        self.more_wrong = max(len(wrong) - _NAMED, 0)
        zone = ZoneInfo(view.zone)
        self.wrong = [(mark, mark.due.astimezone(zone)) for mark in reversed(wrong[-_NAMED:])]
        self.published_at = view.last.published_at.astimezone(zone) if view.last else None
        # What the columns are sorted by.
        self.by = {
            "client": view.client,
            "state": list(State).index(view.state) * 2 - bool(view.notes),
            "strip": -sum(1_000 if mark.outcome is Outcome.MISSING else 1 for mark in wrong),
            "last": int(self.published_at.timestamp()) if self.published_at else 0,
            "due": int(view.next_due.timestamp()),
            "key": min((key.days_left for key in view.keys if key.days_left is not None), default=100_000),
        }


def _source(text: str) -> str:
    """What a policy names an inline style or script by.

    https://www.w3.org/TR/CSP3/#grammardef-hash-source
    """
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _stamp(moment: datetime) -> str:
    return f"{moment:%a %d %b %H:%M}"


def _left(days: int | None) -> str:
    """How long a key lasts."""
    if days is None:
        return "no end"
    if days <= 0:
        return "expired"
    return "1 day left" if days == 1 else f"{days:,} days left"
