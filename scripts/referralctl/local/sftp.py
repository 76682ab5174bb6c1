"""The machine's own OpenSSH `sftp`, as a client would run it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from referralctl.local.system import LocalSystemError, known_hosts_line

_SECONDS = 120


@dataclass(frozen=True)
class SftpSession:
    """How one client connects; the host key is checked against `known_hosts`."""

    host: str
    port: int
    user: str
    private_key: Path
    known_hosts: Path

    def run(self, *commands: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run commands as a batch, in a local folder; returncode 0 only where all of them succeeded."""
        return subprocess.run(
            [
                "sftp",
                *("-b", "-", "-P", str(self.port), "-i", str(self.private_key)),
                *("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
                *("-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.known_hosts}"),
                *("-F", "none", "-o", "LogLevel=ERROR", f"{self.user}@{self.host}"),
            ],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=_SECONDS,
            check=False,
        )


def require_openssh() -> None:
    """LocalSystemError with the line that installs what is missing."""
    for tool in ("sftp", "ssh-keyscan"):
        if shutil.which(tool) is None:
            raise LocalSystemError(f"{tool!r} is not on PATH; install it: apt-get install openssh-client")


def write_known_hosts(host: str, port: int, path: Path) -> Path:
    """Write the server's host key down, as a client does at its first connection."""
    path.write_text(known_hosts_line(host, port) + "\n")
    return path
