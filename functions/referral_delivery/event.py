"""The function's input: what a schedule sends, and what `referralctl deliver` sends in its place."""

from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, field_validator

from referral_delivery.contract import Contract

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
EXECUTION_ID = "<aws.scheduler.execution-id>"


class Kind(StrEnum):
    """What asked for the delivery."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"


class ExportEvent(BaseModel):
    """One due time of one client.

    A context attribute that nobody substituted (a manual invocation, an emulator) means "now" as the scheduled
    time, and no execution id. Nothing rests on it: windows come from the ledger's cursor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = Kind.SCHEDULED
    scheduled_time: str = SCHEDULED_TIME
    execution_id: str = EXECUTION_ID
    contract: Contract

    @field_validator("scheduled_time")
    @classmethod
    def _an_instant(cls, text: str) -> str:
        if text != SCHEDULED_TIME and datetime.fromisoformat(text).tzinfo is None:
            raise ValueError(f"{text!r} has no UTC offset; expected e.g. 2026-11-01T05:00:00Z")
        return text

    @property
    def due(self) -> datetime | None:
        """The scheduled time, UTC; None means now."""
        if self.scheduled_time == SCHEDULED_TIME:
            return None
        return datetime.fromisoformat(self.scheduled_time).astimezone(UTC)

    @property
    def correlation_id(self) -> str | None:
        """The scheduler's id of this execution, or None."""
        return None if self.execution_id == EXECUTION_ID else self.execution_id
