"""Debian's GnuPG, with a home and an agent of its own."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = "GnuPG is needed: apt-get install --no-install-recommends gnupg"
_SECONDS = 120
WEAK = ("--allow-weak-digest-algos",)


def executable() -> str:
    """Where GnuPG is; an error with the line that installs it where it is not."""
    found = shutil.which("gpg")
    if found is None or shutil.which("gpgconf") is None:
        raise pytest.UsageError(INSTALL)
    return found


@dataclass(frozen=True)
class GnuPG:
    """One user's GnuPG: keys that it makes have no passphrase."""

    home: Path

    def run(self, *arguments: str, stdin: bytes = b"", code: int = 0) -> "subprocess.CompletedProcess[bytes]":
        """What it says and prints; anything but `code` fails the test with its words."""
        options = ["--homedir", str(self.home), "--batch", "--yes", "--no-tty", "--trust-model", "always"]
        options += ["--pinentry-mode", "loopback", "--passphrase", "", "--status-fd", "2"]
        done = subprocess.run(
            [executable(), *options, *arguments], input=stdin, capture_output=True, check=False, timeout=_SECONDS
        )
        assert done.returncode == code, done.stderr.decode(errors="replace")
        return done

    def make(self, recipe: str, *options: str, name: str = "crm") -> str:
        """A new key by lines of GnuPG's unattended key generation; its fingerprint."""
        lines = f"%no-protection\n{recipe}\nName-Email: {name}@acme.example\n%commit\n"
        if "Expire-Date" not in recipe:
            lines = lines.replace("%commit", "Expire-Date: 0\n%commit")
        made = self.run(*options, "--generate-key", stdin=lines.encode())
        created = re.search(rb"KEY_CREATED \S ([0-9A-F]+)", made.stderr)
        assert created
        return created[1].decode()

    def export(self, *fingerprints: str, armour: bool = True) -> bytes:
        """Public keys, as a client sends them."""
        return self.run(*(["--armor"] if armour else []), "--export", *fingerprints).stdout

    def edit(self, fingerprint: str, *answers: str) -> None:
        """What has no command of its own: GnuPG's dialogue about a key."""
        options = ["--homedir", str(self.home), "--quiet", "--no-tty", "--command-fd", "0", "--yes", "--expert"]
        options += ["--pinentry-mode", "loopback", "--passphrase", "", "--edit-key", fingerprint]
        said = "\n".join([*answers, "save", ""]).encode()
        subprocess.run([executable(), *options], input=said, capture_output=True, check=True, timeout=_SECONDS)


@contextmanager
def user(home: Path) -> Iterator[GnuPG]:
    """A user with an empty keyring, whose agent ends with the test."""
    home.mkdir(mode=0o700)
    try:
        yield GnuPG(home)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True, timeout=_SECONDS)
