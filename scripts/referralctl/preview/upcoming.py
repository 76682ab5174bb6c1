"""A client's next delivery, looked at and not claimed: its window, its file's name, and what it would read."""

from dataclasses import dataclass
from datetime import datetime

from referral_delivery.agreement.schedule import next_runs
from referral_delivery.delivery.export import SPARE_SECONDS
from referral_delivery.delivery.plan import Pace, Plan
from referral_delivery.delivery.upcoming import first_moment, name_of, next_plan
from referral_delivery.lake.objects import LakeObject
from referral_delivery.ledger.records import Position
from referral_delivery.ledger.table import CLOCKS_DIFFER
from referralctl.preview.subject import Subject
from referralctl.stacks import Stack


@dataclass(frozen=True, kw_only=True)
class Upcoming:
    """The next delivery; `due` is what it is for, and `waits` says that this was asked for and is not delivered yet."""

    plan: Plan
    position: Position
    due: datetime
    waits: bool
    sequence: int
    file: str

    @property
    def objects(self) -> list[LakeObject]:
        """What it would read."""
        return [*self.plan.selection.seen, *self.plan.selection.new]

    @property
    def size_bytes(self) -> int:
        """The size of what it would read."""
        return sum(found.size_bytes for found in self.objects)

    @property
    def is_cut(self) -> bool:
        """Whether it is the first of several, because all that is due would be too much for one."""
        return self.plan.left > 0 or self.plan.window.end < self.due


def look(stack: Stack, subject: Subject, *, now: datetime) -> Upcoming:
    """What a run would deliver at the next due time, or now where an earlier one has not been delivered yet."""
    contract, position = subject.contract, stack.ledger.position(subject.contract.client)
    start, asked = first_moment(contract, position.cursor), position.requested_until
    waits = asked is not None and start < asked <= now + CLOCKS_DIFFER
    due = asked if asked and waits else next_runs(subject.schedule, max(now, start), 1)[0].utc
    function = stack.functions.get_function_configuration(FunctionName=stack["function_name"])
    plan = next_plan(
        stack.ledger,
        stack.lake,
        contract,
        position=position.cursor,
        until=due,
        budget=Pace.of(function["MemorySize"]).budget(
            function["Timeout"] - SPARE_SECONDS, attempt=max(1, position.attempts + 1 - position.in_vain)
        ),
    )
    assert plan is not None  # noqa: S101 - what is due is after its start
    return Upcoming(
        plan=plan,
        position=position,
        due=due,
        waits=waits,
        sequence=position.sequence + 1,
        file=name_of(stack.ledger, contract, plan.window, sequence=position.sequence + 1),
    )
