"""The in-memory ledger and uploads answer as DynamoDB and S3 do, so that what is tried against them holds."""

import dataclasses
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referral_delivery.errors import Overtaken
from referral_delivery.ledger import Ledger
from referral_delivery.records import Claim, Delivery, LeaseHeld, Pending, Sealed
from referral_delivery.upload import UploadedParts, Uploads
from referral_delivery.window import Window
from tests.model import MemoryLedger, MemoryUploads
from tests.stack.conftest import Lab
from tests.support import contract, utc

START = utc("2026-11-10 00:00")
CLAIMS = st.tuples(st.just("claim"), st.sampled_from(["one", "two"]), st.integers(0, 3))
ON_CLAIM = st.tuples(
    st.sampled_from(["begin", "seal", "unseal", "commit", "commit empty", "release", "holds"]), st.integers(0, 2)
)
READS = st.tuples(st.sampled_from(["already_read", "deliveries", "position"]), st.integers(0, 4))


class LedgerRun:
    """Applies a list of operations to a ledger and writes down what it answers."""

    def __init__(self, ledger: Ledger, client: str) -> None:
        self.ledger, self.client = ledger, client
        self.claims: list[Claim] = []
        self.now = 1_000.0

    def answer(self, operation: tuple[Any, ...]) -> Any:
        try:
            return self._answer(operation)
        except Overtaken:
            return "overtaken"

    def _answer(self, operation: tuple[Any, ...]) -> Any:  # noqa: PLR0911 - one for each operation
        name = operation[0]
        if name == "claim":
            self.now += 10 * operation[2]
            claim = self.ledger.claim(self.client, owner=operation[1], now=self.now, expires=self.now + 15)
            if isinstance(claim, Claim):
                self.claims.append(claim)
                return dataclasses.replace(claim, client="")
            return LeaseHeld(claim.owner, claim.expires)
        if name == "already_read":
            return self.ledger.already_read(self.client, since=START + timedelta(hours=operation[1]))
        if name == "deliveries":
            found = self.ledger.deliveries(self.client, since=START + timedelta(hours=operation[1]))
            return [(each.sequence, each.window, each.key, each.rows, each.objects) for each in found]
        if name == "position":
            return self.ledger.position(self.client)
        if not self.claims:
            return "no claim"
        claim = self.claims[-1 - operation[1] % len(self.claims)]
        pending = self._pending(claim)
        match name:
            case "begin":
                self.ledger.begin(claim, pending)
            case "seal":
                sealed = Sealed(UploadedParts("u", ["e"], 5, "s"), rows=2, late_rows=1, fence=claim.fence)
                return self.ledger.seal(claim, pending, sealed, frozenset({b"12345678"}))
            case "unseal":
                return self.ledger.unseal(claim, pending)
            case "release":
                self.ledger.release(claim)
            case "holds":
                return self.ledger.holds(claim)
            case _:
                self.ledger.commit(claim, self._delivery(claim, empty=name == "commit empty"))
        return "done"

    def _window(self, claim: Claim) -> Window:
        start = claim.position or START
        return Window(start, start + timedelta(hours=1))

    def _pending(self, claim: Claim) -> Pending:
        return Pending(claim.sequence + 1, "scheduled", self._window(claim), "key", contract())

    def _delivery(self, claim: Claim, *, empty: bool) -> Delivery:
        return Delivery(
            client=self.client,
            sequence=None if empty else claim.sequence + 1,
            kind="scheduled",
            window=self._window(claim),
            key=None if empty else "key",
            rows=0 if empty else 2,
            size_bytes=5,
            sha256=None if empty else "s",
            late_rows=0,
            published_at=START,
            contract=contract(),
            objects=frozenset({claim.fence.to_bytes(8, "big")}),
        )


ANY_FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=40, deadline=None, suppress_health_check=ANY_FIXTURE)
@given(operations=st.lists(st.one_of(CLAIMS, ON_CLAIM, READS), min_size=5, max_size=25))
def test_the_ledger_in_memory_answers_as_the_one_in_dynamodb(lab: Lab, operations: list[tuple[Any, ...]]) -> None:
    client = f"lab-{uuid.uuid4().hex[:12]}"
    real, model = LedgerRun(lab.ledger, client), LedgerRun(MemoryLedger(), client)
    assert [model.answer(each) for each in operations] == [real.answer(each) for each in operations]


UPLOADS = st.tuples(st.sampled_from(["upload", "complete", "abort", "metadata", "put_new"]), st.integers(0, 1))


@settings(max_examples=40, deadline=None, suppress_health_check=ANY_FIXTURE)
@given(operations=st.lists(UPLOADS, min_size=3, max_size=15))
def test_the_uploads_in_memory_answer_as_those_in_s3(lab: Lab, operations: list[tuple[str, int]]) -> None:
    folder = f"downloads/lab-{uuid.uuid4().hex[:12]}"
    answers = [
        _answers(uploads, folder, operations)
        for uploads in (MemoryUploads(), Uploads(lab.stack.s3, lab.stack["delivery_bucket"]))
    ]
    assert answers[0] == answers[1]


def _answers(uploads: Uploads, folder: str, operations: list[tuple[str, int]]) -> list[Any]:
    made: list[tuple[str, UploadedParts]] = []
    answers: list[Any] = []
    completed: set[str] = set()
    for number, (name, chosen) in enumerate(operations):
        key = f"{folder}/{chosen}.csv"
        run: dict[str, Callable[[], Any]] = {
            "metadata": lambda key=key: (uploads.metadata(key) or {}).get("n"),  # type: ignore[misc]
            "put_new": lambda key=key: uploads.put_new(key, b"small", content_type="text/csv"),  # type: ignore[misc]
        }
        if name == "upload":
            parts = uploads.upload(key, [b"body-", str(number).encode()], metadata={"n": str(number)})
            made.append((key, parts))
            answers.append((parts.size_bytes, parts.sha256))
        elif name in ("complete", "abort") and made:
            key, parts = made[-1 - chosen % len(made)]
            # What a completed upload answers to a second completion differs between S3's implementations, and
            # the delivery takes any answer: it looks at the object instead.
            if parts.upload_id not in completed:
                if name == "complete":
                    answers.append(uploads.complete(key, parts))
                    completed.add(parts.upload_id)
                else:
                    uploads.abort(key, parts.upload_id)
        elif name in run:
            answers.append(run[name]())
    return answers
