"""`python -m tests.mutants.system FOLDER up|down`: the local system that the tests of mutants share."""

import sys
from pathlib import Path

from referralctl.local_system import LocalSystem
from tests.support import write_client


def main(folder: Path, change: str) -> None:
    """One client, which is never due while the tests run."""
    local = LocalSystem(folder / "local")
    if change == "down":
        local.down()
        return
    schedule = {"at": ["00:00"], "timezone": "UTC", "days": ["sun"]}
    write_client(folder / "clients", "acme", schedule=schedule, attributes=["referral_id", "source"])
    local.up(folder / "clients")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
