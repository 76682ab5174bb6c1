"""Making a past delivery again, byte for byte, from the lake. Neither cursor nor sequence is touched."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from referral_delivery.errors import ContractError
from referral_delivery.event import Kind
from referral_delivery.export import Report, Status, publish_manifest
from referral_delivery.lake import first_hour, select
from referral_delivery.ledger import Ledger
from referral_delivery.records import Delivery, Resend
from referral_delivery.upload import Completion, Uploads
from referral_delivery.writer import FileWriter


def resend(ledger: Ledger, writer: FileWriter, client: str, sequence: int, *, now: Callable[[], datetime]) -> Report:
    """Publish delivery `sequence` again, under the next free name.

    Only the original's bytes are published; where the lake gives other ones, the report says so, and in either
    case the delivery's record is marked.
    """
    original = find(ledger, client, sequence)
    read_before = ledger.already_read(client, since=first_hour(original.window), until=original.window.start)
    known = read_before | original.objects
    listed = [found for found in writer.lake.objects(client, original.window) if found.name_hash in known]
    selection = select(listed, original.window, already_read=read_before)
    while True:
        key = free_key(writer.uploads, original)
        metadata = {"client": client, "sequence": str(sequence), "resend": key.rsplit("/", 1)[1]}
        written = writer.write(original.contract, selection, key=key, metadata=metadata, skip_empty=False)
        assert written is not None  # noqa: S101 - nothing is skipped
        again = replace(original, kind=Kind.RESEND, key=key, published_at=now(), rows=written.rows)
        if written.parts.sha256 != original.sha256:
            writer.uploads.abort(key, written.parts.upload_id)
            ledger.mark_resend(original, Resend(key=None, sha256=written.parts.sha256, at=again.published_at))
            changed = replace(again, key=None, sha256=written.parts.sha256, size_bytes=written.parts.size_bytes)
            return Report(client, Status.LAKE_CHANGED, [changed])
        if writer.uploads.complete(key, written.parts) is Completion.DONE:
            break
        writer.uploads.abort(key, written.parts.upload_id)  # another resend took the name
    publish_manifest(writer.uploads, again, previous_sequence=sequence - 1)
    ledger.mark_resend(original, Resend(key=key, sha256=written.parts.sha256, at=again.published_at))
    return Report(client, Status.RESENT, [again])


def find(ledger: Ledger, client: str, sequence: int) -> Delivery:
    """The delivery of that number; ContractError where there is none."""
    numbered = [delivery for delivery in ledger.deliveries(client) if delivery.sequence]
    for delivery in numbered:
        if delivery.sequence == sequence:
            return delivery
    those = f"1 to {len(numbered)}" if numbered else "none yet"
    raise ContractError(f"client {client} has no delivery {sequence}; it has {those}")


def free_key(uploads: Uploads, original: Delivery) -> str:
    """The original's own key once it has expired, else the first of `…_r2`, `…_r3` and so on that is free."""
    key = str(original.key)
    extension = original.contract.file.extension
    candidate, number = key, 1
    while uploads.metadata(candidate) is not None:
        number += 1
        candidate = f"{key.removesuffix(extension)}_r{number}{extension}"
    return candidate
