"""A sealed delivery becomes a file that the client sees: the very upload that was sealed, or the same bytes again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from referral_delivery.agreement.contract import Contract
from referral_delivery.agreement.recipient import Pgp
from referral_delivery.errors import DataError, KeyExpired, Overtaken
from referral_delivery.file.manifest import SUFFIX, Manifest
from referral_delivery.file.upload import NotCompleted, Uploads
from referral_delivery.file.writer import FileWriter, Written
from referral_delivery.lake.objects import Selection, first_hour
from referral_delivery.ledger.records import Claim, Delivery, Sealed
from referral_delivery.ledger.table import Ledger
from referral_delivery.window import to_text


@dataclass(frozen=True)
class Publisher:
    """Publishes what is sealed; `run` is this run's own id, which no other has.

    `pgp` is what the client's files are encrypted to by now: what was sealed in plain before is not published any more.
    """

    ledger: Ledger
    writer: FileWriter
    now: Callable[[], datetime]
    run: str
    pgp: Pgp | None = None

    def publish(self, claim: Claim, sealed: Sealed) -> Delivery | str:
        """The delivery, visible; or why it cannot be published any more: then no trace of it can become visible."""
        uploads = self.writer.uploads
        if is_plain(self.ledger.contract(claim.client, sealed.contract), self.pgp):
            self._require_lease(claim, sealed)
            uploads.abort(sealed.key, sealed.parts.upload_id)
            if not self._visible(claim, sealed):
                return "it was sealed in plain, and the client's files are encrypted by now"
        while isinstance(etag := uploads.complete(sealed.key, sealed.parts), NotCompleted):
            self._require_lease(claim, sealed)
            # From here on nobody can complete it, not even a run that was overtaken and does not know it yet: only now
            # is what can be seen the last word.
            uploads.abort(sealed.key, sealed.parts.upload_id)
            if self._visible(claim, sealed):
                etag = uploads.etag(sealed.key)
                break
            if uploads.metadata(sealed.key) is not None:
                return f"an object that no delivery wrote has taken the name {sealed.key!r}"
            again = self._again(claim, sealed)
            if isinstance(again, str):
                return again
            sealed = again
        delivery = self._delivery(claim, sealed, etag)
        contract = self.ledger.contract(claim.client, sealed.contract)
        publish_manifest(uploads, delivery, contract, previous_sequence=claim.sequence)
        return delivery

    def _require_lease(self, claim: Claim, sealed: Sealed) -> None:
        if not self.ledger.holds(claim):
            raise Overtaken(f"client {claim.client}: sequence {sealed.sequence} is in other hands")

    def _visible(self, claim: Claim, sealed: Sealed) -> bool:
        """Whether the object under the delivery's name is its upload."""
        visible = self.writer.uploads.metadata(sealed.key)
        return visible == metadata_of(claim.client, sealed.sequence, sealed.fence, run=sealed.run)

    def _again(self, claim: Claim, sealed: Sealed) -> Sealed | str:
        """The same rows, uploaded and sealed again, because the upload is gone; or why that cannot be."""
        contract = of_today(self.ledger.contract(claim.client, sealed.contract), self.pgp)
        metadata = metadata_of(claim.client, sealed.sequence, claim.fence, run=self.run)
        try:
            written = write_again(self.ledger, self.writer, contract, sealed, key=sealed.key, metadata=metadata)
        except DataError as error:
            return f"its upload is gone, and the lake no longer gives its rows: {error}"
        except KeyExpired as error:
            return f"its upload is gone, and nothing can be encrypted to its recipients any more: {error}"
        if not same_rows(written, sealed.parts.sha256, sealed.parts.plain_hash):
            self.writer.uploads.abort(sealed.key, written.parts.upload_id)
            return "its upload is gone, and the lake gives other rows than those that were sealed"
        again = replace(sealed, parts=written.parts, fence=claim.fence, run=self.run)
        self.ledger.seal(claim, again)
        return again

    def _delivery(self, claim: Claim, sealed: Sealed, etag: str) -> Delivery:
        return Delivery(
            client=claim.client,
            sequence=sealed.sequence,
            occasion=sealed.occasion,
            window=sealed.window,
            key=sealed.key,
            rows=sealed.rows,
            size_bytes=sealed.parts.size_bytes,
            sha256=sealed.parts.sha256,
            plain_hash=sealed.parts.plain_hash,
            etag=etag,
            late_rows=sealed.late_rows,
            published_at=self.now(),
            contract=sealed.contract,
            objects=sealed.objects,
        )


def is_plain(contract: Contract, pgp: Pgp | None) -> bool:
    """Whether files of a contract are not encrypted, though the client's are by now."""
    return pgp is not None and contract.file.pgp is None


def of_today(contract: Contract, pgp: Pgp | None) -> Contract:
    """The contract with the keys of today: they come and go, and what is encrypted is never the same bytes twice.

    A file that was plain takes the ending of encrypted ones.
    """
    if pgp is None:
        return contract
    changed = {"pgp": pgp} | ({"extension": None} if contract.file.pgp is None else {})
    return contract.model_copy(update={"file": contract.file.model_copy(update=changed)})


def write_again(
    ledger: Ledger,
    writer: FileWriter,
    contract: Contract,
    made: Sealed | Delivery,
    *,
    key: str,
    metadata: dict[str, str],
) -> Written:
    """Upload the rows of a delivery again: from the objects that it was the first to read, and those read before it."""
    window = made.window
    read_before = ledger.already_read(contract.client, since=first_hour(window), until=window.start)
    listed = writer.lake.objects(contract.client, window, deliver_from=contract.deliver_from)
    selection = Selection(
        window,
        seen=[found for found in listed if found.name_hash in read_before and window.touches(found.hour)],
        new=[found for found in listed if found.name_hash in made.objects],
    )
    written = writer.write(contract, selection, key=key, metadata=metadata, skip_empty=False, first_key=made.key)
    assert written is not None  # noqa: S101 - nothing is skipped
    return written


def same_rows(written: Written, sha256: str | None, plain_hash: str | None) -> bool:
    """Whether a file has the rows of an earlier one, though another processor's compressor may have packed them."""
    return written.parts.sha256 == sha256 or (plain_hash is not None and written.parts.plain_hash == plain_hash)


def publish_manifest(uploads: Uploads, delivery: Delivery, contract: Contract, *, previous_sequence: int) -> None:
    """Publish the manifest of a file that is visible by now, where the contract asks for one."""
    if not (contract.file.manifest and delivery.key and delivery.sha256):
        return
    manifest = Manifest(
        client=delivery.client,
        file=delivery.key.rsplit("/", 1)[1],
        occasion=delivery.occasion,
        sequence=delivery.sequence,
        previous_sequence=previous_sequence or None,
        window_start=to_text(delivery.window.start),
        window_end=to_text(delivery.window.end),
        rows=delivery.rows,
        size_bytes=delivery.size_bytes,
        sha256=delivery.sha256,
        columns=[column.name for column in contract.attributes],
        created_at=to_text(delivery.published_at),
    )
    uploads.put_new(delivery.key + SUFFIX, manifest.to_bytes(), content_type="application/json")


def metadata_of(client: str, sequence: int, fence: int, *, run: str | None) -> dict[str, str]:
    """What an object says of the upload that made it; names are lower case, as S3 returns them."""
    return {"client": client, "sequence": str(sequence), "fence": str(fence)} | ({"run": run} if run else {})
