"""Every error of the local AWS, as one tree.

LocalAwsError
├── EmulatorFailed
├── MissingTool
├── NoSftpServer
└── CannotMake
"""


class LocalAwsError(Exception):
    """Base of every error that this package raises on purpose; the message says what to do."""


class EmulatorFailed(LocalAwsError):
    """The emulator did not start; the message has the end of its log."""


class MissingTool(LocalAwsError):
    """A program of the machine is not on PATH; the message has the line that installs it."""


class NoSftpServer(LocalAwsError):
    """No SFTP server answers where one should."""


class CannotMake(LocalAwsError):
    """The program has a resource, an input or a change that no maker here knows."""
