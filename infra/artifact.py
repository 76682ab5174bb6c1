"""The function's zip: the package and what its lock names, for a named platform.

The same input and the same Python give the same bytes.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from infra import PROJECT_FOLDER
from infra.errors import PackingFailed

PACKAGE_FOLDER = PROJECT_FOLDER / "functions" / "referral_delivery"
LOCK = PROJECT_FOLDER / "functions" / "requirements.lock"
BUILD_FOLDER = PROJECT_FOLDER / ".build"

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024

# Zip knows no date before; a fixed one keeps the bytes the same.
_DATE = (1980, 1, 1, 0, 0, 0)
# What an installer writes about itself, and scripts with the path of an interpreter.
_LEFT_OUT_NAMES = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
_LEFT_OUT_FOLDERS = {"__pycache__", "bin"}
# Of the 400 services that botocore describes, a third of the zip: those that the functions call, and the one that
# botocore itself may ask for credentials.
_SERVICES = {"dynamodb", "events", "lambda", "s3", "secretsmanager", "sesv2", "sqs", "ssm", "sts", "transfer"}
# Part of the cache's key: a change of how the zip is made must make it anew.
_FORMAT = "5"


@dataclass(frozen=True)
class Target:
    """What wheels are chosen for; no `platforms` means the interpreter and machine at hand."""

    name: str
    python: str
    platforms: tuple[str, ...] = ()

    @property
    def bytecode(self) -> bool:
        """Whether the interpreter at hand can make the target's bytecode, which halves a cold start (benchmarks/).

        Lambda's folder for code is read-only: what is not compiled in the zip, each new process compiles.
        """
        return self.python == _running_python()


@dataclass(frozen=True)
class Artifact:
    """A built zip, and how large it is unzipped."""

    path: Path
    sha256: str
    unzipped_bytes: int
    reused: bool


def aws_lambda() -> Target:
    """Lambda on arm64 with Python 3.13; pip takes each platform tag literally, and wheels have one or the other."""
    return Target(name="arm64-cp313", python="3.13", platforms=("manylinux_2_28_aarch64", "manylinux2014_aarch64"))


def running_interpreter() -> Target:
    """The interpreter and machine that this runs on."""
    python = _running_python()
    return Target(name=f"{platform.machine()}-cp{python.replace('.', '')}", python=python)


TARGETS: dict[str, Callable[[], Target]] = {"lambda": aws_lambda, "local": running_interpreter}


def deployed_target() -> Target:
    """What will run the function: Lambda, or an emulator of AWS on this machine, with this interpreter."""
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname or ""
    try:
        here = ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return running_interpreter() if here else aws_lambda()


def build(target: Target, folder: Path = BUILD_FOLDER) -> Artifact:
    """The zip for a target, built only where no earlier build had the same sources and lock.

    What the lock names is packed once for a lock; a change of the package only adds its files to a copy of that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dependencies = folder / f"dependencies-{target.name}-{_digest(target, [LOCK])}.zip"
    sources = _packed_files(PACKAGE_FOLDER)
    path = folder / f"referral_delivery-{target.name}-{_digest(target, [LOCK, *sources])}.zip"
    with _locked(folder / ".lock"):
        reused = path.exists()
        if not reused:
            if not dependencies.exists():
                _pack_dependencies(target, dependencies)
            _add_package(target, dependencies, sources, path)
            _drop_older(dependencies, path)
    with zipfile.ZipFile(path) as built:
        unzipped = sum(entry.file_size for entry in built.infolist())
    if unzipped > MAX_UNZIPPED_BYTES:
        raise PackingFailed(
            f"{path.name} is {unzipped:,} bytes unzipped; Lambda takes {MAX_UNZIPPED_BYTES:,}: drop a dependency "
            "from functions/requirements.in"
        )
    return Artifact(path, hashlib.sha256(path.read_bytes()).hexdigest(), unzipped, reused)


def _pack_dependencies(target: Target, path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="package-", dir=path.parent) as scratch:
        tree, packed = Path(scratch) / "tree", Path(scratch) / path.name
        _install(target, tree)
        for service in (tree / "botocore" / "data").glob("*/"):
            if service.name not in _SERVICES:
                shutil.rmtree(service)
        with zipfile.ZipFile(packed, "w") as archive:
            _add(archive, target, tree)
        packed.replace(path)


def _add_package(target: Target, dependencies: Path, sources: list[Path], path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="package-", dir=path.parent) as scratch:
        tree, packed = Path(scratch) / "tree", Path(scratch) / path.name
        for source in sources:
            copy = tree / source.relative_to(PACKAGE_FOLDER.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        shutil.copyfile(dependencies, packed)
        with zipfile.ZipFile(packed, "a") as archive:
            _add(archive, target, tree)
        packed.replace(path)


def _drop_older(*current: Path) -> None:
    for path in current:
        for old in path.parent.glob(f"{path.stem.rpartition('-')[0]}-*.zip"):
            if old != path:
                old.unlink()


def _install(target: Target, tree: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--no-compile", "--target", str(tree), "-r", str(LOCK)]
    if target.platforms:
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [word for platform_ in target.platforms for word in ("--platform", platform_)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackingFailed(f"installing {LOCK.name} for {target.name} failed:\n{done.stderr.strip()}")


def _add(archive: zipfile.ZipFile, target: Target, tree: Path) -> None:
    """Add a tree's files in order, with their bytecode where it can be made."""
    files = _packed_files(tree)
    if target.bytecode:
        _compile(tree)
        files += [Path(cache_from_source(str(path))) for path in files if path.suffix == ".py"]
    for path in sorted(files):
        entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _DATE)
        entry.create_system = 3  # Unix, whatever machine this is
        entry.external_attr = 0o100644 << 16
        archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=6)


def _compile(tree: Path) -> None:
    """Compile a tree's modules, in one process of their own: what else a process holds changes the bytes.

    Unchecked: the files' times change when they are unpacked. Stripped of the tree's path, which is this machine's.
    """
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-s", str(tree), str(tree)]
    done = subprocess.run(
        [*command, "--invalidation-mode", "unchecked-hash"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PackingFailed(f"compiling the function's modules failed:\n{(done.stdout + done.stderr).strip()}")


def _packed_files(tree: Path) -> list[Path]:
    return sorted(
        path
        for path in tree.rglob("*")
        if path.is_file()
        and path.name not in _LEFT_OUT_NAMES
        and _LEFT_OUT_FOLDERS.isdisjoint(path.relative_to(tree).parts[:-1])
    )


def _digest(target: Target, files: list[Path]) -> str:
    """Changes when one of the files, the target or the way of packing does."""
    digest = hashlib.sha256(f"{_FORMAT} {target} {target.bytecode}".encode())
    for path in files:
        digest.update(path.relative_to(PROJECT_FOLDER).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _running_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one build go on at a time; the lock ends with the process that holds it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
