"""What a client's next delivery is: its first moment, plan and file name, for runs and for those who only look."""

from datetime import datetime

from referral_delivery.agreement import file_name
from referral_delivery.agreement.contract import Contract
from referral_delivery.delivery.plan import Budget, Plan, plan
from referral_delivery.lake.objects import Lake, first_hour
from referral_delivery.ledger.table import Ledger
from referral_delivery.window import Window, midnight


def first_moment(contract: Contract, position: datetime | None) -> datetime:
    """The first moment whose referrals the client has not received, and is to receive."""
    first = midnight(contract.deliver_from)
    return max(position or first, first)


def next_plan(
    ledger: Ledger, lake: Lake, contract: Contract, *, position: datetime | None, until: datetime, budget: Budget
) -> Plan | None:
    """What the delivery after `position` reads; None where nothing is due up to `until`."""
    if until <= first_moment(contract, position):
        return None
    whole = Window(position or midnight(contract.deliver_from), until)
    return plan(
        lake.objects(contract.client, whole, deliver_from=contract.deliver_from),
        whole,
        already_read=ledger.already_read(contract.client, since=first_hour(whole)),
        budget=budget,
    )


def name_of(ledger: Ledger, contract: Contract, window: Window, *, sequence: int) -> str:
    """What the delivery's file is called, where nothing else has the name."""
    name = file_name.render(
        contract.file.name,
        client=contract.client,
        start=window.start,
        end=window.end,
        sequence=sequence,
        day_sequence=_day_sequence(ledger, contract, window),
    )
    return f"{name}{contract.file.ending}"


def _day_sequence(ledger: Ledger, contract: Contract, window: Window) -> int:
    """How many files this is of the day on which its window ends, if anybody wants to know."""
    if not file_name.counts_days(contract.file.name):
        return 1
    before = ledger.deliveries(contract.client, since=midnight(window.end.date()))
    return 1 + sum(1 for each in before if each.sequence)
