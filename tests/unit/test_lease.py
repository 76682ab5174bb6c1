"""Whose turn it is: a lease that is free, held, renewed or left by the dead, over the ledger in memory."""

import threading
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from referral_delivery.delivery import lease
from referral_delivery.delivery.lease import Renewal, take_turn
from referral_delivery.errors import Overtaken
from referral_delivery.ledger.records import Claim
from tests.model import MemoryLedger
from tests.support import utc

DUE = utc("2026-11-20 10:00")
DEADLINE_SECONDS = 10


class Queue:
    """One who waits for a client's turn, on a clock that only his waiting moves."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.now, self.left, self.waits = 1_000.0, 900.0, 0
        self.renews_at: set[int] = set()

    def holder(self, *, expires: float) -> Claim:
        found = self.ledger.claim("acme", owner="holder", now=self.now, expires=expires, due=DUE - timedelta(hours=1))
        assert isinstance(found, Claim)
        self.held = found
        return found

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.left -= seconds
        self.waits += 1
        if self.waits in self.renews_at:
            self.ledger.renew(self.held, expires=self.now + 3_600)

    def take(self, *, owner: str = "second") -> Claim | None:
        return take_turn(
            self.ledger,
            "acme",
            owner=owner,
            due=DUE,
            clock=lambda: self.now,
            sleep=self.sleep,
            seconds_left=lambda: self.left,
        )


@pytest.fixture
def queue() -> Queue:
    return Queue()


def test_a_lease_that_nobody_holds_is_taken_for_ninety_seconds_without_a_wait(queue: Queue) -> None:
    assert queue.take() is not None
    assert (queue.waits, queue.ledger.position("acme").lease_expires) == (0, 1_090.0)


def test_a_lease_that_ends_while_it_is_looked_at_is_taken(queue: Queue) -> None:
    queue.holder(expires=1_012)
    assert queue.take() is not None
    assert queue.now < 1_020


def test_who_finds_a_holder_that_lives_leaves_him_his_due_time_and_ends(queue: Queue) -> None:
    queue.holder(expires=1_030)
    queue.renews_at = {3}
    assert queue.take() is None
    assert queue.waits == 3
    assert queue.ledger.position("acme").requested_until == DUE
    assert queue.ledger.holds(queue.held)


def test_a_lease_that_was_not_renewed_for_as_long_as_one_lasts_is_taken_though_no_clock_has_come_to_its_end(
    queue: Queue,
) -> None:
    queue.holder(expires=1_000_000)
    assert queue.take() is not None
    assert queue.now == 1_090


def test_a_lease_that_is_renewed_in_the_last_moment_is_left_to_its_holder(queue: Queue) -> None:
    queue.holder(expires=1_000_000)
    queue.renews_at = {18}
    assert queue.take() is None
    assert (queue.waits, queue.ledger.holds(queue.held)) == (18, True)


def test_who_has_less_time_than_a_lease_lasts_waits_for_no_end_of_it(queue: Queue) -> None:
    queue.holder(expires=1_000_000)
    queue.left = 100.0
    assert queue.take() is None
    assert queue.left == 85.0


def test_who_has_just_as_much_time_goes_on_looking(queue: Queue) -> None:
    queue.holder(expires=1_010)
    queue.left = 95.0
    assert queue.take() is not None


class Renewed(MemoryLedger):
    """Notes each renewal, after failing as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.failures, self.expiries = list(failures), [0.0]
        self.noted = threading.Semaphore(0)

    def renew(self, claim: Claim, *, expires: float) -> None:  # noqa: ARG002 - what the ledger is told
        self.noted.release()
        if self.failures:
            raise self.failures.pop(0)
        self.expiries.append(expires)


def renewals(ledger: Renewed, count: int) -> int:
    """How many of so many renewals come while the lease is held, none of them after it."""
    found = ledger.claim("acme", owner="run", now=0, expires=90, due=DUE)
    assert isinstance(found, Claim)
    with Renewal(ledger, found, lambda: 500.0):
        came = sum(ledger.noted.acquire(timeout=DEADLINE_SECONDS) for _ in range(count))
    assert not [thread for thread in threading.enumerate() if thread.name == "lease-renewal"]
    return came


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals that come every millisecond."""
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.001)


def test_a_lease_is_renewed_for_ninety_seconds_from_each_renewal(often: None) -> None:
    ledger = Renewed()
    assert renewals(ledger, 3) == 3
    assert set(ledger.expiries[1:]) == {590.0}


@pytest.mark.parametrize(
    "failure",
    [EndpointConnectionError(endpoint_url="http://x"), ClientError({"Error": {"Code": "InternalServerError"}}, "x")],
    ids=lambda failure: type(failure).__name__,
)
def test_a_renewal_that_fails_is_followed_by_the_next(often: None, failure: Exception) -> None:
    ledger = Renewed(failure)
    assert renewals(ledger, 3) == 3
    assert ledger.expiries[1:]


def test_an_overtaken_run_renews_nothing_more(often: None) -> None:
    ledger = Renewed(Overtaken("by another"))
    found = ledger.claim("acme", owner="run", now=0, expires=90, due=DUE)
    assert isinstance(found, Claim)
    with Renewal(ledger, found, lambda: 500.0) as renewal:
        renewal._thread.join(DEADLINE_SECONDS)
        assert not renewal._thread.is_alive()
    assert ledger.expiries == [0.0]


def test_two_renewals_may_fail_before_a_lease_ends() -> None:
    assert (lease.LEASE_SECONDS, lease.RENEW_SECONDS) == (90, 30)


def test_a_process_that_ends_does_not_wait_for_a_renewal() -> None:
    ledger = MemoryLedger()
    found = ledger.claim("acme", owner="run", now=0, expires=90, due=DUE)
    assert isinstance(found, Claim)
    with Renewal(ledger, found, lambda: 0.0):
        (thread,) = (each for each in threading.enumerate() if each.name == "lease-renewal")
        assert thread.daemon
