"""Receipts: what the SFTP server's own events say about a client's fetches.

They are best effort and may be repeated or out of order: a missing receipt is a hint, never proof.
https://docs.aws.amazon.com/transfer/latest/userguide/event-detail-server-events.html
"""

import hashlib
from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from referral_delivery.file.manifest import SUFFIX
from referral_delivery.file.upload import DOWNLOADS
from referral_delivery.ledger.receiving import Fetch, Received, Receiving

SOURCE = "aws.transfer"
COMPLETED = "SFTP Server File Download Completed"
FAILED = "SFTP Server File Download Failed"
# How long after its window a file may have been published, as after an outage.
LATENESS = timedelta(days=31)
# A file's parts: /<bucket>/downloads/<client>/<file>
_PARTS_OF_A_PATH = 5


class Detail(BaseModel):
    """One fetch as the server tells it; what it does not say of a failed one has a default."""

    model_config = ConfigDict(frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    file_path: str
    size_bytes: int = Field(default=0, alias="bytes")
    etag: str | None = None
    client_ip: str | None = None
    username: str
    session_id: str
    start_timestamp: str
    end_timestamp: AwareDatetime | None = None


class FetchEvent(BaseModel):
    """An event of the SFTP server: a file was fetched whole, or a fetch broke off."""

    model_config = ConfigDict(frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    detail_type: Literal["SFTP Server File Download Completed", "SFTP Server File Download Failed"]
    time: AwareDatetime
    detail: Detail

    def fetch(self, bucket: str) -> Fetch | None:
        """The fetch of a client's own file; None for a manifest, for what lies elsewhere, and for another's fetch."""
        said = self.detail
        parts = said.file_path.split("/")
        if len(parts) != _PARTS_OF_A_PATH or parts[:3] != ["", bucket, DOWNLOADS] or parts[4].endswith(SUFFIX):
            return None
        if said.username != parts[3]:
            return None
        told = f"{said.session_id} {said.start_timestamp}"
        return Fetch(
            client=parts[3],
            key="/".join(parts[2:]),
            id=hashlib.sha256(told.encode()).hexdigest()[:16],
            whole=self.detail_type == COMPLETED,
            size_bytes=said.size_bytes,
            etag=said.etag.strip('"') if said.etag else None,
            ended=said.end_timestamp or self.time,
            address=said.client_ip,
        )


def receive(event: FetchEvent, ledger: Receiving, *, bucket: str, retention_days: int) -> tuple[Fetch | None, Received]:
    """Count what an event tells, if it tells of a delivery's file; files stay `retention_days` in the bucket."""
    fetch = event.fetch(bucket)
    if fetch is None:
        return None, Received.UNKNOWN_FILE
    return fetch, ledger.receive(fetch, since=fetch.ended - timedelta(days=retention_days) - LATENESS)
