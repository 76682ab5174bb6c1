"""The local system: up, down, and what stands in stack.json."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from infra import PROJECT_FOLDER
from local_aws import emulator as emulators
from local_aws.account import Account
from local_aws.emulator import ACCOUNT_ID, HOST, REGION, Emulator
from local_aws.engine import StandInEngine
from local_aws.journal import Journal
from local_aws.plugin import EXECUTABLE, plugin_environment, write_plugin
from local_aws.program import evaluate
from referral_delivery.agreement.client_files import load_folder
from referralctl.errors import LocalSystemError

STACK_NAME = "local"
DEFAULT_FOLDER = PROJECT_FOLDER / ".local"


@dataclass(frozen=True)
class LocalSystem:
    """One local system, in a folder of its own: state, log, keys and stack.json."""

    folder: Path = DEFAULT_FOLDER
    # Of the stack's settings, what differs from their defaults.
    settings: Mapping[str, str] = field(default_factory=dict)

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

        Where it runs already, the program is applied to what is there: data stays. Whatever interrupts a first
        `up`, nothing is left running; where it was killed, the next one goes on.
        """
        if clients.is_file():
            raise LocalSystemError(f"{clients} is a file; give the folder of the client files: {clients.parent}")
        load_folder(clients, today=datetime.now(UTC).date())  # refused before anything is started
        with self._locked():
            emulator = self.running()
            if emulator is None:
                with self._new_emulator() as emulator:
                    return self._applied(emulator, clients)
            if self.bare:
                raise LocalSystemError("a bare emulator is up here; run `referralctl local down` first")
            emulators.wait_until_ready(emulator, self.folder)
            return self._applied(emulator, clients)

    def up_bare(self) -> Emulator:
        """Start the emulator alone, for the user's own `pulumi`; where it runs so already, nothing is done."""
        with self._locked():
            emulator = self.running()
            if emulator and not self.bare:
                raise LocalSystemError(
                    "a system is up here, or half of one whose `up` was killed; run `referralctl local down` first"
                )
            if emulator is None:
                with self._new_emulator() as emulator:
                    write_plugin(self.plugin_folder)
            return emulator

    def down(self) -> bool:
        """End what `up` started, and drop its state; False where nothing ran."""
        with self._locked():
            emulator = self.running()
            ended = emulator.end() if emulator else False
            self._clear()
            return ended

    @property
    def plugin_folder(self) -> Path:
        """Where Pulumi's engine finds the provider plugin of the local AWS, put first on PATH."""
        return self.folder / "bin"

    @property
    def bare(self) -> bool:
        """Whether the emulator here is one for the user's own `pulumi`."""
        return (self.plugin_folder / EXECUTABLE).exists()

    @property
    def environment(self) -> dict[str, str]:
        """What the user's own `pulumi` and AWS tools need to work on the bare emulator."""
        emulator = self.running()
        if emulator is None or not self.bare:
            raise LocalSystemError("no bare emulator is up here; run `referralctl local up --bare` first")
        backend = self.folder / "pulumi"
        backend.mkdir(exist_ok=True)
        return plugin_environment(emulator) | {
            "PATH": f"{self.plugin_folder}{os.pathsep}{os.environ.get('PATH', '')}",
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "local",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    @property
    def _emulator_file(self) -> Path:
        return self.folder / "emulator.json"

    @property
    def _journal_file(self) -> Path:
        return self.folder / "resources.jsonl"

    @contextmanager
    def _new_emulator(self) -> Iterator[Emulator]:
        """A started emulator; ended again where what follows fails."""
        self._clear()
        emulator = emulators.start(self.folder)
        try:
            _write_whole(self._emulator_file, json.dumps(emulator.to_json()))
            emulators.wait_until_ready(emulator, self.folder)
            yield emulator
        except BaseException:
            emulator.end()
            self._clear()
            raise

    def _applied(self, emulator: Emulator, clients: Path) -> dict[str, Any]:
        """Apply the program, and write stack.json."""
        engine = StandInEngine(Account(emulator), Journal.open(self._journal_file))
        config = {"clients": str(clients.resolve())} | dict(self.settings)
        try:
            engine.recover()
            outputs = evaluate(engine, stack=STACK_NAME, region=REGION, config=config)
            engine.prune()
        except pulumi.RunError as refusal:
            raise LocalSystemError(str(refusal)) from refusal
        except (BotoCoreError, ClientError) as error:
            raise LocalSystemError(
                f"the emulator refused: {error}; {emulator.folder}/emulator.log says more"
            ) from error
        stack = self._described(emulator, clients, outputs)
        self._let_in(engine.aws, stack)
        _write_whole(self.stack_file, json.dumps(stack, indent=2) + "\n")
        return stack

    def _described(self, emulator: Emulator, clients: Path, outputs: dict[str, Any]) -> dict[str, Any]:
        sftp = {"sftp_host": HOST, "sftp_port": emulator.sftp_port}
        return {
            "endpoint_url": emulator.endpoint_url,
            "region": REGION,
            "sftp": {
                "host": HOST,
                "port": emulator.sftp_port,
                "host_key_fingerprint": outputs["sftp_host_key_fingerprints"][0],
            },
            "outputs": outputs | sftp,
            "clients": {
                name: {"private_key": str(self._keys_folder / name), "folder": folder}
                for name, folder in outputs["client_folders"].items()
            },
            "clients_folder": str(clients.resolve()),
            "pid": emulator.pid,
        }

    @property
    def _keys_folder(self) -> Path:
        return self.folder / "keys"

    def _let_in(self, aws: Account, stack: dict[str, Any]) -> None:
        """Give each new client a key pair of this system only, and drop those of clients that are gone."""
        self._keys_folder.mkdir(mode=0o700, exist_ok=True)
        for path in self._keys_folder.iterdir():
            if path.name not in stack["clients"]:
                path.unlink()
        for name in stack["clients"]:
            path = self._keys_folder / name
            public_key = public_key_of(path) if path.exists() else generate_key(path)
            user = {"serverId": stack["outputs"]["sftp_server_id"], "userName": name}
            known = aws.call("transfer", "DescribeUser", user)["User"]["SshPublicKeys"]
            if public_key not in {key["SshPublicKeyBody"] for key in known}:
                aws.call("transfer", "ImportSshPublicKey", {**user, "sshPublicKeyBody": public_key})

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
    _write_whole(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())
    return public_key_of(path)


def public_key_of(path: Path) -> str:
    """The public key's line of a private key that `generate_key` wrote."""
    key = load_ssh_private_key(path.read_bytes(), password=None)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _write_whole(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(path)


def session(stack: dict[str, Any]) -> boto3.Session:
    """A session as the root user of the emulator's account."""
    return boto3.Session(aws_access_key_id=ACCOUNT_ID, aws_secret_access_key="local", region_name=stack["region"])  # noqa: S106 - the emulator asks for none
