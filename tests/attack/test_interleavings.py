"""Two or three runs in every order of their calls: nothing is lost, doubled, changed, swallowed or wedged."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from referral_delivery.delivery import lease
from referral_delivery.delivery.report import Status
from referral_delivery.errors import DataError
from tests.attack.interleavings import CLIENT, Run, Scenario, World, executions, moment
from tests.model import MISSING
from tests.support import contract

pytestmark = pytest.mark.attack

NOW = moment("2026-11-20 10:30")
TEN, HALF_PAST = moment("2026-11-20 10:00"), moment("2026-11-20 10:30")
ROWS = {"a": moment("2026-11-20 08:10"), "b": moment("2026-11-20 09:20"), "c": moment("2026-11-20 10:10")}
GOOD, BAD = contract(CLIENT), contract(CLIENT, attributes=["referral_id", MISSING])
EARLY, LATE = Run(TEN, GOOD), Run(HALF_PAST, GOOD)
KEY = f"downloads/{CLIENT}/referrals_{CLIENT}_20261120T100000Z_000001.csv"
OURS = {Status.DELIVERED, Status.NOTHING_TO_DELIVER, Status.IN_PROGRESS, Status.OVERTAKEN}


def sealed_and_died(world: World) -> None:
    """A run sealed the first file and died before it published it."""
    worker = world.run_alone(EARLY, until="complete")
    assert worker.over
    world.now += timedelta(seconds=lease.LEASE_SECONDS + 1)


def sealed_and_swept(world: World) -> None:
    """… and its upload is gone."""
    sealed_and_died(world)
    world.uploads.in_progress.clear()


def name_is_taken(world: World) -> None:
    """An object that is not ours has the first file's name."""
    world.uploads.visible[KEY] = (b"not ours", {})


def name_is_taken_behind_a_seal(world: World) -> None:
    """… since a run has sealed it."""
    sealed_and_died(world)
    name_is_taken(world)


SCENARIOS = {
    "two runs, one may die": Scenario((EARLY, LATE), NOW, ROWS, deaths=1, pauses=1, renewals=1, switches=3),
    "two runs of one due time, both may die": Scenario((EARLY, EARLY), NOW, ROWS, deaths=2, renewals=1),
    "three runs": Scenario((EARLY, LATE, EARLY), NOW, ROWS, renewals=1, switches=2),
    "three runs, one may die": Scenario((EARLY, LATE, EARLY), NOW, ROWS, deaths=1, switches=2),
    "several deliveries a run": Scenario(
        (replace(EARLY, objects=1), replace(LATE, objects=1)), NOW, ROWS, deaths=1, renewals=1, switches=2
    ),
    "a contract that cannot be met beside its mended one": Scenario(
        (replace(EARLY, contract=BAD), LATE), NOW, ROWS, deaths=1, pauses=1
    ),
    "a clock five minutes ahead": Scenario(
        (EARLY, Run(None, GOOD, ahead_seconds=300)), NOW, ROWS, deaths=1, renewals=1
    ),
    "a clock five minutes behind": Scenario(
        (Run(None, GOOD, ahead_seconds=-300), LATE), NOW, ROWS, deaths=1, pauses=1, renewals=1
    ),
    "a sealed delivery waits": Scenario((EARLY, LATE), NOW, ROWS, sealed_and_died, deaths=1, sweeps=1, switches=4),
    "a sealed delivery whose upload is gone": Scenario(
        (EARLY, LATE), NOW, ROWS, sealed_and_swept, deaths=1, pauses=1, switches=3
    ),
    "a conflict of conditional requests": Scenario(
        (EARLY, LATE), NOW, ROWS, deaths=1, pauses=1, conflicts=1, switches=2
    ),
    "a conflict of conditional requests over what was sealed": Scenario(
        (EARLY, LATE), NOW, ROWS, sealed_and_died, pauses=1, conflicts=1, switches=4
    ),
    "a name that is taken": Scenario((EARLY, LATE), NOW, ROWS, name_is_taken, deaths=1, switches=3),
    "a name that is taken behind a seal": Scenario(
        (EARLY, LATE), NOW, ROWS, name_is_taken_behind_a_seal, deaths=1, switches=3
    ),
}


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_in_every_order_of_their_calls_runs_keep_the_promises(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(lease, "_LOOK_SECONDS", lease.LEASE_SECONDS)  # two looks are enough to tell a dead holder
    states: set[bytes] = set()
    ends = 0
    for world, path in executions(scenario, states):
        ends += 1
        try:
            _check(world)
        except AssertionError as error:
            raise AssertionError(f"after {path}: {error}") from error
    assert ends > 1
    record_property("states of interleaved runs", len(states))
    record_property("interleavings to their end", ends)


def _check(world: World) -> None:
    dues = [each.due for each in world.workers]
    died = any(each.report is None and not isinstance(each.error, DataError) for each in world.workers)
    for worker in world.workers:
        assert worker.report is None or worker.report.status in OURS, worker.report
    asked = world.ledger.position(CLIENT)
    reached = asked.cursor or moment("2026-11-01 00:00")
    if asked.lease_owner is None and not died and not any(each.error for each in world.workers):
        assert reached >= max(dues), "a due time was swallowed though nobody died"
    came = [due for due, each in zip(dues, world.workers, strict=True) if each.claim or "request" in str(each.history)]
    assert all(max(reached, asked.requested_until or reached) >= due for due in came), "a due time was forgotten"
    # The next run, with no human, some time later; its own due time is an early one.
    world.now += timedelta(hours=1)
    last = world.run_alone(EARLY)
    assert last.error is None, last.error
    assert all((world.ledger.position(CLIENT).cursor or reached) >= due for due in came), "a due time was not met"
    world.now += timedelta(hours=1)
    assert world.run_alone(Run(None, GOOD)).error is None
    bodies = {key: body for key, (body, metadata) in world.uploads.visible.items() if metadata}
    received = Counter(row for body in bodies.values() for row in body.decode().splitlines())
    assert received == Counter({f"{name}.parquet": 1 for name in ROWS})
    made = world.ledger.deliveries(CLIENT)
    assert [each.sequence for each in made] == list(range(1, len(made) + 1))
    assert {str(each.key) for each in made} == set(bodies)
