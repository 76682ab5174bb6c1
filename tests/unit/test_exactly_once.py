"""Random histories of one client: arrivals, runs, deaths, repeats, clock jumps. The promises hold after every step.

Against an in-memory model of the ledger, the uploads and the lake: a history takes milliseconds, so that thousands are
tried; the code between them, DuckDB and the stream included, is the real one.
"""

import gzip
import hashlib
import itertools
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Request, Status
from referral_delivery.errors import MissingAttribute
from referral_delivery.file.writer import FileWriter
from referral_delivery.ledger.occasion import Occasion
from tests.model import FolderLake, MemoryLedger, MemoryUploads
from tests.support import contract, utc

LEASE = timedelta(seconds=91)
STEPS = [
    *(("ledger", method) for method in ("claim", "request", "keep", "seal", "take_back", "commit", "release")),
    *(("uploads", method) for method in ("upload", "complete", "put_new")),
]


class Died(BaseException):
    """The process ended: no handler of ours may see it."""


class History(RuleBasedStateMachine):
    """One client's life."""

    @initialize(
        skip=st.booleans(), manifest=st.booleans(), packed=st.booleans(), objects=st.sampled_from([1, 2, 5, 1_000])
    )
    def begin(self, skip: bool, manifest: bool, packed: bool, objects: int) -> None:
        self.objects = objects
        self.folder = tempfile.TemporaryDirectory()
        self.ledger, self.uploads = MemoryLedger(), MemoryUploads()
        self.lake = FolderLake(Path(self.folder.name))
        self.con = duckdb.connect(config={"threads": 1})
        self.now = utc("2026-11-10 00:00")
        self.numbers = itertools.count()
        self.arrived: list[str] = []
        self.foreign: set[str] = set()
        self.seen: dict[str, bytes] = {}
        self.last_due: datetime | None = None
        self.contract = contract(
            file={
                "when_empty": "skip" if skip else "header_only",
                "manifest": manifest,
                "compression": "gzip" if packed else "none",
            }
        )

    @rule(
        late=st.sampled_from([0, 0, 0, 1, 30, 61, 600, 47 * 60]),
        minutes=st.lists(st.integers(0, 59), min_size=1, max_size=3),
        on_the_minute=st.booleans(),
    )
    def referrals_arrive(self, late: int, minutes: list[int], on_the_minute: bool) -> None:
        """An object of one hour; its rows arrived at several of its minutes, on windows' bounds and beside them."""
        newest = self.now - timedelta(minutes=late)
        if on_the_minute:
            newest = newest.replace(second=0, microsecond=0)
        stamps = [newest - timedelta(minutes=min(minute, newest.minute)) for minute in minutes]
        rows = {f"r{next(self.numbers):05d}": stamp for stamp in stamps}
        self.lake.put("acme", newest, self._parquet(rows))
        self.arrived += rows

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

    @rule()
    def the_next_completion_meets_a_conflict(self) -> None:
        self.uploads.conflicts = 1

    @rule()
    def a_foreign_object_takes_the_name_of_what_is_sealed(self) -> None:
        key = self.ledger.position("acme").sealed_key
        if key and key not in self.uploads.visible:
            self.uploads.visible[key] = (b"not ours", {})
            self.foreign.add(key)

    @rule(columns=st.sampled_from([["referral_id"], ["referral_id", "received_at"]]))
    def the_contract_changes(self, columns: list[str]) -> None:
        self.contract = contract(attributes=columns, file=self.contract.file)

    @rule()
    def a_contract_that_the_lake_cannot_meet_is_deployed_and_mended(self) -> None:
        good, self.contract = self.contract, contract(attributes=["referral_id", "gender"], file=self.contract.file)
        with suppress(MissingAttribute):
            self._run(self.now)
        self.contract = good

    @rule(
        minutes=st.sampled_from([0, 1, 10, 60, 61, 24 * 60, 72 * 60, -10]), milliseconds=st.sampled_from([0, 200, 700])
    )
    def the_clock_moves(self, minutes: int, milliseconds: int) -> None:
        self.now += timedelta(minutes=minutes, milliseconds=milliseconds)

    @invariant()
    def no_visible_file_ever_changes(self) -> None:
        now = {key: body for key, (body, _) in self.uploads.visible.items()}
        assert {key: now.get(key) for key in self.seen} == self.seen
        self.seen = now

    @invariant()
    def no_referral_is_in_two_files_and_the_sequence_has_no_gap(self) -> None:
        assert [row for row, count in Counter(self._received()).items() if count > 1] == []
        numbers = sorted(int(key.split("_")[3][:6]) for key in self._files())
        assert numbers == list(range(1, len(numbers) + 1))

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
        assert received == Counter(self.arrived)
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
            pace=Pace(objects_per_second=self.objects / 840, bytes_per_second=1e9),
            clock=lambda: self.now.timestamp(),  # noqa: PLW0108 - the history moves `now`
            sleep=self._sleep,
            renewal=lambda *_: nullcontext(),
        )
        request = Request(
            contract=self.contract,
            occasion=Occasion.SCHEDULED,
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

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _received(self) -> list[str]:
        return [row for body in self._files().values() for row in _rows(body)]

    def _files(self) -> dict[str, bytes]:
        """What the client finds, without manifests and what is not ours."""
        found = {key: body for key, (body, _) in self.uploads.visible.items() if not key.endswith(".json")}
        return {key: body for key, body in found.items() if key not in self.foreign}

    def _parquet(self, rows: Mapping[str, datetime]) -> bytes:
        path = Path(self.folder.name) / "next.parquet"
        select = "SELECT unnest($rows) AS referral_id, unnest($stamps)::TIMESTAMP AS received_at"
        stamps = [stamp.replace(tzinfo=None) for stamp in rows.values()]
        self.con.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)", {"rows": list(rows), "stamps": stamps})
        return path.read_bytes()


def _rows(body: bytes) -> list[str]:
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    return [line.split(",")[0] for line in text.decode().split()[1:]]


def _tried(examples: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )


TestHistory = History.TestCase
TestHistory.settings = _tried(25)


@pytest.mark.attack
@pytest.mark.timeout(1_200)
class TestManyHistories(History.TestCase):  # type: ignore[valid-type, misc]
    """Forty times as many."""

    settings = _tried(1_000)
