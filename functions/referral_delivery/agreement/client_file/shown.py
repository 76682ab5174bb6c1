"""What of a client file a message may repeat: nothing that may be a private key.

People paste the wrong half of a key pair, into any field, with or without its header lines; and messages end in
logs and tickets.
"""

import re
from typing import Any

NOT_SHOWN = "a text that is not shown, because this file holds a private key"
MAX_CHARACTERS = 70
CURLY_QUOTES = frozenset("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb")
# The last two are how the base64 of every OpenSSH and of every PKCS8 ED25519 private key begins.
_PRIVATE = re.compile(
    r"(?:BEGIN|END)\s[A-Z0-9\s]*PRIVATE\s+KEY|PuTTY-User-Key-File|Private-(?:Lines|MAC)|b3BlbnNzaC1rZXktdjE|MC4CAQAwBQYDK2Vw",
    re.IGNORECASE,
)
# Of an OpenPGP key the fingerprint has as many characters, and is meant to be seen.
_FINGERPRINT = r"(?:[0-9A-F]{40}|[0-9A-F]{64})(?![A-Za-z0-9+/=])"
_LONG_RUN = re.compile(rf"(?<![A-Za-z0-9+/=])(?!{_FINGERPRINT})[A-Za-z0-9+/=]{{40,}}")


def private_key_line(text: str) -> int | None:
    """The line with the first mark of an OpenSSH, PEM, SSH2 or PuTTY private key."""
    mark = _PRIVATE.search(text)
    return text.count("\n", 0, mark.start()) + 1 if mark else None


def quoted(text: str) -> str:
    """A text in quotes, in one line, cut to a readable length, and without what may be key material."""
    line = masked(" ".join(text.split()))
    return f"`{line if len(line) <= MAX_CHARACTERS else line[:MAX_CHARACTERS] + '…'}`"


def masked(text: str) -> str:
    """A text up to where what may be key material begins; what a terminal would obey, or not show, is named."""
    run = _LONG_RUN.search(text)
    text = f"{text[: run.start()]}…({len(text) - run.start():,} characters not shown)" if run else text
    return "".join(each if each.isprintable() else f"<U+{ord(each):04X}>" for each in text)


def described(value: Any) -> str:
    """A value as its writer would name it."""
    if value in (None, "", {}):
        return "nothing"
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case dict():
            names = ", ".join(quoted(str(name))[1:-1] for name in list(value)[:4])
            return f"fields of its own ({names}{', …' if len(value) > 4 else ''})"  # noqa: PLR2004
        case list() | tuple():
            return f"a list of {len(value)}" if value else "an empty list"
        case str() if not value.strip():
            return "blanks only"
        case _:
            return quoted(str(value))


def source_line(lines: list[str], number: int) -> str:
    """Line `number` (from 1) of a file as quoted text; not shown where it, or a neighbour, is bare key material."""
    around = [line for line in lines[max(number - 2, 0) : number + 1] if ": " not in line and "ssh-" not in line]
    if any(_LONG_RUN.search(line) for line in around):
        return "a line that is not shown, because it may be part of a key"
    return (
        quoted(lines[number - 1].replace("\t", "⇥"))
        if number <= len(lines) and lines[number - 1].strip()
        else "the end of the file"
    )
