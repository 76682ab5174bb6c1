"""Counts the AWS calls that a delivery makes, by operation; tests/stack/test_calls.py holds them to their number."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class AwsCalls:
    """What clients have sent since `watch` or `clear`; a retry counts as a call of its own.

    `listed_from` is the key that each listing began after.
    """

    operations: Counter[str] = field(default_factory=Counter)
    listed_from: list[str] = field(default_factory=list)
    listed_bytes: int = 0

    def watch(self, events: Any) -> None:
        """Count what passes by a botocore session's, or a client's, event system from now on."""
        events.register("before-send", self._sent)
        events.register("before-parameter-build.s3.ListObjectsV2", self._listing)
        events.register("after-call.s3.ListObjectsV2", self._listed)

    def clear(self) -> None:
        """Begin again at nothing."""
        self.operations.clear()
        self.listed_from.clear()
        self.listed_bytes = 0

    def _sent(self, event_name: str, **_: Any) -> None:
        self.operations[event_name.rpartition(".")[2]] += 1

    def _listing(self, params: dict[str, Any], **_: Any) -> None:
        if "StartAfter" in params:  # others list no lake
            self.listed_from.append(params["StartAfter"])

    def _listed(self, http_response: Any, **_: Any) -> None:
        self.listed_bytes += len(http_response.content)
