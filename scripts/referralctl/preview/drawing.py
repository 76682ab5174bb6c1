"""A preview in a terminal, and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from referral_delivery.agreement.file_format import Compression, FileFormat, Format, LineEnding, Quote, WhenEmpty
from referral_delivery.window import to_text
from referralctl.output import visible
from referralctl.preview.masking import Texts, personal
from referralctl.preview.sample import Sample
from referralctl.preview.subject import Deployed, Subject
from referralctl.preview.upcoming import Upcoming

_NAMES = {",": "comma", ";": "semicolon", "|": "pipe", "\t": "tab"}
_DEPLOYED = {
    Deployed.NOT_YET: "not deployed yet",
    Deployed.OTHERWISE: "deployed as another version",
    Deployed.AS_IT_IS: "deployed",
}
_NULL, _EMPTY = Text("(null)", style="dim"), Text('""', style="dim")


@dataclass(frozen=True)
class Preview:
    """All that is known of a client's next file; `masked` is whether personal values are."""

    subject: Subject
    upcoming: Upcoming
    sample: Sample
    masked: bool

    @property
    def is_skipped(self) -> bool:
        """Whether there would be no file."""
        return not self.sample.rows and self.subject.contract.file.when_empty == WhenEmpty.SKIP

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        subject, upcoming, columns = self.subject, self.upcoming, self.subject.contract.attributes
        window, hidden, lines = upcoming.plan.window, personal(columns), self.sample.lines
        types = self.sample.types or [str(column.kind) for column in columns]
        return {
            "client": subject.contract.client,
            "client_file": str(subject.file) if subject.file else None,
            "deployed": subject.deployed,
            "file": None if self.is_skipped else upcoming.file,
            "sequence": None if self.is_skipped else upcoming.sequence,
            "cursor": to_text(upcoming.position.cursor) if upcoming.position.cursor else None,
            "window_start": to_text(window.start),
            "window_end": to_text(window.end),
            "due": to_text(upcoming.due),
            "waits": upcoming.waits,
            "sealed": _name(upcoming.position.sealed_key),
            "format": subject.contract.file.model_dump(mode="json", exclude={"pgp"}),
            "encrypted_to": [str(recipient) for recipient in subject.contract.recipients],
            "signed": bool(subject.contract.file.pgp and subject.contract.file.pgp.sign),
            "objects": len(upcoming.objects),
            "bytes": upcoming.size_bytes,
            "is_cut": upcoming.is_cut,
            "objects_left": upcoming.plan.left,
            "columns": [
                {"name": column.name, "from": column.source, "type": type_, "personal": column.name in hidden}
                for column, type_ in zip(columns, types, strict=True)
            ],
            "masked": self.masked,
            "lines": None if lines is None or self.is_skipped else lines.decode(),
            "rows": [dict(zip((column.name for column in columns), row, strict=True)) for row in self.sample.rows],
        }


def summary(preview: Preview) -> Table:
    """What is known of the file, without its rows."""
    subject, upcoming = preview.subject, preview.upcoming
    zone, window = subject.schedule.timezone, upcoming.plan.window
    cursor = "its cursor" if upcoming.position.cursor else "its first day"
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    facts = {
        "client": f"{subject.contract.client}, {_DEPLOYED[subject.deployed]}"
        + (f": {subject.file}" if subject.file else ""),
        "file": "none: without rows it is skipped" if preview.is_skipped else upcoming.file,
        "due": f"{upcoming.due.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}",
        "window": f"{to_text(window.start)} to {to_text(window.end)}, from {cursor}",
        "format": in_words(subject.contract.file),
        "reads": f"{len(upcoming.objects):,} objects, {upcoming.size_bytes:,} bytes",
    }
    if pgp := subject.contract.file.pgp:
        to = ", ".join(map(str, pgp.recipients))
        facts["pgp"] = f"encrypted to {to}{', and signed' if pgp.sign else ''}; shown as it is before that"
    if upcoming.waits:
        facts["due"] += "; asked for, and not delivered yet"
    for name, said in facts.items():
        made.add_row(name, Text(visible(said)))
    for note in _notes(upcoming):
        made.add_row("note", Text(note))
    return made


def in_words(file: FileFormat) -> str:
    """A file's format, dialect and packing in one line."""
    words: list[str] = [Format(file.format).value]
    if file.is_text:
        words += [
            _NAMES.get(file.between, file.between),
            "header" if file.header else "no header",
            "CRLF" if file.line_ending == LineEnding.CRLF else "LF",
            "all in quotes" if file.quote == Quote.ALL else "quotes where needed",
        ]
        words += ["byte order mark"] * file.bom + [f"null is {file.null}"] * bool(file.null)
        words += ["formula guard"] * file.formula_guard
    if file.format != Format.PARQUET:
        words.append("not packed" if file.compression == Compression.NONE else Compression(file.compression).value)
    return ", ".join([*words, *["with a manifest"] * file.manifest])


def lines(text: bytes) -> str:
    """The file's first lines; what a terminal would not show, or would obey, as its escape."""
    return "".join(sign if sign in "\n\t" else visible(sign) for sign in text.decode())


def schema(preview: Preview) -> Table:
    """The columns of a Parquet file."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("column", overflow="fold")
    made.add_column("type", overflow="fold")
    for column, type_ in zip(preview.subject.contract.attributes, preview.sample.types or (), strict=True):
        made.add_row(column.name, type_)
    return made


def table(headers: Sequence[str], rows: Sequence[Texts], *, width: int) -> Table:
    """A line for each row, or where that is wider than `width`, one for each value."""
    cells = [[_cell(text) for text in row] for row in rows]
    widths = [max(cell_len(each) for each in (header, *_column(cells, n))) for n, header in enumerate(headers)]
    made = Table(box=None, pad_edge=False, header_style="bold")
    if sum(widths) + len(widths) <= width:
        for header in headers:
            made.add_column(header, no_wrap=True)
        for row in cells:
            made.add_row(*row)
        return made
    made.add_column("row", justify="right")
    made.add_column("column", overflow="fold", max_width=width // 3)
    made.add_column("value", overflow="fold")
    for number, row in enumerate(cells, start=1):
        for position, (header, cell) in enumerate(zip(headers, row, strict=True)):
            made.add_row(f"{number:,}" if position == 0 else "", header, cell)
    return made


def _notes(upcoming: Upcoming) -> list[str]:
    notes = []
    if upcoming.position.sealed_key:
        notes.append(
            f"{_name(upcoming.position.sealed_key)} is sealed and goes out first, as it is; its rows are still among "
            "these, because the cursor has not moved yet"
        )
    if upcoming.plan.left:
        notes.append(f"the first of several files: {upcoming.plan.left:,} objects of this window go with the next one")
    elif upcoming.is_cut:
        notes.append(f"the first of several files: what is due from {to_text(upcoming.plan.window.end)} on follows it")
    return notes


def _column(cells: Sequence[Sequence[Text]], number: int) -> list[str]:
    return [row[number].plain for row in cells]


def _cell(text: str | None) -> Text:
    return _NULL if text is None else Text(visible(text)) if text else _EMPTY


def _name(key: str | None) -> str | None:
    return key.rsplit("/", 1)[1] if key else None
