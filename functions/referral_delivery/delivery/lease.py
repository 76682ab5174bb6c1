"""Who may deliver to a client now: taking its lease, keeping it while at work, and what those do who come second.

A due time is state: whoever finds the lease held writes his down beside it, and whoever gives a lease back does so
only if nothing later than what he has delivered stands there. So a run that comes second may end as soon as it knows
that the holder lives; and where the holder is dead, it takes his place.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from referral_delivery.errors import Overtaken
from referral_delivery.ledger.records import Claim, LeaseHeld
from referral_delivery.ledger.table import Ledger

LEASE_SECONDS = 90
RENEW_SECONDS = 30
# How long one waits between two looks at a lease that another run holds.
_LOOK_SECONDS = 5


def take_turn(
    ledger: Ledger,
    client: str,
    *,
    owner: str,
    due: datetime,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    seconds_left: Callable[[], float],
) -> Claim | None:
    """The client's lease; None where another run holds it, and has been asked to deliver up to `due`.

    A holder that renews its lease lives. One that has not done so for as long as a lease lasts is dead, by whichever
    clock it went.
    """
    first: LeaseHeld | None = None
    watched_seconds = 0
    while True:
        now = clock()
        dead = first if watched_seconds >= LEASE_SECONDS else None
        found = ledger.claim(client, owner=owner, now=now, expires=now + LEASE_SECONDS, due=due, dead=dead)
        if isinstance(found, Claim):
            return found
        if first is None:
            ledger.request(client, due)
            first = found
        elif (found.fence, found.expires) != (first.fence, first.expires) or seconds_left() < LEASE_SECONDS:
            return None
        sleep(_LOOK_SECONDS)
        watched_seconds += _LOOK_SECONDS


class Renewal:
    """Renews a lease from a thread of its own, for as long as the context lasts."""

    def __init__(self, ledger: Ledger, claim: Claim, clock: Callable[[], float]) -> None:
        self._ledger, self._claim, self._clock = ledger, claim, clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease-renewal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self._ledger.renew(self._claim, expires=self._clock() + LEASE_SECONDS)
            except Overtaken:
                return  # the run learns it at its next write
            except (ClientError, BotoCoreError):
                continue  # there are two more tries before the lease ends
