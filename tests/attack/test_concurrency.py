"""Runs at once, events out of order, late and repeated; and referrals that are late in every way."""

import itertools
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from referral_delivery.delivery.event import ExportEvent
from referral_delivery.delivery.report import Report, Status
from referral_delivery.window import HOUR
from tests.stack.conftest import Lab
from tests.support import utc

pytestmark = pytest.mark.attack

ROUNDS, RUNS = 100, 20
QUIET = {Status.DELIVERED, Status.IN_PROGRESS, Status.NOTHING_TO_DELIVER, Status.OVERTAKEN}


def check(lab: Lab, referrals: list[str]) -> None:
    made = [each for each in lab.ledger.deliveries(lab.client) if each.key]
    assert lab.delivered() == sorted(referrals)
    assert [each.sequence for each in made] == list(range(1, len(made) + 1))
    assert len(lab.files()) == len(made)
    for one, other in itertools.pairwise(lab.ledger.deliveries(lab.client)):
        assert one.window.end == other.window.start


@pytest.mark.ledger
@pytest.mark.timeout(900)
def test_twenty_runs_at_once_make_one_file_a_window_and_the_rest_end_quietly(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    """A hundred rounds: most runs for the same time, some for others, one manual."""
    assert lab.exporter.ledger
    start, referrals = lab.now, []
    for number in range(ROUNDS):
        lab.now = start + number * HOUR
        landed = f"r{number:03d}"
        lab.put_referrals(f"{lab.now - HOUR:%Y-%m-%d %H}", landed, minute=30)
        referrals.append(landed)
        dues = [lab.now] * 14 + [lab.now - timedelta(minutes=10 * n) for n in range(1, 6)] + [None]
        random.Random(number).shuffle(dues)
        with ThreadPoolExecutor(RUNS) as pool:
            reports = list(pool.map(lambda due: lab.deliver(due=due), dues))
        assert {report.status for report in reports} <= QUIET
        assert sum(len(report.deliveries) for report in reports) >= 1
    lab.deliver()
    check(lab, referrals)
    record_property("runs at once", ROUNDS * RUNS)


@pytest.mark.ledger
def test_twenty_invocations_of_the_function_at_once_make_one_file(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    lab.put_referrals("2026-11-20 09", "a", "b")
    event = ExportEvent(contract=lab.contract(), scheduled_time="2026-11-20T10:00:00Z", execution_id="x")
    with ThreadPoolExecutor(RUNS) as pool:
        answers = list(pool.map(lambda _: lab.invoke(event), range(RUNS)))
    assert {answer["status"] for answer in answers} <= {"delivered", "in_progress", "nothing_to_deliver", "overtaken"}
    check(lab, ["a", "b"])
    record_property("runs at once", RUNS)


def test_events_that_come_out_of_order_a_day_late_and_fifty_times_move_nothing_back(lab: Lab) -> None:
    referrals = []
    for hour in range(10):
        lab.put_referrals(f"2026-11-20 {hour:02d}", f"h{hour}")
        referrals.append(f"h{hour}")
    dues = [utc("2026-11-20 00:00") + n * HOUR for n in range(1, 11)]
    random.Random(7).shuffle(dues)
    lab.now += timedelta(days=1)
    reports: list[Report] = [lab.deliver(due=due) for due in [*dues, *[dues[0]] * 50]]
    assert {report.status for report in reports} == {Status.DELIVERED, Status.NOTHING_TO_DELIVER}
    check(lab, referrals)


def test_referrals_land_while_a_run_lists_and_minutes_hours_and_47_hours_late(lab: Lab) -> None:
    """Hourly and half-hourly windows over three days; objects land in an order unlike their stamps."""
    rng, start = random.Random(11), utc("2026-11-15 00:00")
    landings: list[tuple[timedelta, str, timedelta]] = []
    for number in range(240):
        stamped = timedelta(minutes=rng.randrange(60 * 70))
        late = timedelta(minutes=rng.choice([0, 1, 5, 61, 600, 47 * 60]))
        landings.append((stamped + late, f"n{number:03d}", stamped))
    landings.sort()
    contract = lab.contract(deliver_from="2026-11-15")
    original = lab.exporter.writer.lake.objects

    def land(until: timedelta) -> None:
        while landings and landings[0][0] <= until:
            _, identity, stamped = landings.pop(0)
            moment = start + stamped
            lab.put_referrals(f"{moment:%Y-%m-%d %H}", identity, minute=moment.minute)

    late_rows = 0
    everything = sorted(identity for _, identity, _ in landings)
    for half_hour in range(1, 2 * (70 + 48) + 2):
        passed = timedelta(minutes=30 * half_hour)
        land(passed - timedelta(minutes=15))
        lab.now = start + passed

        def objects_and_more(*args: object, passed: timedelta = passed, **kwargs: object) -> object:
            listed = original(*args, **kwargs)  # type: ignore[arg-type]
            land(passed)  # while the run is at work
            return listed

        object.__setattr__(lab.exporter.writer.lake, "objects", objects_and_more)
        if half_hour % 2 == 0 or half_hour % 3 == 0:
            late_rows += sum(each.late_rows for each in lab.deliver(contract).deliveries)
    assert landings == []
    check(lab, everything)
    recorded = lab.ledger.deliveries(lab.client)
    assert late_rows == sum(each.late_rows for each in recorded)
    assert late_rows > 50


def test_a_first_window_of_a_year_is_delivered_whole(lab: Lab) -> None:
    referrals = []
    for number in range(0, 365, 7):
        day = utc("2025-11-20 00:00") + timedelta(days=number)
        lab.put_referrals(f"{day:%Y-%m-%d} 05", f"d{number:03d}")
        referrals.append(f"d{number:03d}")
    lab.deliver(lab.contract(deliver_from="2025-11-20"))
    check(lab, referrals)


def test_a_run_that_sleeps_past_its_lease_and_wakes_after_another_has_finished_changes_nothing(lab: Lab) -> None:
    """At every AWS call of a run: it stops there, another run delivers, then it goes on."""
    calls = [0]

    def sleeper(stop_at: int, lab_: Lab) -> Callable[..., None]:
        def before_call(**_: object) -> None:
            calls[0] += 1
            if calls[0] == stop_at:
                lab_.now += timedelta(seconds=931)
                lab_.deliver(due=utc("2026-11-20 11:00"), owner="second")

        return before_call

    stop_at = 0
    while stop_at == 0 or calls[0] >= stop_at:
        stop_at += 1
        mine = Lab(lab.stack, f"{lab.client[:20]}-{stop_at:02d}", lab.session)
        mine.put_referrals("2026-11-20 09", "a", "b")
        calls[0], hook = 0, sleeper(stop_at, mine)
        for client in (lab.stack.s3, lab.stack.dynamodb):
            client.meta.events.register_first("before-call", hook, unique_id="sleeper")
        try:
            mine.deliver(due=utc("2026-11-20 10:00"), owner="first")
        finally:
            for client in (lab.stack.s3, lab.stack.dynamodb):
                client.meta.events.unregister("before-call", unique_id="sleeper")
        mine.now += timedelta(seconds=931)
        mine.deliver(due=utc("2026-11-20 11:00"))
        check(mine, ["a", "b"])
    assert stop_at > 8
