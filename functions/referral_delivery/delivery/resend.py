"""Making a past delivery again, byte for byte, from the lake. Neither cursor nor sequence is touched."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from referral_delivery.agreement.recipient import Pgp
from referral_delivery.delivery.publish import of_today, publish_manifest, same_rows, write_again
from referral_delivery.delivery.report import Report, Status
from referral_delivery.errors import ContractError
from referral_delivery.file.upload import UploadedParts, Uploads, names
from referral_delivery.file.writer import FileWriter
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Delivery, Resend
from referral_delivery.ledger.table import Ledger

# What a resend's name has before its number: `…_r2`, `…_r3`; the original's own name once that has expired.
MARK = "_r"


def resend(
    ledger: Ledger,
    writer: FileWriter,
    client: str,
    sequence: int,
    *,
    request: str,
    now: Callable[[], datetime],
    pgp: Pgp | None = None,
) -> Report:
    """Publish delivery `sequence` again, under the next free name; once for the same `request`.

    Only the original's rows are published; where the lake gives other ones, the report says so, and in either case the
    delivery's record is marked. Another processor's compressor may pack the same rows into other bytes. An encrypted
    file is never the same bytes twice; it is encrypted as `pgp`, the client's file of today, says: keys come and go.
    """
    original = find(ledger, client, sequence)
    if known := next((each for each in original.resends if each.request == request), None):
        status = Status.RESENT_BEFORE if known.key else Status.LAKE_CHANGED
        return Report(client, status, [replace(original, occasion=Occasion.RESEND, key=known.key, sha256=known.sha256)])
    recorded, uploads = ledger.contract(client, original.contract), writer.uploads
    contract = of_today(recorded, pgp)
    status = Status.RESENT_ENCRYPTED if contract.file.pgp else Status.RESENT
    first = str(original.key).removesuffix(recorded.file.ending) + contract.file.ending
    for key in names(first, contract.file.ending, mark=MARK):
        taken = uploads.metadata(key)
        if taken is not None and taken.get("request") != request:
            continue
        metadata = {"client": client, "sequence": str(sequence), "request": request}
        written = write_again(ledger, writer, contract, original, key=key, metadata=metadata)
        parts = written.parts
        made = replace(
            original,
            occasion=Occasion.RESEND,
            key=key,
            published_at=now(),
            sha256=parts.sha256,
            size_bytes=parts.size_bytes,
        )
        if not same_rows(written, original.sha256, original.plain_hash):
            uploads.abort(key, parts.upload_id)
            ledger.mark_resend(original, Resend(None, parts.sha256, made.published_at, request))
            return Report(client, Status.LAKE_CHANGED, [replace(made, key=None, rows=written.rows)])
        # The client may have kept the first file: other bytes, though of the same rows, take another name.
        takes_the_name = key != original.key or parts.sha256 == original.sha256
        if takes_the_name and (shown := _published(uploads, key, parts, metadata)):
            made = replace(made, size_bytes=shown[0], sha256=shown[1])
            publish_manifest(uploads, made, contract, previous_sequence=sequence - 1)
            ledger.mark_resend(original, Resend(key, shown[1], made.published_at, request))
            return Report(client, status, [made])
        uploads.abort(key, parts.upload_id)
    raise AssertionError(original)


def _published(uploads: Uploads, key: str, parts: UploadedParts, metadata: dict[str, str]) -> tuple[int, str] | None:
    """Size and SHA-256 of the file that is visible, by now or, where an answer was lost, before; None where another
    took the name.
    """
    if isinstance(uploads.complete(key, parts), str):
        return parts.size_bytes, parts.sha256
    return uploads.digest(key) if uploads.metadata(key) == metadata else None


def find(ledger: Ledger, client: str, sequence: int) -> Delivery:
    """The delivery of that number; ContractError where there is none."""
    numbered = [delivery for delivery in ledger.deliveries(client) if delivery.sequence]
    for delivery in numbered:
        if delivery.sequence == sequence:
            return delivery
    those = f"1 to {len(numbered)}" if numbered else "none yet"
    raise ContractError(f"client {client} has no delivery {sequence}; it has {those}")
