"""Every error of the operators' command that is not the delivery's own, as one tree.

CommandError
├── StackNotFound        no stack's outputs, or not what a command needs of them
├── AwsRefused           AWS refused, or did not answer
├── SigningKeyRefused    the signing key's secret exists, or holds what is no key
├── FileRefused          a file of referrals does not fit the lake's contract
├── PageNotWritten       the page of the status could not be written
└── LocalSystemError     the local system cannot do what was asked
"""

from pathlib import Path


class CommandError(Exception):
    """Base of every error that a command ends with on purpose; the message is one line that says what to do."""


class StackNotFound(CommandError):
    """No stack's outputs were found, or they lack what a command needs."""


class AwsRefused(CommandError):
    """AWS refused a call, did not know the caller, or did not answer."""


class SigningKeyRefused(CommandError):
    """The signing key's secret exists already, or what it holds is no key; nothing of it is shown."""


class PageNotWritten(CommandError):
    """The page of the status could not be written where it was asked for."""


class LocalSystemError(CommandError):
    """The local system cannot do what was asked."""


class FileRefused(CommandError):
    """A file of referrals does not fit the lake's contract; nothing of it was written. Never with a row's content."""

    def __init__(
        self, file: Path, *, expected: str, do: str, found: str = "", place: str = "", column: str | None = None
    ) -> None:
        where = filter(None, [str(file), place, "" if column is None else f"column {column!r}"])
        what = f"found {found}; " if found else ""
        super().__init__(f"{', '.join(where)}: {what}expected {expected}; {do}")
