"""What a notice says as a mail: in plain words, as text and as HTML, with nothing of a referral in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from referral_delivery.agreement.notices import Occurrence
from referral_delivery.watch.notices import DIGEST, TEST, Notice
from referral_delivery.window import from_text

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Mail:
    """One mail; `tables` are the facts, each a list of names and values."""

    subject: str
    paragraphs: tuple[str, ...]
    tables: tuple[tuple[tuple[str, str], ...], ...] = ()

    @property
    def text(self) -> str:
        """The mail as plain text."""
        parts = [*self.paragraphs, *("\n".join(f"{name}: {value}" for name, value in table) for table in self.tables)]
        return "\n\n".join(parts) + "\n"

    @property
    def html(self) -> str:
        """The mail as HTML that loads nothing; everything in it is escaped."""
        paragraphs = "".join(f"<p>{escape(each)}</p>" for each in self.paragraphs)
        tables = "".join(f"<table>{''.join(map(_row, table))}</table><br>" for table in self.tables)
        return f'<!doctype html><html lang="en"><title>{escape(self.subject)}</title><body>{paragraphs}{tables}</body>'


def written(notice: Notice, *, timezone: str, retention_days: int) -> Mail:
    """The mail of a notice; times are in the client's zone, and in UTC."""
    write = _WRITERS.get(notice.type, _Writer.other)
    return write(_Writer(notice, timezone, retention_days), notice.data)


@dataclass(frozen=True)
class _Writer:
    """Writes one client's mail."""

    notice: Notice
    timezone: str
    retention_days: int

    def file_available(self, of: Facts) -> Mail:
        said = f"A file can be fetched. {self._lasts()}"
        return Mail(f"Referral file {of['file']} is there", (said,), (self._file(of),))

    def not_collected(self, of: Facts) -> Mail:
        said = f"A file has not been fetched whole so far. {self._lasts()} If you have it, there is nothing to do."
        return Mail(f"Referral file {of['file']} has not been fetched", (said,), (self._file(of),))

    def file_late(self, of: Facts) -> Mail:
        due = self._when(of["due"])
        said = (
            "A file is late. We have been told too, and there is nothing for you to do: nothing is lost, and the next "
            "file holds all that is missing."
        )
        return Mail(f"Referral file of {due} is late", (said,), ((("Was due", due),),))

    def key_expiring(self, of: Facts) -> Mail:
        left = "1 day" if of["days_left"] == 1 else f"{of['days_left']} days"
        said = (
            "Please send us the public key that you will use after it. Until then both can be used. The private key "
            "never leaves your side."
        )
        return Mail(f"SSH key {of['label']} ends in {left}", (said,), (_key(of),))

    def key_expired(self, of: Facts) -> Mail:
        said = "This SSH key no longer opens your folder. If you have no other, send us a new public key."
        return Mail(f"SSH key {of['label']} has ended", (said,), (_key(of),))

    def pgp_key_expiring(self, of: Facts) -> Mail:
        left = "1 day" if of["days_left"] == 1 else f"{of['days_left']} days"
        said = (
            "We encrypt your files to this key. Please extend it and send us the public key again, or send us the "
            "public key that follows it; then we encrypt to both. The secret key never leaves your side."
        )
        return Mail(f"PGP key ends in {left}", (said,), (_pgp_key(of),))

    def pgp_key_expired(self, of: Facts) -> Mail:
        said = (
            "This key has expired, so we cannot encrypt to it, and no file comes until we have another: please extend "
            "it and send us the public key again, or send us a new one. Nothing is lost: the next file holds all that "
            "is missing."
        )
        return Mail("PGP key has expired", (said,), (_pgp_key(of),))

    def digest(self, of: Facts) -> Mail:
        files = of["files"]
        count = "1 referral file" if len(files) == 1 else f"{len(files)} referral files"
        said = f"They have come in the last 24 hours. Each stays in /downloads for at least {self.retention_days} days."
        return Mail(f"{count} for you", (said,), tuple(self._file(file) for file in files))

    def test(self, of: Facts) -> Mail:
        return Mail(f"Test notice for {self.notice.client}", (of["message"],), ((("Sent", self._when(of["at"])),),))

    def other(self, of: Facts) -> Mail:
        """Of an event that a later version tells."""
        facts = tuple((name, str(value)) for name, value in of.items())
        return Mail(f"Notice for {self.notice.client}: {self.notice.type}", (), (facts,))

    def _lasts(self) -> str:
        return f"It stays in /downloads for at least {self.retention_days} days."

    def _when(self, text: str) -> str:
        moment = from_text(text)
        local = moment.astimezone(ZoneInfo(self.timezone))
        return f"{local:%a %d %b %Y %H:%M} {self.timezone} ({moment:%Y-%m-%d %H:%M} UTC)"

    def _file(self, of: Facts) -> tuple[tuple[str, str], ...]:
        return (
            ("File", of["file"]),
            ("Referrals", f"{of['rows']:,}"),
            ("Arrived from", self._when(of["window_start"])),
            ("Arrived before", self._when(of["window_end"])),
            ("There since", self._when(of["published_at"])),
            ("Size", f"{of['bytes']:,} bytes"),
            ("SHA-256", of["sha256"] or ""),
        )


_WRITERS: dict[str, Callable[[_Writer, Facts], Mail]] = {
    Occurrence.FILE_AVAILABLE: _Writer.file_available,
    Occurrence.NOT_COLLECTED: _Writer.not_collected,
    Occurrence.FILE_LATE: _Writer.file_late,
    Occurrence.KEY_EXPIRING: _Writer.key_expiring,
    Occurrence.KEY_EXPIRED: _Writer.key_expired,
    Occurrence.PGP_KEY_EXPIRING: _Writer.pgp_key_expiring,
    Occurrence.PGP_KEY_EXPIRED: _Writer.pgp_key_expired,
    DIGEST: _Writer.digest,
    TEST: _Writer.test,
}


def _key(of: Facts) -> tuple[tuple[str, str], ...]:
    return (("Key", of["label"]), ("Fingerprint", of["fingerprint"]), ("First day without it, UTC", of["expires"]))


def _pgp_key(of: Facts) -> tuple[tuple[str, str], ...]:
    return (("Fingerprint", of["fingerprint"]), ("Expires, UTC", of["expires"]))


def _row(fact: tuple[str, str]) -> str:
    name, value = fact
    return f'<tr><th align="left">{escape(name)}</th><td>{escape(value)}</td></tr>'
