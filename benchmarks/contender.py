"""One run of one contender, in a process of its own, in whichever environment the contender lives.

The job comes as JSON on stdin, the measurement goes as JSON to stdout. Only the standard library is used here.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Job:
    """What to export, and where to: Parquet objects → one CSV, or a folder of them, in the same S3."""

    contender: str
    endpoint_url: str
    region: str
    access_key: str
    secret_key: str
    sources: list[str]
    columns: list[str]
    target: str
    gzip: bool
    # How DuckDB is to write, where it is not CSV.
    options: str = ""
    # What the function's own code path needs beside that.
    contract: str = ""
    due: str = ""
    environment: dict[str, str] | None = None
    memory_mb: int = 0

    def to_json(self) -> str:
        """What `main` reads."""
        return json.dumps(asdict(self))


def main(contenders: Mapping[str, Callable[[Job], Callable[[], object]]]) -> None:
    """Run the job on stdin: the contender prepares (imports, connects), and what it returns is timed."""
    job = Job(**json.load(sys.stdin))
    run = contenders[job.contender](job)
    began = time.perf_counter()
    run()
    seconds = time.perf_counter() - began
    json.dump({"seconds": seconds, "peak_bytes": peak_bytes()}, sys.stdout)


def lambda_context(request_id: str, memory_mb: int) -> Any:
    """What the handler reads of Lambda's context; there is always time left."""
    return SimpleNamespace(
        aws_request_id=request_id,
        function_name="export",
        function_version="1",
        invoked_function_arn="arn",
        memory_limit_in_mb=memory_mb,
        get_remaining_time_in_millis=lambda: 900_000,
    )


def peak_bytes() -> int:
    """The largest resident size of this whole process so far, imports included.

    Not getrusage's, which starts with what the parent had.
    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024
