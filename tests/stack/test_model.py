"""The in-memory ledger and uploads answer as DynamoDB and S3 do, so that what is tried against them holds."""

import dataclasses
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referral_delivery.errors import CursorMovedBack, Overtaken
from referral_delivery.file.upload import UploadedParts, Uploads
from referral_delivery.ledger.records import Claim, Delivery, LeaseHeld, Sealed
from referral_delivery.ledger.table import Ledger
from referral_delivery.window import Window
from tests.model import MemoryLedger, MemoryUploads
from tests.stack.conftest import Lab
from tests.support import utc

START = utc("2026-11-10 00:00")
# Hours after START, as due times and as what was asked for; 30 is further ahead than any clock is believed to be.
HOURS = st.sampled_from([0, 1, 2, 3, 30])
CLAIMS = st.tuples(st.just("claim"), st.sampled_from(["one", "two"]), st.integers(0, 3), HOURS, st.booleans())
ON_CLAIM = st.tuples(
    st.sampled_from(
        [
            "renew",
            "seal",
            "take_back",
            "commit",
            "commit_and_keep",
            "commit_empty",
            "release",
            "abandon",
            "abandon_in_vain",
            "holds",
        ]
    ),
    st.integers(0, 2),
    HOURS,
)
REQUESTS = st.tuples(st.just("request"), HOURS)
READS = st.tuples(st.sampled_from(["already_read", "deliveries", "position"]), st.integers(0, 4))


class LedgerRun:
    """Applies a list of operations to a ledger and writes down what it answers."""

    def __init__(self, ledger: Ledger, client: str) -> None:
        self.ledger, self.client = ledger, client
        self.claims: list[Claim] = []
        self.held: LeaseHeld | None = None
        self.now = 1_000.0

    def answer(self, operation: tuple[Any, ...]) -> Any:
        try:
            return self._answer(operation)
        except (Overtaken, CursorMovedBack) as error:
            return type(error)

    def _answer(self, operation: tuple[Any, ...]) -> Any:  # noqa: PLR0911 - one for each operation
        match operation:
            case ("claim", owner, passed, hours, watched):
                return self._claim(owner, passed, hours, dead=self.held if watched else None)
            case ("request", hours):
                return self.ledger.request(self.client, START + timedelta(hours=hours))
            case ("already_read", hours):
                return self.ledger.already_read(self.client, since=START + timedelta(hours=hours))
            case ("deliveries", hours):
                found = self.ledger.deliveries(self.client, since=START + timedelta(hours=hours))
                return [(each.sequence, each.window, each.key, each.rows, each.objects) for each in found]
            case ("position", _):
                [position] = self.ledger.positions([self.client]).values()
                assert position == self.ledger.position(self.client)
                return position
            case (name, number, hours) if self.claims:
                return self._on_claim(name, -1 - number % len(self.claims), START + timedelta(hours=hours))
        return "no claim"

    def _claim(self, owner: str, passed: int, hours: int, *, dead: LeaseHeld | None) -> Any:
        self.now += 10 * passed
        due, expires = START + timedelta(hours=hours), self.now + 15
        found = self.ledger.claim(self.client, owner=owner, now=self.now, expires=expires, due=due, dead=dead)
        if isinstance(found, Claim):
            self.claims.append(found)
            return dataclasses.replace(found, client="")
        self.held = found
        return found

    def _on_claim(self, name: str, index: int, moment: datetime) -> Any:
        claim, now = self.claims[index], START + timedelta(hours=3)
        match name:
            case "renew":
                return self.ledger.renew(claim, expires=self.now + 15)
            case "seal":
                changed = self.ledger.seal(claim, self._sealed(claim))
            case "take_back":
                changed = self.ledger.take_back(claim)
            case "release":
                return self.ledger.release(claim, done=moment, now=now)
            case "abandon" | "abandon_in_vain":
                return self.ledger.abandon(claim, in_vain=name == "abandon_in_vain")
            case "holds":
                return self.ledger.holds(claim)
            case _:
                made = self._delivery(claim, empty=name == "commit_empty")
                kept = self.ledger.commit(claim, made, keep=name == "commit_and_keep", now=now)
                if kept is None:
                    return None
                changed = kept
        self.claims[index] = changed
        return dataclasses.replace(changed, client="")

    def _window(self, claim: Claim) -> Window:
        start = claim.position or START
        return Window(start, start + timedelta(hours=1))

    def _sealed(self, claim: Claim) -> Sealed:
        return Sealed(
            sequence=claim.sequence + 1,
            occasion="scheduled",
            window=self._window(claim),
            key="key",
            contract="c",
            objects=frozenset({b"12345678"}),
            parts=UploadedParts("u", ["e", "f"], 5, "s", "p"),
            rows=2,
            late_rows=1,
            fence=claim.fence,
        )

    def _delivery(self, claim: Claim, *, empty: bool) -> Delivery:
        return Delivery(
            client=self.client,
            sequence=None if empty else claim.sequence + 1,
            occasion="scheduled",
            window=self._window(claim),
            key=None if empty else "key",
            rows=0 if empty else 2,
            size_bytes=5,
            sha256=None if empty else "s",
            plain_hash=None,
            late_rows=0,
            published_at=START,
            contract="c",
            objects=frozenset({claim.fence.to_bytes(8, "big")}),
        )


ANY_FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.ledger
@settings(max_examples=60, deadline=None, suppress_health_check=ANY_FIXTURE)
@given(operations=st.lists(st.one_of(CLAIMS, ON_CLAIM, ON_CLAIM, REQUESTS, READS), min_size=5, max_size=25))
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
            body, metadata = [b"body-", str(number).encode()], {"n": str(number)}
            parts = uploads.upload(key, body, content_type="text/csv", metadata=metadata)
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
