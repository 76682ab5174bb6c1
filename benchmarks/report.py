"""What a part measured: tables for people, JSON for programs, and the machine that it was measured on."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psutil

from referral_delivery.lake.connection import MEMORY_MB_PER_VCPU
from referralctl.output import facts, print_table

GIB, MIB = 1024**3, 1024**2
# Two of Lambda's vCPUs, as many as the machines that this is run on have; it also gives DuckDB two threads.
MEMORY_MB = 2 * MEMORY_MB_PER_VCPU


def described_machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / GIB),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        "function_memory_mb": MEMORY_MB,
    }


@dataclass(frozen=True)
class Table:
    """Rows of the same keys; numbers carry their unit in the key."""

    title: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Result:
    """All that one part measured in one run."""

    part: str
    quick: bool
    tables: list[Table]
    machine: dict[str, Any] = field(default_factory=described_machine)

    def save(self, folder: Path) -> None:
        """Write `<part>.json`, which the charts, README's figures and `referralctl cost` read."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.part}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def show(self) -> None:
        """Print the tables."""
        for table in self.tables:
            facts.print(f"\n[bold]{table.title}[/bold]")
            columns = list(table.rows[0])
            numbers = {name for name in columns if not isinstance(table.rows[0][name], str)}
            print_table(columns, [[_cell(row[name]) for name in columns] for row in table.rows], right=numbers)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _cell(value: Any) -> Any:
    return f"{value:,.2f}" if isinstance(value, float) else value
