"""Random histories of one client: arrivals, runs, deaths, repeats, clock jumps. The promises hold after every step.

Against an in-memory model of the ledger, the uploads and the lake: a history takes milliseconds, so that thousands are
tried; the code between them, DuckDB and the stream included, is the real one.
"""

import gzip
import hashlib
import itertools
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from referral_delivery.event import Kind
from referral_delivery.export import Exporter, Request, Status
from referral_delivery.writer import FileWriter
from tests.model import FolderLake, MemoryLedger, MemoryUploads
from tests.support import contract, utc

LEASE = timedelta(seconds=931)
STEPS = [
    *(("ledger", method) for method in ("claim", "begin", "seal", "commit", "release")),
    *(("uploads", method) for method in ("upload", "complete", "put_new")),
]


class Died(BaseException):
    """The process ended: no handler of ours may see it."""


class History(RuleBasedStateMachine):
    """One client's life."""

    @initialize(skip=st.booleans(), manifest=st.booleans(), packed=st.booleans())
    def begin(self, skip: bool, manifest: bool, packed: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.ledger, self.uploads = MemoryLedger(), MemoryUploads()
        self.lake = FolderLake(Path(self.folder.name))
        self.con = duckdb.connect(config={"threads": 1})
        self.now = utc("2026-11-10 00:00")
        self.numbers = itertools.count()
        self.arrived: list[tuple[str, datetime]] = []
        self.seen: dict[str, bytes] = {}
        self.last_due: datetime | None = None
        self.contract = contract(
            file={
                "when_empty": "skip" if skip else "header_only",
                "manifest": manifest,
                "compression": "gzip" if packed else "none",
            }
        )

    @rule(late=st.sampled_from([0, 0, 0, 1, 30, 61, 600, 47 * 60]), count=st.integers(1, 3))
    def referrals_arrive(self, late: int, count: int) -> None:
        stamp = (self.now - timedelta(minutes=late)).replace(microsecond=0)
        rows = [f"r{next(self.numbers):05d}" for _ in range(count)]
        self.lake.put("acme", stamp, self._parquet(rows, stamp))
        self.arrived += [(row, stamp) for row in rows]

    @rule(back=st.sampled_from([0, 0, 0, 5, 60, 24 * 60]), manual=st.booleans())
    def a_run(self, back: int, manual: bool) -> None:
        self.last_due = None if manual else self.now - timedelta(minutes=back)
        self._run(self.last_due)

    @rule()
    def a_repeated_event(self) -> None:
        self._run(self.last_due)

    @rule(step=st.sampled_from(STEPS), before=st.booleans(), owner=st.sampled_from(["same", "other"]))
    def a_run_dies(self, step: tuple[str, str], before: bool, owner: str) -> None:
        self._run(self.now, owner=owner, dying=(*step, before))

    @rule()
    def uploads_are_swept(self) -> None:
        self.uploads.in_progress.clear()

    @rule(minutes=st.sampled_from([1, 10, 60, 61, 24 * 60, 72 * 60, -10]))
    def the_clock_moves(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def no_visible_file_ever_changes(self) -> None:
        now = {key: body for key, (body, _) in self.uploads.visible.items()}
        assert {key: now.get(key) for key in self.seen} == self.seen
        self.seen = now

    @invariant()
    def no_referral_is_in_two_files_and_the_sequence_has_no_gap(self) -> None:
        assert [row for row, count in Counter(self._received()).items() if count > 1] == []
        names = sorted(key for key in self.uploads.visible if not key.endswith(".json"))
        assert [int(name.split(".")[0][-6:]) for name in names] == list(range(1, len(names) + 1))

    @invariant()
    def the_ledger_agrees_with_the_files(self) -> None:
        made = [each for each in self.ledger.deliveries("acme") if each.key]
        for each in made:
            body = self.uploads.visible[str(each.key)][0]
            assert (each.size_bytes, each.sha256) == (len(body), hashlib.sha256(body).hexdigest())
            assert each.rows == len(_rows(body))

    def teardown(self) -> None:
        """In the end, everything that has arrived is delivered, once."""
        if not hasattr(self, "now"):
            return
        self.now += timedelta(days=1)
        for _ in range(2):
            self.now += LEASE
            self._run(None)
        received = Counter(self._received())
        assert received == Counter(row for row, _ in self.arrived)
        self.con.close()
        self.folder.cleanup()

    def _run(self, due: datetime | None, *, owner: str = "", dying: tuple[str, str, bool] | None = None) -> None:
        ledger, uploads = self.ledger, self.uploads
        if dying:
            part, method, before = dying
            target: Any = ledger if part == "ledger" else uploads
            original = getattr(target, method)

            def die(*args: Any, **kwargs: Any) -> Any:
                if not before:
                    original(*args, **kwargs)
                raise Died(method)

            setattr(target, method, die)
        exporter = Exporter(
            ledger=ledger,
            writer=FileWriter(lake=self.lake, uploads=uploads, connect=self.con.cursor),
            clock=lambda: self.now.timestamp(),  # noqa: PLW0108 - the history moves `now`
        )
        request = Request(
            contract=self.contract,
            kind=Kind.SCHEDULED,
            due=due,
            owner=owner or f"run-{next(self.numbers)}",
            seconds_left=lambda: 900.0,
        )
        try:
            assert exporter.run(request).status in Status
        except Died:
            assert dying
        finally:
            if dying:
                delattr(target, method)

    def _received(self) -> list[str]:
        bodies = (body for key, (body, _) in self.uploads.visible.items() if not key.endswith(".json"))
        return [row for body in bodies for row in _rows(body)]

    def _parquet(self, rows: list[str], stamp: datetime) -> bytes:
        path = Path(self.folder.name) / "next.parquet"
        select = "SELECT unnest($rows) AS referral_id, $stamp::TIMESTAMP AS received_at"
        self.con.execute(
            f"COPY ({select}) TO '{path}' (FORMAT parquet)",
            {"rows": rows, "stamp": stamp.replace(tzinfo=None)},
        )
        return path.read_bytes()


def _rows(body: bytes) -> list[str]:
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    return text.decode().split()[1:]


def _tried(examples: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )


TestHistory = History.TestCase
TestHistory.settings = _tried(25)


@pytest.mark.attack
@pytest.mark.timeout(1_200)
class TestManyHistories(History.TestCase):  # type: ignore[valid-type, misc]
    """A hundred times as many."""

    settings = _tried(2_500)
