"""The example stack's whole graph, as it was reviewed."""

import difflib

from tests.infra.snapshot import SNAPSHOT, example_stack


def test_the_graph_of_the_example_stack_is_the_reviewed_one() -> None:
    reviewed, found = SNAPSHOT.read_text(encoding="utf-8"), example_stack()
    changes = "\n".join(difflib.unified_diff(reviewed.splitlines(), found.splitlines(), "reviewed", "now", lineterm=""))
    assert not changes, f"review this, then write it with `python -m tests.infra.snapshot`:\n{changes}"
