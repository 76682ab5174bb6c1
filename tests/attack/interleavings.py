"""Every interleaving of a few runs over the in-memory ledger: each call of a run is one step, and any run may go next.

A run is the real code in a coroutine of its own that waits before each of its calls. An execution follows a list of
choices; all lists are tried, but for those that come to a state where another has been. Beside a step, a choice may end
a run, let time pass, renew a lease, or sweep the uploads in progress.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from greenlet import greenlet

from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.lease import LEASE_SECONDS
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Report, Request
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Claim
from tests.model import MemoryLake, MemoryLedger, MemoryUploads, MemoryWriter

CLIENT = "acme"
# A step is a call of one of these.
STEPS = {
    "ledger": ("claim", "request", "seal", "take_back", "commit", "release", "abandon", "holds", "already_read"),
    "uploads": ("upload", "complete", "metadata", "abort"),
    "lake": ("objects",),
}


class Ended(BaseException):
    """The process of a run ended: no handler of ours may see it."""


@dataclass(frozen=True)
class Run:
    """One run that takes part: what it is asked for, under which contract, and how far its clock is ahead."""

    due: datetime | None
    contract: Contract
    ahead_seconds: int = 0
    objects: int = 1_000


@dataclass(frozen=True)
class Scenario:
    """What is explored: the runs, the lake, and how often what may happen beside them."""

    runs: tuple[Run, ...]
    now: datetime
    rows: Mapping[str, datetime]
    prepare: Callable[["World"], None] = lambda _: None
    deaths: int = 0
    pauses: int = 0
    renewals: int = 0
    sweeps: int = 0
    conflicts: int = 0
    switches: int = 1_000


class Worker:
    """One run that goes on only when it is let."""

    def __init__(self, world: "World", number: int, run: Run) -> None:
        self.number, self.run, self.world = number, run, world
        clock = world.now + timedelta(seconds=run.ahead_seconds)
        self.due = min(run.due or clock, clock)
        self.next: str | None = None
        self.history: list[str] = []
        self.claim: Claim | None = None
        self.report: Report | None = None
        self.error: BaseException | None = None
        self._run = greenlet(self._work)
        self._run.switch()

    @property
    def over(self) -> bool:
        """Whether the run has ended, in one way or another."""
        return bool(self._run.dead)

    def step(self, *, end: bool = False) -> None:
        """Let the run make its next call, until it stands before the one after it or is over; or end it here."""
        if end:
            self._run.throw(Ended)
        else:
            self._run.switch()

    def stand(self, name: str) -> None:
        """The run stands before a call."""
        self.next = name
        explorer = self._run.parent
        assert explorer
        explorer.switch()

    def _work(self) -> None:
        try:
            self.report = self._exporter().run(
                Request(
                    contract=self.run.contract,
                    occasion=Occasion.SCHEDULED,
                    due=self.run.due,
                    owner=f"run-{self.number}",
                    seconds_left=lambda: 900.0,
                )
            )
        except BaseException as error:  # noqa: BLE001 - Ended is none of ours
            self.error = error
        self.next = None

    def _exporter(self) -> Exporter:
        world = self.world
        uploads: Any = Stepped(world.uploads, "uploads", self)
        return Exporter(
            ledger=Stepped(world.ledger, "ledger", self),  # type: ignore[arg-type]
            writer=MemoryWriter(lake=Stepped(world.lake, "lake", self), uploads=uploads, connect=_no_duckdb),  # type: ignore[arg-type]
            pace=Pace((self.run.objects + 0.5) / 840, 1e9),
            clock=lambda: world.now.timestamp() + self.run.ahead_seconds,
            sleep=self._sleep,
            renewal=lambda _ledger, claim, _clock: self._claimed(claim),
        )

    def _claimed(self, claim: Claim) -> Any:
        self.claim = claim
        return nullcontext()

    def _sleep(self, seconds: float) -> None:
        self.stand("sleep")
        if seconds != LEASE_SECONDS:  # else it looks at a lease again: how much time passes is a choice of its own
            self.world.now += timedelta(seconds=seconds)


def _no_duckdb() -> Any:
    raise AssertionError


class Stepped:
    """A part of the world, as one run calls it."""

    def __init__(self, part: Any, name: str, worker: Worker) -> None:
        self._part, self._name, self._worker = part, name, worker

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._part, method)
        if method not in STEPS[self._name]:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._worker.stand(method)
            answer = found(*args, **kwargs)
            self._worker.history.append(f"{method}:{answer}")
            return answer

        return call


@dataclass
class World:
    """The ledger, the uploads, the lake and the runs of one execution."""

    scenario: Scenario
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    uploads: MemoryUploads = field(default_factory=MemoryUploads)
    left: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now, self.lake = self.scenario.now, MemoryLake(self.scenario.rows)
        self.scenario.prepare(self)
        self.left = {
            "die": self.scenario.deaths,
            "pass": self.scenario.pauses,
            "renew": self.scenario.renewals,
            "sweep": self.scenario.sweeps,
            "conflict": self.scenario.conflicts,
            "switch": self.scenario.switches,
        }
        self.seen = {key: body for key, (body, _) in self.uploads.visible.items()}
        self.last: int | None = None
        self.workers = [Worker(self, number, run) for number, run in enumerate(self.scenario.runs)]

    def choices(self) -> list[tuple[str, int]]:
        """What may happen next; the first is to go on with the run that went last."""
        alive = [each for each in self.workers if not each.over]
        steps = sorted((each.number for each in alive), key=lambda number: number != self.last)
        if self.last in steps and not self.left["switch"]:
            steps = steps[:1]
        if not steps:
            return []
        found = [("step", number) for number in steps]
        if self.left["die"]:
            found += [("die", number) for number in steps]
        if self.left["renew"]:
            found += [("renew", each.number) for each in alive if each.claim]
        if self.left["pass"]:
            found.append(("pass", 0))
        if self.left["sweep"] and self.uploads.in_progress:
            found.append(("sweep", 0))
        if self.left["conflict"] and any(each.next == "complete" for each in alive):
            found.append(("conflict", 0))
        return found

    def do(self, choice: tuple[str, int]) -> None:
        """Make one choice, and see that no visible file has changed by it."""
        what, number = choice
        if what != "step":
            self.left[what] -= 1
        elif self.last is not None and self.last != number and not self.workers[self.last].over:
            self.left["switch"] -= 1
        match what:
            case "step" | "die":
                self.last = number
                self.workers[number].step(end=what == "die")
            case "pass":
                self.now += timedelta(seconds=LEASE_SECONDS + 1)
            case "sweep":
                self.uploads.in_progress.clear()
            case "conflict":
                self.uploads.conflicts += 1
            case "renew":
                claim = self.workers[number].claim
                cursor = self.ledger.cursors[CLIENT]
                if claim and cursor.fence == claim.fence and cursor.owner:
                    cursor.expires = int(self.now.timestamp()) + LEASE_SECONDS
        visible = {key: body for key, (body, _) in self.uploads.visible.items()}
        assert {key: visible.get(key) for key in self.seen} == self.seen, "a visible file changed"
        self.seen = visible

    @property
    def state(self) -> bytes:
        """What decides what may still happen."""
        runs = [(each.next, each.over, each.history) for each in self.workers]
        parts = (runs, self.now, self.left, self.ledger.cursors, self.ledger.made, self.uploads.visible)
        return hashlib.blake2b(
            repr((parts, self.uploads.in_progress, self.uploads.conflicts, self.last)).encode(), digest_size=16
        ).digest()

    def end(self) -> None:
        """End what still runs."""
        for worker in self.workers:
            while not worker.over:
                worker.step(end=True)

    def run_alone(self, run: Run, *, until: str | None = None) -> Worker:
        """Another run, that meets nobody; ended before its first call of `until`, if that is said."""
        worker = Worker(self, 1_000 + len(self.ledger.made), run)
        while not worker.over:
            worker.step(end=worker.next == until)
        return worker


def executions(scenario: Scenario, states: set[bytes]) -> Iterator[tuple[World, list[tuple[str, int]]]]:
    """The world at the end of every execution, with the choices that led there; `states` are those that were seen."""
    waiting: list[list[tuple[str, int]]] = [[]]
    while waiting:
        path = waiting.pop()
        world = World(scenario)
        try:
            for choice in path:
                world.do(choice)
            while (state := world.state) not in states:
                states.add(state)
                if not (choices := world.choices()):
                    yield world, path
                    break
                waiting += [[*path, other] for other in choices[1:]]
                path = [*path, choices[0]]
                world.do(choices[0])
        finally:
            world.end()


def moment(text: str) -> datetime:
    """`2026-11-20 10:00` as an aware moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
