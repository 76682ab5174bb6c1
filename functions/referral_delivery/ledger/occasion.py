"""What asks for deliveries."""

from enum import StrEnum


class Occasion(StrEnum):
    """What asked for the delivery."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    RESEND = "resend"
    BACKFILL = "backfill"
