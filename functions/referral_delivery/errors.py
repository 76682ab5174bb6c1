"""Every error of the delivery, as one tree.

    DeliveryError
    ├── ContractError            the agreement with a client is wrong: a retry cannot help
    │   ├── ClientFileError      … as written in one of the client files
    │   └── KeyExpired           a PGP key that a file would be encrypted to has expired
    ├── DataError                the lake is not as its contract says: a retry cannot help
    │   ├── MissingAttribute
    │   ├── WrongType
    │   ├── UnreadableObject
    │   ├── InexactValue
    │   ├── MissingLake
    │   └── TooManyObjects
    ├── ForeignObject            a backfill's name is taken by an object that no delivery of ours wrote
    ├── EncryptionFailed         the process that encrypts has ended before the file was whole
    ├── SigningKeyUnusable       the secret with the platform's PGP signing key is missing, or holds none
    ├── Overtaken                another run holds the client's lease by now
    ├── CursorMovedBack          a cursor stands before a delivery that is in the ledger
    ├── UnreadableRecord         an item of the ledger is not as any version has written it
    ├── EventsNotTaken           the bus refused events, again and again
    ├── ClientsNotWatched        a round of the watch could not look after every client
    └── NoticeFailed             a notice has not reached whom it is for: it is tried again later
        ├── AddressRefused       its host resolves to what is not public
        └── SecretUnusable       its secret in SSM signs nothing

What fails in the world (throttling, networks, credentials) is not wrapped: it propagates as botocore or
DuckDB raised it, and Lambda's retries meet it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class DeliveryError(Exception):
    """Base of every error that this package raises on purpose."""


class ContractError(DeliveryError):
    """The agreement with a client cannot be carried out as it is written."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong in a client file, or in the folder of client files."""

    file: Path
    line: int | None = None
    field: str = ""  # with its label: `keys.0.expires (crm-2026)`; empty for the file as a whole
    found: str
    expected: str
    do: str

    @property
    def place(self) -> str:
        """`file:line`, as editors open it."""
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return f"{self.place}: {field}found {self.found}; expected {self.expected}; {self.do}"


class ClientFileError(ContractError):
    """Client files, or their folder, were refused; the message has a line for each of `findings`."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


class KeyExpired(ContractError):
    """A key that a client's file would be encrypted to has expired; the message names it and its day."""


class DataError(DeliveryError):
    """The lake holds something that its contract rules out; the message names the object or column."""


class MissingAttribute(DataError):
    """No object of the window has a column that the client is to receive."""


class WrongType(DataError):
    """A column of a lake object has another type than the catalogue says."""


class UnreadableObject(DataError):
    """A lake object is not readable as Parquet, is ambiguous, or holds rows of another hour than its key says."""


class InexactValue(DataError):
    """A lake object holds a value that no text of its column's type says exactly."""


class MissingLake(DataError):
    """The lake's bucket does not exist."""


class TooManyObjects(DataError):
    """A backfill's window holds more objects than a record can name."""


class ForeignObject(DeliveryError):
    """An object that is not ours has the name of a backfill."""


class EncryptionFailed(DeliveryError):
    """The process that encrypts has ended before the file was whole; the message has its words."""


class SigningKeyUnusable(DeliveryError):
    """Files are to be signed and there is no key to sign them with; the message shows nothing of the secret."""


class Overtaken(DeliveryError):
    """The run's lease ended and another run went on in its place; nothing of this run was kept."""


class CursorMovedBack(DeliveryError):
    """The ledger holds a delivery beyond the cursor, which no run can have left behind."""


class UnreadableRecord(DeliveryError):
    """An attribute of an item of the ledger is missing or of another type: somebody has changed it by hand."""


class EventsNotTaken(DeliveryError):
    """The bus has refused events, each time that they were put; `answers` are its error codes by the events' ids."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__(
            "events that the bus has not taken: " + ", ".join(f"{id_} ({answers[id_]})" for id_ in answers)
        )
        self.answers = dict(answers)


class ClientsNotWatched(DeliveryError):
    """Something failed for some clients in a round of the watch; the others were looked after."""


class NoticeFailed(DeliveryError):
    """A notice has not reached whom it is for."""


class AddressRefused(NoticeFailed):
    """A webhook's host resolves to an address inside a network."""


class SecretUnusable(NoticeFailed):
    """What an SSM parameter holds is no signing secret; the message shows none of it."""
