"""Draws the charts from the results; runs in the peers' environment, which has matplotlib."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

_STYLES = {
    "function": ("#0b6e4f", "o"),
    "duckdb": ("#d97706", "s"),
    "polars": ("#2563eb", "^"),
    "awswrangler": ("#b91c1c", "D"),
    "floor-csv": ("#6b7280", "x"),
    "floor-scan": ("#9ca3af", "+"),
}


def main(folder: Path) -> None:
    """`export-<file>.png` and `provisioning.png` from the JSON beside them."""
    export = _table(folder, "export")
    for file in ("csv", "csv.gz"):
        _lines(
            folder / f"export-{file.replace('.', '-')}.png",
            f"Parquet in S3 → {file} in S3, five attributes of twelve",
            [row for row in export if row["file"] in (file, "(none)")],
        )
    provisioning = _table(folder, "provisioning")
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(_of(provisioning, "clients"), _of(provisioning, "seconds"), color="#0b6e4f", marker="o")
    axes.set(title="Evaluating the Pulumi program", xlabel="clients", ylabel="seconds", ylim=0)
    axes.grid(alpha=0.3)
    figure.savefig(folder / "provisioning.png", dpi=110)


def _lines(path: Path, title: str, rows: list[dict[str, Any]]) -> None:
    """Seconds and memory against rows, a line for each contender."""
    figure, sides = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for axes, value, label in zip(sides, ("seconds", "peak MB"), ("seconds", "peak memory, MB"), strict=True):
        for name in dict.fromkeys(row["contender"] for row in rows):
            own = [row for row in rows if row["contender"] == name]
            color, marker = _STYLES[name]
            dashed = "--" if name.startswith("floor") else "-"
            axes.plot(_of(own, "rows"), _of(own, value), dashed, color=color, marker=marker, label=name)
        axes.set(xscale="log", yscale="log", xlabel="rows", ylabel=label)
        axes.grid(alpha=0.3, which="both")
    sides[0].legend(fontsize=8)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _table(folder: Path, part: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))["tables"][0]["rows"]
    return rows


def _of(rows: list[dict[str, Any]], name: str) -> list[float]:
    return [row[name] for row in rows]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
