"""The machine's own OpenSSH `sftp`, as a client would run it."""

import base64
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local_aws.errors import MissingTool, NoSftpServer

_SECONDS = 120


@dataclass(frozen=True)
class SftpSession:
    """How one client connects; the host key is checked against `known_hosts`."""

    host: str
    port: int
    user: str
    private_key: Path
    known_hosts: Path

    @property
    def arguments(self) -> list[str]:
        """The program, and how it connects: `[*arguments, *options, "acme@host:/downloads/file"]`."""
        return [
            "sftp",
            *("-P", str(self.port), "-i", str(self.private_key)),
            *("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
            # In quotes: it is a list, parted by blanks.
            *("-o", "StrictHostKeyChecking=yes", "-o", f'UserKnownHostsFile="{self.known_hosts}"'),
            *("-F", "none", "-o", "LogLevel=ERROR"),
        ]

    def run(self, *commands: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run commands as a batch, in a local folder; returncode 0 only where all of them succeeded."""
        return subprocess.run(
            [*self.arguments, "-b", "-", f"{self.user}@{self.host}"],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=_SECONDS,
            check=False,
        )


def require_openssh() -> None:
    """MissingTool with the line that installs what is missing."""
    for tool in ("sftp", "ssh-keyscan"):
        if shutil.which(tool) is None:
            raise MissingTool(f"{tool!r} is not on PATH; install it: apt-get install openssh-client")


def write_known_hosts(host: str, port: int, path: Path) -> Path:
    """Write the server's host key down, as a client does at its first connection."""
    path.write_text(known_hosts_line(host, port) + "\n")
    return path


def known_hosts_line(host: str, port: int) -> str:
    """The SFTP server's host key as a line of known_hosts."""
    scanned = subprocess.run(
        ["ssh-keyscan", "-T", "10", "-p", str(port), host],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    lines = [line for line in scanned.splitlines() if line and not line.startswith("#")]
    if not lines:
        raise NoSftpServer(f"no SFTP server answers on {host}:{port}")
    return lines[0]


def host_key_fingerprint(host: str, port: int) -> str:
    """The SFTP server's host key as OpenSSH prints it: `SHA256:` and unpadded base64."""
    blob = base64.b64decode(known_hosts_line(host, port).split()[2])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
