"""One run: the client's lease, and then one delivery after another until what was asked for is delivered.

    take turn → ( plan → export → seal → publish → commit ) … → give the lease back

Nothing is promised before the seal, and nothing is kept: a run that ends before it leaves parts that nobody can see,
and the next one plans afresh. docs/delivery.md has the states, and what a crash between two steps leaves.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from referral_delivery.agreement.file_format import WhenEmpty
from referral_delivery.delivery.lease import Renewal, take_turn
from referral_delivery.delivery.plan import Pace, Plan
from referral_delivery.delivery.publish import Publisher, metadata_of
from referral_delivery.delivery.report import Report, Request, Status
from referral_delivery.delivery.upcoming import first_moment, name_of, next_plan
from referral_delivery.errors import DeliveryError, Overtaken
from referral_delivery.file.upload import DOWNLOADS
from referral_delivery.file.writer import FileWriter
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Claim, Delivery, Sealed
from referral_delivery.ledger.table import CLOCKS_DIFFER, Ledger
from referral_delivery.window import Window

# What a run needs to plan, to seal, to publish and to commit, beside reading and writing.
SPARE_SECONDS = 60
_A_SECOND = timedelta(seconds=1)
# Due times are whole minutes.
_BETWEEN_DUE_TIMES = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """Makes deliveries; `clock` gives epoch seconds, `pace` is what this function reads in a second."""

    ledger: Ledger
    writer: FileWriter
    pace: Pace
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    renewal: Callable[[Ledger, Claim, Callable[[], float]], AbstractContextManager[object]] = Renewal

    def run(self, request: Request) -> Report:
        """Deliver what is due to one client, in one delivery or, where that would be too much, in several.

        Raises DeliveryError, or what the world raised; the cursor then stands where it stood.
        """
        client, due = request.contract.client, self._floor(request.due)
        claim = take_turn(
            self.ledger,
            client,
            owner=request.owner,
            due=due,
            clock=self.clock,
            sleep=self.sleep,
            seconds_left=request.seconds_left,
        )
        if claim is None:
            return Report(client, Status.IN_PROGRESS)
        deliveries: list[Delivery] = []
        try:
            with self.renewal(self.ledger, claim, self.clock):
                status = self._deliver(claim, request, due, deliveries)
        except Overtaken:
            status = Status.OVERTAKEN
        except Exception as error:
            # Best effort: the lease ends by itself, and the error at hand is the one to report.
            with suppress(ClientError, BotoCoreError):
                self.ledger.abandon(claim, in_vain=isinstance(error, DeliveryError))
            raise
        return Report(client, status, deliveries)

    def _deliver(self, claim: Claim, request: Request, due: datetime, deliveries: list[Delivery]) -> Status:
        """Deliver until nothing more is asked for, or no time is left."""
        held: Claim | None = claim
        while held is not None:
            until = self._until(held, request, due)
            made = self._next(held, request, until)
            if made is None:
                done = max(until, first_moment(request.contract, held.position))
                asked = self.ledger.release(held, done=done, now=self.now())
                held = None if asked is None else replace(held, requested_until=asked)
            else:
                delivery, left = made
                keep = left > 0 or delivery.window.end < until
                held = self.ledger.commit(held, delivery, keep=keep, now=self.now())
                deliveries.append(delivery)
                request.delivered(delivery)
                if held and left:
                    held = self._ask_for_the_rest(held, delivery)
            if held and request.seconds_left() < 2 * SPARE_SECONDS:
                self.ledger.abandon(held)
                return Status.MORE_TO_DO
        return Status.DELIVERED if deliveries else Status.NOTHING_TO_DELIVER

    def _until(self, claim: Claim, request: Request, due: datetime) -> datetime:
        """Up to when to deliver: what this run or any other was asked for, as far as this clock has come.

        Another clock may be ahead of this one by a little: that is waited for.
        """
        asked = claim.requested_until or due
        until = max(due, asked) if asked <= self.now() + CLOCKS_DIFFER else due
        ahead = (until - self.now()).total_seconds()
        wait = min(ahead, request.seconds_left() - 2 * SPARE_SECONDS)
        if wait > 0:
            self.sleep(wait)
        return self._floor(until)

    def _ask_for_the_rest(self, claim: Claim, delivery: Delivery) -> Claim:
        """Ask for what a delivery has left unread of its own window: it goes with the next one, at once."""
        rest = max(delivery.window.end + _A_SECOND, claim.requested_until or delivery.window.end)
        self.ledger.request(claim.client, rest)
        return replace(claim, requested_until=rest)

    def _next(self, claim: Claim, request: Request, until: datetime) -> tuple[Delivery, int] | None:
        """The next delivery, visible, and how many objects it left to the one after it; None where nothing is due."""
        name_is_taken = False
        publisher = Publisher(self.ledger, self.writer, self.now, request.owner, request.contract.file.pgp)
        sealed, left = claim.sealed, 0
        while True:
            if sealed is None:
                planned = self._plan(claim, request, until)
                if planned is None:
                    return None
                left = planned.left
                made = self._seal(claim, request, planned, name_is_taken=name_is_taken)
                if isinstance(made, Delivery):
                    return made, left
                sealed = made
            published = publisher.publish(claim, sealed)
            if isinstance(published, Delivery):
                return published, left
            self.ledger.take_back(claim)
            request.taken_back(sealed, published)
            claim, sealed, name_is_taken = replace(claim, sealed=None), None, True

    def _plan(self, claim: Claim, request: Request, until: datetime) -> Plan | None:
        seconds = request.seconds_left() - SPARE_SECONDS
        return next_plan(
            self.ledger,
            self.writer.lake,
            request.contract,
            position=claim.position,
            until=until,
            budget=self.pace.budget(seconds, attempt=claim.attempt),
        )

    def _seal(self, claim: Claim, request: Request, planned: Plan, *, name_is_taken: bool) -> Sealed | Delivery:
        """Export the plan and fix its bytes; a Delivery for an empty window that is to be skipped."""
        contract, sequence = request.contract, claim.sequence + 1
        key = self._key(request, planned.window, sequence, name_is_taken=name_is_taken)
        written = self.writer.write(
            contract,
            planned.selection,
            key=key,
            metadata=metadata_of(claim.client, sequence, claim.fence, run=request.owner),
            skip_empty=contract.file.when_empty == WhenEmpty.SKIP or _holds_no_due_time(request, planned.window),
        )
        self.ledger.keep(contract, last=claim.contract)
        objects = frozenset(found.name_hash for found in planned.selection.new)
        if written is None:
            return Delivery(
                client=claim.client,
                # An empty run takes no number: a client that counts its files must find no gap.
                sequence=None,
                occasion=request.occasion,
                window=planned.window,
                key=None,
                rows=0,
                size_bytes=0,
                sha256=None,
                plain_hash=None,
                late_rows=0,
                published_at=self.now(),
                contract=contract.hash,
                objects=objects,
            )
        sealed = Sealed(
            sequence=sequence,
            occasion=request.occasion,
            window=planned.window,
            key=key,
            contract=contract.hash,
            objects=objects,
            parts=written.parts,
            rows=written.rows,
            late_rows=written.late_rows,
            fence=claim.fence,
            run=request.owner,
        )
        self.ledger.seal(claim, sealed)
        return sealed

    def _key(self, request: Request, window: Window, sequence: int, *, name_is_taken: bool) -> str:
        contract = request.contract
        name = name_of(self.ledger, contract, window, sequence=sequence)
        key, extension = f"{DOWNLOADS}/{contract.client}/{name}", contract.file.ending
        return self.writer.uploads.free_key(key, extension, mark="_") if name_is_taken else key

    def _floor(self, moment: datetime | None) -> datetime:
        """The moment, or now, whichever is earlier, in whole seconds: a part of a second would be delivered twice."""
        now = self.now()
        return min(moment or now, now).replace(microsecond=0)

    def now(self) -> datetime:
        """The clock's moment, aware, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)


def _holds_no_due_time(request: Request, window: Window) -> bool:
    """Whether the window is between what two runs were asked for at once: nobody waits for an empty file of it."""
    handed_over = request.due is not None and window.start >= request.due
    short = window.end - window.start < _BETWEEN_DUE_TIMES
    return short and (handed_over or request.occasion is Occasion.MANUAL)
