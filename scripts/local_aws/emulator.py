"""The emulator's process: started on free loopback ports, and ended exactly."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from local_aws.errors import EmulatorFailed

HOST = "127.0.0.1"
REGION = "ap-southeast-2"
# The emulator's own account. It takes the id as the access key of that account's root user.
ACCOUNT_ID = "000000000000"

# Emulators that are to outlive this process; a forgotten Popen would warn that its child still runs.
_outliving: list["subprocess.Popen[bytes]"] = []

_READY_SECONDS = 30
_END_SECONDS = 10


@dataclass(frozen=True)
class Emulator:
    """A running emulator; `started` (epoch seconds) tells its process from a later one of the same id."""

    pid: int
    started: float
    port: int
    sftp_port: int
    folder: str

    @property
    def host_key_file(self) -> Path:
        """The private key that the SFTP listener presents: read when it starts, with the first server."""
        return _host_key_file(Path(self.folder))

    @property
    def endpoint_url(self) -> str:
        """Where AWS clients go."""
        return f"http://{HOST}:{self.port}"

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The emulator that `to_json` wrote down."""
        return cls(**values)

    def process(self) -> psutil.Process | None:
        """The process, or None where it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if same else None

    def answers(self) -> bool:
        """Whether the emulator says that it is healthy."""
        try:
            with urllib.request.urlopen(f"{self.endpoint_url}/_ministack/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def end(self) -> bool:
        """End the process and its children; False where it had ended before."""
        process = self.process()
        if process is None:
            return False
        family = [process, *process.children(recursive=True)]
        for member in family:
            _signal(member, signal.SIGTERM)
        for member in (alive := _waited_for(family)):
            _signal(member, signal.SIGKILL)
        _waited_for(alive)
        return True


def _waited_for(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended in time."""
    while True:
        try:
            return psutil.wait_procs(family, timeout=_END_SECONDS)[1]
        except FileNotFoundError:
            # One that was just gone: pidfd_open says ENOENT on some kernels, where psutil knows ESRCH alone.
            family = [member for member in family if member.is_running()]


def start(folder: Path) -> Emulator:
    """Start an emulator that keeps its state and log in `folder`; not yet ready."""
    folder.mkdir(parents=True, exist_ok=True)
    port, sftp_port = _free_ports(2)
    # Nothing of the caller's AWS configuration may reach the emulator or the functions that it runs.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "GATEWAY_PORT": str(port),
        "SFTP_PORT": str(sftp_port),
        "BIND_HOST": HOST,
        "SFTP_HOST": HOST,
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "false",  # it would take a fixed port, and two systems may run at once
        "STATE_DIR": str(_host_key_file(folder).parent),
        # Only then does its SFTP listener take the host key that lies there when the first server is made.
        "PERSIST_STATE": "1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "TMPDIR": str(_made(folder / "tmp")),
        "PYTHONUNBUFFERED": "1",
    }
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_aws.listener"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,  # an interrupted terminal must not end it behind our back
        )
    _outliving.append(process)
    return Emulator(process.pid, psutil.Process(process.pid).create_time(), port, sftp_port, str(folder))


def _host_key_file(folder: Path) -> Path:
    return folder / "state" / "transfer-host-key"


def wait_until_ready(emulator: Emulator, folder: Path) -> None:
    """Return when the emulator answers; EmulatorFailed where it ends or stays silent."""
    deadline = time.monotonic() + _READY_SECONDS
    while not emulator.answers():
        if emulator.process() is None or time.monotonic() > deadline:
            log = (folder / "emulator.log").read_text(errors="replace").splitlines()[-20:]
            raise EmulatorFailed("the emulator did not start:\n" + "\n".join(log))
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
