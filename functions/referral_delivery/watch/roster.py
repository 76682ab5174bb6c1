"""Roster: the deployed clients, as one JSON object in the delivery bucket that `pulumi up` writes.

What watches, tells or lists clients reads it, and nothing else knows who is deployed. It holds no secret, and nothing
that changes from one `pulumi up` to the next by itself.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.duration import Duration
from referral_delivery.agreement.notices import Notices
from referral_delivery.agreement.schedule import Schedule
from referral_delivery.watch.due import GRACE

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# In the delivery bucket, beside `downloads/`: one object for each stack that has clients.
FOLDER = "roster"


class RosterKey(BaseModel):
    """One SSH public key of a client; `fingerprint` is as OpenSSH shows it, `expires` the first day without it."""

    model_config = ConfigDict(frozen=True)

    label: str
    fingerprint: str
    expires: date | None = None


class Entry(BaseModel):
    """One deployed client; its runs start up to `spread_minutes` after they are due."""

    model_config = ConfigDict(frozen=True)

    contract: Contract
    contact: str
    schedule: Schedule
    spread_minutes: int = 0
    keys: tuple[RosterKey, ...] = ()
    expect_within: Duration | None = None
    collect_within: Duration | None = None
    notices: Notices | None = None

    @property
    def client(self) -> str:
        """Its name."""
        return self.contract.client

    @property
    def grace(self) -> timedelta:
        """How long after a due time its file is not yet late."""
        return timedelta(minutes=self.spread_minutes) + GRACE


class Roster(BaseModel):
    """All clients of one stack, by name."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    clients: tuple[Entry, ...] = ()

    def to_bytes(self) -> bytes:
        """The object's content: the same for the same clients."""
        return (self.model_dump_json(exclude_none=True, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Rosters:
    """The rosters of all stacks whose clients this platform serves."""

    s3: "S3Client"
    bucket: str

    def entries(self) -> list[Entry]:
        """Every deployed client, by name."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{FOLDER}/")
        keys = [found["Key"] for page in pages for found in page.get("Contents", ()) if found["Key"].endswith(".json")]
        bodies = [self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys]
        found = [entry for body in bodies for entry in Roster.model_validate_json(body).clients]
        return sorted(found, key=lambda entry: entry.client)
