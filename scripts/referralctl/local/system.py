"""The local system: up, down, and what stands in stack.json."""

import base64
import fcntl
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from infra.settings import PROJECT_FOLDER
from referral_delivery.client_files import load_folder
from referralctl.local import buckets, services
from referralctl.local import emulator as emulators
from referralctl.local.emulator import ACCOUNT_ID, HOST, REGION, Emulator
from referralctl.local.engine import EmulatedAws
from referralctl.local.program import evaluate

STACK_NAME = "local"
DEFAULT_FOLDER = PROJECT_FOLDER / ".local"


class LocalSystemError(Exception):
    """The local system cannot do what was asked; the message says what to do."""


@dataclass(frozen=True)
class LocalSystem:
    """One local system, in a folder of its own: state, log, keys and stack.json."""

    folder: Path = DEFAULT_FOLDER

    @property
    def stack_file(self) -> Path:
        """What other commands read."""
        return self.folder / "stack.json"

    def running(self) -> Emulator | None:
        """The emulator that `up` started here, if it still runs."""
        if not self._emulator_file.exists():
            return None
        emulator = Emulator.from_json(json.loads(self._emulator_file.read_text()))
        return emulator if emulator.process() else None

    def up(self, clients: Path) -> dict[str, Any]:
        """Start the emulator, apply the program, let every client in; the answer is stack.json's content.

        Where it runs already with the same clients folder, nothing is done. Whatever interrupts it, nothing is
        left running.
        """
        load_folder(clients)  # refused before anything is started
        with self._locked():
            if self.running():
                return self._already_up(clients)
            self._clear()
            emulator = emulators.start(self.folder)
            try:
                self._emulator_file.write_text(json.dumps(emulator.to_json()))
                emulators.wait_until_ready(emulator, self.folder)
                stack = self._apply(emulator, clients)
            except BaseException:
                emulator.end()
                self._clear()
                raise
            self.stack_file.write_text(json.dumps(stack, indent=2) + "\n")
            return stack

    def down(self) -> bool:
        """End what `up` started, and drop its state; False where nothing ran."""
        with self._locked():
            emulator = self.running()
            ended = emulator.end() if emulator else False
            self._clear()
            return ended

    @property
    def _emulator_file(self) -> Path:
        return self.folder / "emulator.json"

    def _already_up(self, clients: Path) -> dict[str, Any]:
        if not self.stack_file.exists():
            raise LocalSystemError("an earlier `local up` was killed half-way; run `referralctl local down` first")
        stack: dict[str, Any] = json.loads(self.stack_file.read_text())
        if stack["clients_folder"] != str(clients.resolve()):
            raise LocalSystemError(
                f"already up with {stack['clients_folder']}; run `referralctl local down` first to change the clients"
            )
        return stack

    def _apply(self, emulator: Emulator, clients: Path) -> dict[str, Any]:
        aws = EmulatedAws(
            buckets.MAKERS | services.MAKERS, endpoint_url=emulator.endpoint_url, region=REGION, account_id=ACCOUNT_ID
        )
        outputs = evaluate(
            aws,
            stack=STACK_NAME,
            region=REGION,
            config={"clients": str(clients.resolve()), "function_target": "local"},
        )
        keys = {name: self._let_in(aws, outputs["sftp_server_id"], name) for name in outputs["client_folders"]}
        fingerprint = _host_key_fingerprint(emulator.sftp_port)
        outputs |= {
            "sftp_host": HOST,
            "sftp_port": emulator.sftp_port,
            "sftp_host_key_fingerprint": fingerprint,
        }
        return {
            "endpoint_url": emulator.endpoint_url,
            "region": REGION,
            "sftp": {"host": HOST, "port": emulator.sftp_port, "host_key_fingerprint": fingerprint},
            "outputs": outputs,
            "clients": {
                name: {"private_key": str(path), "folder": outputs["client_folders"][name]}
                for name, path in keys.items()
            },
            "clients_folder": str(clients.resolve()),
            "pid": emulator.pid,
        }

    def _let_in(self, aws: EmulatedAws, server_id: str, client: str) -> Path:
        """Give a client a key pair of this system only; the answer is the private key's file."""
        path = self.folder / "keys" / client
        path.parent.mkdir(mode=0o700, exist_ok=True)
        public_key = generate_key(path)
        aws.client("transfer").import_ssh_public_key(ServerId=server_id, UserName=client, SshPublicKeyBody=public_key)
        return path

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time; the lock ends with the process that holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def generate_key(path: Path) -> str:
    """Write a new ed25519 private key that only its owner can read; the answer is the public key's line."""
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def session(stack: dict[str, Any]) -> boto3.Session:
    """A session as the root user of the emulator's account."""
    return boto3.Session(aws_access_key_id=ACCOUNT_ID, aws_secret_access_key="local", region_name=stack["region"])  # noqa: S106 - the emulator asks for none


def known_hosts_line(host: str, port: int) -> str:
    """The SFTP server's host key as a line of known_hosts."""
    scanned = subprocess.run(
        ["ssh-keyscan", "-T", "10", "-t", "ed25519", "-p", str(port), host],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    lines = [line for line in scanned.splitlines() if line and not line.startswith("#")]
    if not lines:
        raise LocalSystemError(f"no SFTP server answers on {host}:{port}")
    return lines[0]


def _host_key_fingerprint(port: int) -> str:
    blob = base64.b64decode(known_hosts_line(HOST, port).split()[2])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
