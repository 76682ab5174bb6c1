"""DynamoDB Local, AWS's own DynamoDB for one machine: fetched by Maven, started, and ended exactly."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

POM = Path(__file__).with_name("pom.xml")
MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.DownloadingAndRunning.html
JAVA = 17
NEEDED = f"--reference needs Java {JAVA} or later and Maven: apt-get install openjdk-17-jre-headless maven"

_FETCH_SECONDS = 600
_READY_SECONDS = 60
_END_SECONDS = 10


def install() -> None:
    """Fetch what pom.xml names, where it is not yet in the cache; UsageError says what is missing."""
    if not shutil.which("mvn") or _java_version() < JAVA:
        raise pytest.UsageError(NEEDED)
    folder = _jars()
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as fetched:
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={fetched}/jars"]
        done = subprocess.run(
            ["mvn", "--batch-mode", "--quiet", "--strict-checksums", f"--file={POM}", *copy],
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
        if done.returncode:
            raise pytest.UsageError(f"Maven could not fetch DynamoDB Local:\n{done.stdout[-3_000:]}")
        (Path(fetched) / "jars").rename(folder)


@contextmanager
def running(log: Path) -> Iterator[str]:
    """The endpoint URL of a fresh one that keeps everything in memory.

    It has no option to listen on the loopback addresses only.
    """
    jars = _jars()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Without a shared database, each access key would see tables of its own.
    options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    command = ["java", "-Xmx512m", f"-Djava.library.path={jars}", "-cp", f"{jars}/*", MAIN_CLASS, *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        endpoint_url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, endpoint_url, log)
        yield endpoint_url
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_END_SECONDS)


def _jars() -> Path:
    """Where this pom.xml's jars and native libraries are, outside the tree."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "referral-delivery" / f"dynamodb-local-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def _java_version() -> int:
    if not shutil.which("java"):
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def _wait_until_ready(process: "subprocess.Popen[bytes]", endpoint_url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _answers(endpoint_url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"DynamoDB Local did not start:\n{log.read_text(errors='replace')[-3_000:]}")
        time.sleep(0.1)


def _answers(endpoint_url: str) -> bool:
    try:
        urllib.request.urlopen(endpoint_url, timeout=2).close()
    except urllib.error.HTTPError:  # it wants a signed POST, and says so once it is up
        return True
    except OSError:
        return False
    return True
