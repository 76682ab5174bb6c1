"""One delivery, start to finish: claim → fix the window → export → seal → publish → commit.

docs/architecture.md says why each step stands where it stands, and what a crash between two of them leaves.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from referral_delivery import file_name
from referral_delivery.contract import Contract, WhenEmpty
from referral_delivery.errors import ForeignObject, Overtaken
from referral_delivery.event import Kind
from referral_delivery.lake import Selection, drawn_in, first_hour, select
from referral_delivery.ledger import Ledger
from referral_delivery.manifest import SUFFIX, Manifest
from referral_delivery.records import Claim, Delivery, LeaseHeld, Pending, Sealed
from referral_delivery.upload import Completion, Uploads
from referral_delivery.window import Window, to_text
from referral_delivery.writer import FileWriter

DOWNLOADS = "downloads"
# Longer than the function may still run: a lease ends only after its holder has.
LEASE_MARGIN_SECONDS = 30
# A delivery is begun only with as much time left as the one before took, and this much more.
_SPARE_SECONDS = 60


class Status(StrEnum):
    """How a run ended; only after `lake_changed` is there something left to do."""

    DELIVERED = "delivered"
    NOTHING_TO_DELIVER = "nothing_to_deliver"
    RESENT = "resent"
    LAKE_CHANGED = "lake_changed"
    BACKFILLED = "backfilled"
    BACKFILLED_BEFORE = "backfilled_before"
    IN_PROGRESS = "in_progress"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one run is asked for; `due` None means now, `owner` is the Lambda request's id."""

    contract: Contract
    kind: Kind
    due: datetime | None
    owner: str
    seconds_left: Callable[[], float]


@dataclass(frozen=True)
class Report:
    """What one run did."""

    client: str
    status: Status
    deliveries: list[Delivery] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """Makes deliveries; `clock` gives epoch seconds."""

    ledger: Ledger
    writer: FileWriter
    clock: Callable[[], float]

    def run(self, request: Request) -> Report:
        """Deliver what is due to one client: one window, or several where one record cannot name its objects.

        Raises DeliveryError, or what the world raised; the cursor then stands where it stood.
        """
        client = request.contract.client
        deliveries: list[Delivery] = []
        due = self._due(request)
        while True:
            began = self.clock()
            expires = began + request.seconds_left() + LEASE_MARGIN_SECONDS
            claim = self.ledger.claim(client, owner=request.owner, now=began, expires=expires)
            if isinstance(claim, LeaseHeld):
                return Report(client, Status.IN_PROGRESS, deliveries)
            try:
                delivery = self._next(claim, request, due)
            except Overtaken:
                return Report(client, Status.OVERTAKEN, deliveries)
            except Exception:
                # Best effort: the lease ends by itself, and the error at hand is the one to report.
                with suppress(ClientError, BotoCoreError):
                    self.ledger.release(claim)
                raise
            if delivery is None:
                self.ledger.release(claim)
                return Report(client, Status.NOTHING_TO_DELIVER if not deliveries else Status.DELIVERED, deliveries)
            deliveries.append(delivery)
            took = self.clock() - began
            if delivery.window.end >= due or request.seconds_left() < took + _SPARE_SECONDS:
                return Report(client, Status.DELIVERED, deliveries)

    def _next(self, claim: Claim, request: Request, due: datetime) -> Delivery | None:
        """Finish the pending delivery, or begin the next; None where nothing is due."""
        if claim.pending:
            return self._finish(claim, claim.pending)
        start = claim.position or datetime.combine(request.contract.deliver_from, time(), UTC)
        if due <= start:
            return None
        whole = Window(start, due)
        listed = self.writer.lake.objects(claim.client, whole)
        already_read = self.ledger.already_read(claim.client, since=first_hour(whole))
        window = drawn_in(listed, whole, already_read=already_read)
        pending = _pending(claim, request, window)
        self.ledger.begin(claim, pending)
        return self._export(claim, pending, select(listed, window, already_read=already_read))

    def _finish(self, claim: Claim, pending: Pending) -> Delivery:
        if pending.sealed:
            return self._publish(claim, pending, pending.sealed)
        return self._export(claim, pending, self._selection(pending))

    def _selection(self, pending: Pending) -> Selection:
        """The objects of a delivery that an earlier run began: those it had sealed, where it had come so far."""
        listed = self.writer.lake.objects(pending.contract.client, pending.window)
        already_read = self.ledger.already_read(pending.contract.client, since=first_hour(pending.window))
        if pending.objects is not None:
            known = already_read | pending.objects
            listed = [found for found in listed if found.name_hash in known]
        return select(listed, pending.window, already_read=already_read)

    def _export(self, claim: Claim, pending: Pending, selection: Selection) -> Delivery:
        contract = pending.contract
        written = self.writer.write(
            contract,
            selection,
            key=pending.key,
            metadata=_metadata(claim.client, pending.sequence, claim.fence),
            skip_empty=contract.file.when_empty is WhenEmpty.SKIP,
        )
        objects = frozenset(found.name_hash for found in selection.new)
        if written is None:
            empty = self._delivery(pending, sealed=None, objects=objects)
            self.ledger.commit(claim, empty)
            return empty
        sealed = Sealed(written.parts, written.rows, written.late_rows, claim.fence)
        return self._publish(claim, self.ledger.seal(claim, pending, sealed, objects), sealed)

    def _publish(self, claim: Claim, pending: Pending, sealed: Sealed) -> Delivery:
        """Complete the sealed upload, recognise that it has been completed, or make it again if it is gone."""
        uploads = self.writer.uploads
        if uploads.complete(pending.key, sealed.parts) is not Completion.DONE:
            visible = uploads.metadata(pending.key)
            if visible != _metadata(claim.client, pending.sequence, sealed.fence):
                if not self.ledger.holds(claim):
                    raise Overtaken(f"client {claim.client}: sequence {pending.sequence} is in other hands")
                if visible is not None:
                    raise ForeignObject(
                        f"client {claim.client}, sequence {pending.sequence}: {pending.key!r} exists in bucket "
                        f"{uploads.bucket!r} and is not this delivery's; remove or rename it, then deliver again"
                    )
                again = self.ledger.unseal(claim, pending)
                return self._export(claim, again, self._selection(again))
        delivery = self._delivery(pending, sealed=sealed, objects=pending.objects or frozenset())
        publish_manifest(uploads, delivery, previous_sequence=claim.sequence)
        self.ledger.commit(claim, delivery)
        return delivery

    def _delivery(self, pending: Pending, *, sealed: Sealed | None, objects: frozenset[bytes]) -> Delivery:
        return Delivery(
            client=pending.contract.client,
            # An empty run takes no number: a client that counts its files must find no gap.
            sequence=pending.sequence if sealed else None,
            kind=pending.kind,
            window=pending.window,
            key=pending.key if sealed else None,
            rows=sealed.rows if sealed else 0,
            size_bytes=sealed.parts.size_bytes if sealed else 0,
            sha256=sealed.parts.sha256 if sealed else None,
            late_rows=sealed.late_rows if sealed else 0,
            published_at=self.now(),
            contract=pending.contract,
            objects=objects,
        )

    def _due(self, request: Request) -> datetime:
        now = self.now()
        return min(request.due or now, now).replace(microsecond=0)

    def now(self) -> datetime:
        """The clock's moment, aware, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)


def _pending(claim: Claim, request: Request, window: Window) -> Pending:
    contract, sequence = request.contract, claim.sequence + 1
    name = file_name.render(
        contract.file.name, client=contract.client, start=window.start, end=window.end, sequence=sequence
    )
    return Pending(
        sequence=sequence,
        kind=request.kind,
        window=window,
        key=f"{DOWNLOADS}/{contract.client}/{name}{contract.file.extension}",
        contract=contract,
    )


def publish_manifest(uploads: Uploads, delivery: Delivery, *, previous_sequence: int) -> None:
    """Publish the manifest of a file that is visible by now, where the contract asks for one."""
    if not (delivery.contract.file.manifest and delivery.key and delivery.sha256):
        return
    manifest = Manifest(
        client=delivery.client,
        file=delivery.key.rsplit("/", 1)[1],
        kind=delivery.kind,
        sequence=delivery.sequence,
        previous_sequence=previous_sequence or None,
        window_start=to_text(delivery.window.start),
        window_end=to_text(delivery.window.end),
        rows=delivery.rows,
        size_bytes=delivery.size_bytes,
        sha256=delivery.sha256,
        columns=[column.name for column in delivery.contract.attributes],
        created_at=to_text(delivery.published_at),
    )
    uploads.put_new(delivery.key + SUFFIX, manifest.to_bytes(), content_type="application/json")


def _metadata(client: str, sequence: int, fence: int) -> dict[str, str]:
    """What an object says of the upload that made it; names are lower case, as S3 returns them."""
    return {"client": client, "sequence": str(sequence), "fence": str(fence)}
