"""Every refusal of the program, as one tree; `pulumi up` prints the message alone.

Refused
├── SettingsRefused
└── PackingFailed
"""


class Refused(Exception):
    """Base: nothing was made; the message says what was found, what was expected and what to do."""


class SettingsRefused(Refused):
    """The stack's configuration is wrong; the message has a line for everything that is wrong with it."""


class PackingFailed(Refused):
    """The function's zip could not be made, or is larger than Lambda takes."""
