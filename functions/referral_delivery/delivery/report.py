"""What a run is asked for, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from referral_delivery.agreement.contract import Contract
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Delivery, Sealed


class Status(StrEnum):
    """How a run ended.

    There is something left to do after `lake_changed`, `backfilled_otherwise` and `more_to_do` only.
    """

    DELIVERED = "delivered"
    NOTHING_TO_DELIVER = "nothing_to_deliver"
    MORE_TO_DO = "more_to_do"
    RESENT = "resent"
    RESENT_ENCRYPTED = "resent_encrypted"
    RESENT_BEFORE = "resent_before"
    LAKE_CHANGED = "lake_changed"
    BACKFILLED = "backfilled"
    BACKFILLED_BEFORE = "backfilled_before"
    BACKFILLED_OTHERWISE = "backfilled_otherwise"
    IN_PROGRESS = "in_progress"
    OVERTAKEN = "overtaken"


def _untold(*_: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one run is asked for; `due` None means now, `owner` is the Lambda request's id.

    `delivered` is told each delivery as it is committed, `taken_back` each sealed one that cannot be published any
    more, and why: a run that fails later has told what it did.
    """

    contract: Contract
    occasion: Occasion
    due: datetime | None
    owner: str
    seconds_left: Callable[[], float]
    delivered: Callable[[Delivery], None] = _untold
    taken_back: Callable[[Sealed, str], None] = _untold


@dataclass(frozen=True)
class Report:
    """What one run did."""

    client: str
    status: Status
    deliveries: list[Delivery] = field(default_factory=list)
