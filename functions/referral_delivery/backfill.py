"""A file of a past window, beside the scheduled ones. Neither cursor nor sequence is touched."""

from collections.abc import Callable
from datetime import datetime

from referral_delivery.contract import Contract, WhenEmpty
from referral_delivery.errors import ContractError, ForeignObject, TooManyObjects
from referral_delivery.event import Kind
from referral_delivery.export import DOWNLOADS, Report, Status, publish_manifest
from referral_delivery.lake import MAX_NAMED_OBJECTS, Selection
from referral_delivery.ledger import Ledger
from referral_delivery.records import Delivery, Pending, Sealed
from referral_delivery.upload import Completion
from referral_delivery.window import HOUR, Window, to_text
from referral_delivery.writer import FileWriter

_COMPACT = "%Y%m%dT%H%M%SZ"


def backfill(
    ledger: Ledger,
    writer: FileWriter,
    contract: Contract,
    window: Window,
    *,
    overlap: bool,
    now: Callable[[], datetime],
) -> Report:
    """Publish one file of everything that arrived in the window; again for the same window, finish or do nothing.

    Raises ContractError where a delivery covers part of the window, unless `overlap`.
    """
    client = contract.client
    known = ledger.backfill(client, window)
    if isinstance(known, Delivery):
        return Report(client, Status.BACKFILLED_BEFORE, [known])
    if known is None:
        if not overlap and (covering := covered_by(ledger, client, window)):
            raise ContractError(covered(client, window, covering))
        known = _seal(ledger, writer, contract, window, instead_of=None)
    while isinstance(known, Pending) and not _published(writer, known):
        known = _seal(ledger, writer, known.contract, window, instead_of=known)
    if isinstance(known, Delivery):
        return Report(client, Status.BACKFILLED_BEFORE, [known])
    delivery = _delivery(known, contract, window, at=now())
    publish_manifest(writer.uploads, delivery, previous_sequence=0)
    ledger.finish_backfill(delivery)
    return Report(client, Status.BACKFILLED, [delivery])


def covered_by(ledger: Ledger, client: str, window: Window) -> list[Delivery]:
    """The deliveries with a file whose windows share time with this one, oldest first."""
    return [each for each in ledger.deliveries(client, since=window.start) if each.key and _share(each.window, window)]


def key_of(contract: Contract, window: Window) -> str:
    """The key of a window's backfill: the same for the same window."""
    name = f"referrals_{contract.client}_backfill_{window.start:{_COMPACT}}_{window.end:{_COMPACT}}"
    return f"{DOWNLOADS}/{contract.client}/{name}{contract.file.extension}"


def _seal(
    ledger: Ledger, writer: FileWriter, contract: Contract, window: Window, *, instead_of: Pending | None
) -> Pending | Delivery | None:
    """Upload the window's file and fix it; None for an empty window that is to be skipped."""
    # A backfill may go back before the first scheduled day: its window says what it holds.
    contract = contract.model_copy(update={"deliver_from": min(contract.deliver_from, window.start.date())})
    touching = [found for found in writer.lake.objects(contract.client, window) if found.hour + HOUR > window.start]
    if len(touching) > MAX_NAMED_OBJECTS:
        raise TooManyObjects(
            f"client {contract.client}: {len(touching):,} objects from {to_text(window.start)} to "
            f"{to_text(window.end)}; a record can name {MAX_NAMED_OBJECTS:,}: use shorter windows, e.g. --every 1d"
        )
    key = key_of(contract, window)
    written = writer.write(
        contract,
        Selection(window, seen=touching, new=[]),
        key=key,
        metadata=_metadata(contract.client, window),
        skip_empty=contract.file.when_empty is WhenEmpty.SKIP,
    )
    if written is None:
        return None
    pending = Pending(
        sequence=0,
        kind=Kind.BACKFILL,
        window=window,
        key=key,
        contract=contract,
        sealed=Sealed(written.parts, written.rows, late_rows=0, fence=0),
        # An object of an hour that the window cuts is read in part only: for the audit it is not read.
        objects=frozenset(
            found.name_hash for found in touching if window.start <= found.hour and found.hour + HOUR <= window.end
        ),
    )
    if ledger.seal_backfill(pending, instead_of=instead_of):
        return pending
    writer.uploads.abort(key, written.parts.upload_id)
    return ledger.backfill(contract.client, window)


def _published(writer: FileWriter, pending: Pending) -> bool:
    """Whether the sealed file is visible, by now or before; False where its upload is gone."""
    assert pending.sealed is not None  # noqa: S101 - only sealed ones are recorded
    if writer.uploads.complete(pending.key, pending.sealed.parts) is Completion.DONE:
        return True
    visible = writer.uploads.metadata(pending.key)
    if visible is not None and visible != _metadata(pending.contract.client, pending.window):
        raise ForeignObject(f"{pending.key!r} exists and is no backfill of this window; remove or rename it")
    return visible is not None


def _delivery(sealed: Pending | None, contract: Contract, window: Window, *, at: datetime) -> Delivery:
    file = sealed.sealed if sealed else None
    return Delivery(
        client=contract.client,
        sequence=None,
        kind=Kind.BACKFILL,
        window=window,
        key=sealed.key if sealed else None,
        rows=file.rows if file else 0,
        size_bytes=file.parts.size_bytes if file else 0,
        sha256=file.parts.sha256 if file else None,
        late_rows=0,
        published_at=at,
        contract=sealed.contract if sealed else contract,
        objects=(sealed.objects if sealed else None) or frozenset(),
    )


def covered(client: str, window: Window, covering: list[Delivery]) -> str:
    """What is said of a window that deliveries cover."""
    first, last = covering[0], covering[-1]
    return (
        f"client {client}: deliveries {first.sequence} to {last.sequence} already cover part of "
        f"{to_text(window.start)} to {to_text(window.end)}; use `resend`, choose another range, or say --overlap"
    )


def _share(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end


def _metadata(client: str, window: Window) -> dict[str, str]:
    return {"client": client, "backfill": f"{to_text(window.start)}/{to_text(window.end)}"}
