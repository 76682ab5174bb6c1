"""A file of a past window, beside the scheduled ones. Neither cursor nor sequence is touched."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.file_format import WhenEmpty
from referral_delivery.delivery.plan import MAX_NAMED_OBJECTS
from referral_delivery.delivery.publish import is_plain, publish_manifest
from referral_delivery.delivery.report import Report, Status
from referral_delivery.errors import ContractError, ForeignObject, TooManyObjects
from referral_delivery.file.upload import DOWNLOADS, Uploads
from referral_delivery.file.writer import FileWriter
from referral_delivery.lake.objects import Selection
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Delivery, Sealed
from referral_delivery.ledger.table import Ledger
from referral_delivery.window import HOUR, Window, midnight, to_text

_COMPACT = "%Y%m%dT%H%M%SZ"


def backfill(
    ledger: Ledger,
    writer: FileWriter,
    contract: Contract,
    window: Window,
    *,
    overlap: bool,
    run: str,
    now: Callable[[], datetime],
) -> Report:
    """Publish one file of everything that arrived in the window; again for the same window, finish or do nothing.

    What has no file, or none any more, is made again. A file that was made under another contract stays for as long as
    the client finds it, and the report says so. Raises ContractError where the window ends after the cursor, or where a
    delivery covers part of it, unless `overlap`.
    """
    client = contract.client
    known = ledger.backfill(client, window)
    if isinstance(known, Delivery) and _has_file(writer.uploads, known):
        return _found(ledger, contract, known)
    if known is None:
        check(ledger, contract, window, overlap=overlap)
    if not isinstance(known, Sealed):
        known = _seal(ledger, writer, contract, window, run=run, instead_of=known)
    elif is_plain(ledger.contract(client, known.contract), contract.file.pgp):
        # Nobody can complete it after this; what is visible already, was seen.
        writer.uploads.abort(known.key, known.parts.upload_id)
    while isinstance(known, Sealed) and not _published(writer, client, known):
        known = _seal(ledger, writer, contract, window, run=run, instead_of=known)
    if isinstance(known, Delivery):
        return _found(ledger, contract, known)
    if known is None:
        ledger.keep(contract)
    delivery = _delivery(known, contract, window, at=now())
    publish_manifest(writer.uploads, delivery, ledger.contract(client, delivery.contract), previous_sequence=0)
    ledger.finish_backfill(delivery)
    return Report(client, Status.BACKFILLED, [delivery])


def check(ledger: Ledger, contract: Contract, window: Window, *, overlap: bool) -> None:
    """ContractError where the window is not to be backfilled, with what to do instead."""
    client, first = contract.client, midnight(contract.deliver_from)
    cursor = max(ledger.position(client).cursor or first, first)
    if window.end > cursor:
        raise ContractError(
            f"client {client}: {to_text(window.end)} is after the cursor, {to_text(cursor)}; what arrives from there "
            "on comes with the scheduled deliveries: end the range there or before, or use `deliver`"
        )
    covering = [] if overlap else covered_by(ledger, client, window)
    if covering:
        first_, last = covering[0], covering[-1]
        raise ContractError(
            f"client {client}: deliveries {first_.sequence} to {last.sequence} already cover part of "
            f"{to_text(window.start)} to {to_text(window.end)}; use `resend`, choose another range, or say --overlap"
        )


def covered_by(ledger: Ledger, client: str, window: Window) -> list[Delivery]:
    """The deliveries with a file whose windows share time with this one, oldest first."""
    return [each for each in ledger.deliveries(client, since=window.start) if each.key and _share(each.window, window)]


def key_of(contract: Contract, window: Window) -> str:
    """The key of a window's backfill: the same for the same window."""
    name = f"referrals_{contract.client}_backfill_{window.start:{_COMPACT}}_{window.end:{_COMPACT}}"
    return f"{DOWNLOADS}/{contract.client}/{name}{contract.file.ending}"


def _seal(
    ledger: Ledger,
    writer: FileWriter,
    contract: Contract,
    window: Window,
    *,
    run: str,
    instead_of: Delivery | Sealed | None,
) -> Sealed | Delivery | None:
    """Upload the window's file and fix it; None for an empty window that is to be skipped."""
    client = contract.client
    # A backfill may go back before the first scheduled day: its window says what it holds.
    contract = contract.model_copy(update={"deliver_from": min(contract.deliver_from, window.start.date())})
    listed = writer.lake.objects(client, window, deliver_from=contract.deliver_from)
    touching = [found for found in listed if window.touches(found.hour)]
    if len(touching) > MAX_NAMED_OBJECTS:
        raise TooManyObjects(
            f"client {client}: {len(touching):,} objects from {to_text(window.start)} to "
            f"{to_text(window.end)}; a record can name {MAX_NAMED_OBJECTS:,}: use shorter windows, e.g. --every 1d"
        )
    key = key_of(contract, window)
    written = writer.write(
        contract,
        Selection(window, seen=touching, new=[]),
        key=key,
        metadata=_metadata(client, window, run=run),
        skip_empty=contract.file.when_empty == WhenEmpty.SKIP,
    )
    if written is None:
        return None
    ledger.keep(contract)
    sealed = Sealed(
        sequence=0,
        occasion=Occasion.BACKFILL,
        window=window,
        key=key,
        contract=contract.hash,
        # An object of an hour that the window cuts is read in part only: for the audit it is not read.
        objects=frozenset(
            found.name_hash for found in touching if window.start <= found.hour and found.hour + HOUR <= window.end
        ),
        parts=written.parts,
        rows=written.rows,
        late_rows=0,
        fence=0,
        run=run,
    )
    if ledger.seal_backfill(client, sealed, instead_of=instead_of):
        return sealed
    writer.uploads.abort(key, written.parts.upload_id)
    return ledger.backfill(client, window)


def _published(writer: FileWriter, client: str, sealed: Sealed) -> bool:
    """Whether the sealed file is visible, by now or before; False where its upload is gone."""
    uploads, metadata = writer.uploads, _metadata(client, sealed.window, run=sealed.run)
    if isinstance(uploads.complete(sealed.key, sealed.parts), str):
        return True
    visible = uploads.metadata(sealed.key)
    if visible is not None and visible != metadata:
        raise ForeignObject(
            f"{sealed.key!r} exists and is not the backfill that the ledger knows of; remove or rename it"
        )
    if visible is None:
        uploads.abort(sealed.key, sealed.parts.upload_id)
        visible = uploads.metadata(sealed.key)
    return visible == metadata


def _has_file(uploads: Uploads, made: Delivery) -> bool:
    """Whether the client finds the backfill's file."""
    return made.key is not None and uploads.metadata(made.key) is not None


def _found(ledger: Ledger, contract: Contract, made: Delivery) -> Report:
    """What was made before, under this contract or another one."""
    alike = _shape(ledger.contract(made.client, made.contract)) == _shape(contract)
    return Report(made.client, Status.BACKFILLED_BEFORE if alike else Status.BACKFILLED_OTHERWISE, [made])


def _shape(contract: Contract) -> dict[str, Any]:
    """What a backfill's file follows from: neither the first day nor the template of names."""
    plain = contract.to_plain()
    return {"attributes": plain["attributes"], "file": plain["file"] | {"name": None}}


def _delivery(sealed: Sealed | None, contract: Contract, window: Window, *, at: datetime) -> Delivery:
    parts = sealed.parts if sealed else None
    return Delivery(
        client=contract.client,
        sequence=None,
        occasion=Occasion.BACKFILL,
        window=window,
        key=sealed.key if sealed else None,
        rows=sealed.rows if sealed else 0,
        size_bytes=parts.size_bytes if parts else 0,
        sha256=parts.sha256 if parts else None,
        plain_hash=parts.plain_hash if parts else None,
        late_rows=0,
        published_at=at,
        contract=sealed.contract if sealed else contract.hash,
        objects=sealed.objects if sealed else frozenset(),
    )


def _share(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end


def _metadata(client: str, window: Window, *, run: str | None) -> dict[str, str]:
    named = {"client": client, "backfill": f"{to_text(window.start)}/{to_text(window.end)}"}
    return named | ({"run": run} if run else {})
