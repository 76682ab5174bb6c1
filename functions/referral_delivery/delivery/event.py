"""The function's input: what a schedule sends, and what `referralctl deliver` sends in its place."""

from datetime import UTC, datetime
from typing import Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from referral_delivery.agreement.contract import Contract
from referral_delivery.errors import ContractError
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.window import Window

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
EXECUTION_ID = "<aws.scheduler.execution-id>"


class ExportEvent(BaseModel):
    """One due time of one client, or what an operator asks for in its place.

    A context attribute that nobody substituted (a manual invocation, an emulator) means "now" as the scheduled
    time, and no execution id. Nothing rests on it: windows come from the ledger's cursor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # `kind` is what it was called: a schedule sends that until `pulumi up` has changed it too.
    occasion: Occasion = Field(default=Occasion.SCHEDULED, validation_alias=AliasChoices("occasion", "kind"))
    scheduled_time: str = SCHEDULED_TIME
    execution_id: str = EXECUTION_ID
    contract: Contract
    sequence: int | None = Field(default=None, ge=1, description="resend: the delivery to make again")
    request: str | None = Field(
        default=None, description="resend: the same in a repeated call, which does nothing more"
    )
    window_start: datetime | None = Field(default=None, description="backfill: first moment of arrival")
    window_end: datetime | None = Field(default=None, description="backfill: end of the window, not included")
    overlap: bool = Field(default=False, description="backfill: also where a delivery covers the window")

    @model_validator(mode="after")
    def _has_what_its_occasion_needs(self) -> Self:
        if (self.sequence is not None) != (self.occasion is Occasion.RESEND):
            raise ValueError(f"`sequence` goes with 'resend' and only with it; the occasion is {self.occasion.value!r}")
        ends_missing = [self.window_start, self.window_end].count(None)
        if ends_missing != (0 if self.occasion is Occasion.BACKFILL else 2):
            raise ValueError(f"a window goes with 'backfill' and only with it; the occasion is {self.occasion.value!r}")
        return self

    @field_validator("window_start", "window_end")
    @classmethod
    def _whole_second_utc(cls, moment: datetime | None) -> datetime | None:
        if moment is not None and (moment.tzinfo is None or moment.microsecond):
            raise ValueError(f"{moment} must have a UTC offset and whole seconds, e.g. 2026-11-01T05:00:00Z")
        return moment.astimezone(UTC) if moment else None

    @field_validator("scheduled_time")
    @classmethod
    def _an_instant(cls, text: str) -> str:
        if text != SCHEDULED_TIME and datetime.fromisoformat(text).tzinfo is None:
            raise ValueError(f"{text!r} has no UTC offset; expected e.g. 2026-11-01T05:00:00Z")
        return text

    @property
    def window(self) -> Window:
        """The window of a backfill."""
        if self.window_start is None or self.window_end is None or self.window_end <= self.window_start:
            raise ContractError(f"a backfill's window must end after it starts: {self.window_start}, {self.window_end}")
        return Window(self.window_start, self.window_end)

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
