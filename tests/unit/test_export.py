"""One run: up to when it delivers, how often, and what it leaves; ledger, uploads and lake are those in memory."""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest

from referral_delivery.delivery.export import Exporter
from referral_delivery.delivery.plan import Pace
from referral_delivery.delivery.report import Report, Request, Status
from referral_delivery.errors import MissingAttribute
from referral_delivery.file.upload import NotCompleted, UploadedParts
from referral_delivery.ledger.occasion import Occasion
from referral_delivery.ledger.records import Claim, Sealed
from tests.model import MISSING, MemoryLake, MemoryLedger, MemoryUploads, MemoryWriter
from tests.support import contract, utc

TEN = utc("2026-11-20 10:00")
A_SECOND = timedelta(seconds=1)
KEY = "downloads/acme/referrals_acme_20261120T100000Z_000001.csv"


class Counted(MemoryLedger):
    """Counts what it is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.releases = self.requests = 0

    def release(self, claim: Claim, *, done: datetime, now: datetime) -> datetime | None:
        self.releases += 1
        return super().release(claim, done=done, now=now)

    def request(self, client: str, until: datetime) -> None:
        self.requests += 1
        super().request(client, until)


class Day:
    """One client's day, whose time passes while somebody waits."""

    def __init__(self, rows: Mapping[str, datetime], *, now: datetime = TEN) -> None:
        self.ledger, self.uploads, self.lake = Counted(), MemoryUploads(), MemoryLake(rows)
        self.now = now
        self.waits: list[float] = []
        self.left = 900.0
        self.passes = 0.0
        self.taken_back: list[tuple[Sealed, str]] = []
        self.delivered = 0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.waits.append(seconds)
        self._pass(seconds)

    def seconds_left(self) -> float:
        self._pass(self.passes)
        return self.left

    def _pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.passes:
            self.left -= seconds

    def run(
        self,
        due: datetime | None = None,
        *,
        objects: float = 1_000.0,
        occasion: Occasion = Occasion.SCHEDULED,
        **changed: Any,
    ) -> Report:
        """A run that may read so many objects a delivery, by what 900 seconds are."""
        exporter = Exporter(
            ledger=self.ledger,
            writer=MemoryWriter(lake=self.lake, uploads=self.uploads, connect=lambda: None),  # type: ignore[arg-type, return-value]
            pace=Pace(objects_per_second=objects / 840, bytes_per_second=1e9),
            clock=lambda: self.now.timestamp(),  # noqa: PLW0108 - the day moves `now`
            sleep=self.sleep,
            renewal=lambda *_: nullcontext(),
        )
        return exporter.run(
            Request(
                contract=contract(**changed),
                occasion=occasion,
                due=due,
                owner="run",
                seconds_left=self.seconds_left,
                taken_back=lambda sealed, why: self.taken_back.append((sealed, why)),
                delivered=lambda _: self._count(),
            )
        )

    def _count(self) -> None:
        self.delivered += 1

    def rows(self) -> list[str]:
        """The rows that the client finds, in the order of its files."""
        return [row for _, (body, _) in sorted(self.uploads.visible.items()) for row in body.decode().split()]


def hour(*names: str, at: str = "2026-11-20 09:20") -> dict[str, datetime]:
    return dict.fromkeys(names, utc(at))


def ends(report: Report) -> list[datetime]:
    return [each.window.end for each in report.deliveries]


def test_a_delivery_with_which_all_is_done_gives_the_lease_back_with_its_commit() -> None:
    day = Day(hour("a"))
    report = day.run(TEN)
    assert (report.status, ends(report), day.rows(), day.delivered) == (Status.DELIVERED, [TEN], ["a.parquet"], 1)
    assert (day.ledger.releases, day.ledger.requests, day.waits) == (0, 0, [])
    assert day.ledger.position("acme").lease_owner is None


def test_a_due_time_that_is_delivered_is_no_second_delivery() -> None:
    day = Day(hour("a"))
    day.run(TEN)
    assert day.run(TEN).status is Status.NOTHING_TO_DELIVER
    assert (day.ledger.releases, len(day.ledger.made)) == (1, 1)


def test_a_window_ends_on_a_whole_second_that_has_passed() -> None:
    day = Day(hour("a"), now=TEN + timedelta(milliseconds=700))
    assert ends(day.run()) == [TEN]
    assert day.waits == []


def test_what_a_clock_ahead_asked_for_is_waited_for_up_to_ten_minutes() -> None:
    day = Day(hour("a"))
    day.ledger.request("acme", TEN + timedelta(minutes=10))
    assert ends(day.run(TEN)) == [TEN + timedelta(minutes=10)]
    assert day.waits == [600.0]


def test_a_single_second_is_waited_for_too() -> None:
    day = Day(hour("a"))
    day.ledger.request("acme", TEN + A_SECOND)
    assert (ends(day.run(TEN)), day.waits) == ([TEN + A_SECOND], [1.0])


def test_what_a_clock_that_nobody_can_follow_asked_for_is_left_alone() -> None:
    day = Day(hour("a"))
    day.ledger.request("acme", TEN + timedelta(minutes=10, seconds=1))
    assert (ends(day.run(TEN)), day.waits) == ([TEN], [])


def test_a_run_waits_no_longer_than_it_has_time_for_and_says_that_there_is_more() -> None:
    day = Day(hour("a"))
    day.ledger.request("acme", TEN + timedelta(minutes=10))
    day.left, day.passes = 300.0, 0.5
    assert day.run(TEN).status is Status.MORE_TO_DO
    assert 175 < day.waits[0] <= 180
    assert day.ledger.position("acme").lease_owner is None


def test_what_is_left_of_an_hour_comes_a_second_later_each_time() -> None:
    day = Day(hour(*"abcde"))
    report = day.run(TEN, objects=2.5)
    assert [each.rows for each in report.deliveries] == [2, 2, 1]
    assert ends(report) == [TEN, TEN + A_SECOND, TEN + 2 * A_SECOND]
    assert day.rows() == [f"{name}.parquet" for name in "abcde"]


def test_a_single_object_that_is_left_comes_with_the_same_run() -> None:
    day = Day(hour(*"abc"))
    assert [each.rows for each in day.run(TEN, objects=2.5).deliveries] == [2, 1]


def test_what_is_left_of_an_hour_comes_with_all_that_was_asked_for() -> None:
    day = Day(hour(*"abc"), now=TEN + timedelta(hours=1))
    day.ledger.request("acme", TEN + timedelta(minutes=30))
    assert ends(day.run(TEN, objects=2.5)) == [TEN, TEN + timedelta(minutes=30)]


def test_a_run_goes_on_while_it_has_two_minutes() -> None:
    for left, status, rows in ((120.0, Status.DELIVERED, 2), (119.0, Status.MORE_TO_DO, 1)):
        day = Day(hour("a", at="2026-11-19 01:00") | hour("b", at="2026-11-19 05:00"))
        day.left = left
        report = day.run(TEN, objects=1)
        assert (report.status, sum(each.rows for each in report.deliveries)) == (status, rows)
        assert day.ledger.position("acme").lease_owner is None


@pytest.mark.parametrize("left", [160.0, 169.0])
def test_a_minute_of_a_runs_time_is_not_for_reading(left: float) -> None:
    day = Day(hour(*(f"{number:02d}" for number in range(12))))
    day.left = left
    # One object in ten seconds; a hair more, so that a hundred seconds are ten objects and not nine.
    assert day.run(TEN, objects=84.0001).deliveries[0].rows == 10


def test_an_empty_window_that_is_to_be_skipped_is_recorded_and_takes_no_number() -> None:
    day = Day({})
    (made,) = day.run(TEN, file={"when_empty": "skip"}).deliveries
    assert (made.sequence, made.key, made.rows, made.size_bytes, made.late_rows) == (None, None, 0, 0, 0)
    assert (made.sha256, made.plain_hash, made.published_at, day.uploads.visible) == (None, None, TEN, {})
    assert day.ledger.position("acme").cursor == TEN


def test_two_manual_runs_within_a_minute_make_one_file_and_later_ones_a_file_each() -> None:
    day = Day({})
    for seconds, files in ((0, 1), (7, 1), (66, 1), (126, 2)):
        day.now = TEN + timedelta(seconds=seconds)
        assert len(day.run(occasion=Occasion.MANUAL).deliveries) == 1
        assert (len(day.uploads.visible), day.ledger.position("acme").cursor) == (files, day.now)


@pytest.mark.parametrize(("seconds", "files"), [(59, 1), (60, 2)])
def test_what_is_asked_for_within_a_minute_after_a_due_time_makes_no_empty_file_and_the_next_due_time_does(
    monkeypatch: pytest.MonkeyPatch, seconds: int, files: int
) -> None:
    day = Day({})
    complete = day.uploads.complete

    def meanwhile(key: str, parts: UploadedParts) -> str | NotCompleted:
        day.now = TEN + timedelta(seconds=seconds)
        day.ledger.request("acme", day.now)
        return complete(key, parts)

    monkeypatch.setattr(day.uploads, "complete", meanwhile)
    assert ends(day.run(TEN)) == [TEN, TEN + timedelta(seconds=seconds)]
    assert len(day.uploads.visible) == files


def test_a_run_that_fails_gives_its_lease_back() -> None:
    day = Day(hour("a"))
    with pytest.raises(MissingAttribute):
        day.run(TEN, attributes=["referral_id", MISSING])
    assert (day.ledger.position("acme").lease_owner, day.ledger.made) == (None, {})


def test_a_run_that_failed_for_its_data_leaves_the_next_delivery_its_size_and_one_that_the_world_failed_halves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = Day(hour(*"abcdefgh"))

    def fail(*_: object, **__: object) -> None:
        raise TimeoutError

    for _ in range(3):
        with pytest.raises(MissingAttribute):
            day.run(TEN, attributes=["referral_id", MISSING])
    with monkeypatch.context() as broken:
        broken.setattr(day.uploads, "upload", fail)
        with pytest.raises(TimeoutError):
            day.run(TEN)
    assert day.ledger.position("acme").attempts == 4
    assert [each.rows for each in day.run(TEN, objects=8.5).deliveries] == [4, 4]


class Died(BaseException):
    """The process ended: no handler of ours may see it."""


def test_a_sealed_delivery_that_was_left_behind_is_published_and_nothing_is_asked_for_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = Day(hour("a"))

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(day.uploads, "complete", die)
        with pytest.raises(Died):
            day.run(TEN)
    later = TEN + timedelta(minutes=5)
    day.now = later
    report = day.run(later)
    assert (ends(report), [each.sequence for each in report.deliveries]) == ([TEN, later], [1, 2])
    assert (day.ledger.requests, day.ledger.position("acme").requested_until) == (0, later)
    assert (day.rows(), day.waits) == (["a.parquet"], [])


@pytest.mark.parametrize("run", [{}, {"run": "another"}])
def test_a_file_of_the_same_number_and_fence_that_another_ledger_knew_of_is_not_taken_for_the_runs_own(
    run: dict[str, str],
) -> None:
    day = Day(hour("a"))
    day.uploads.visible[KEY] = (b"of a ledger that was lost", {"client": "acme", "sequence": "1", "fence": "1"} | run)
    (made,) = day.run(TEN).deliveries
    assert made.key == KEY.replace(".csv", "_2.csv")
    assert day.uploads.visible[str(made.key)] == (
        b"a.parquet",
        {"client": "acme", "sequence": "1", "fence": "1", "run": "run"},
    )


def test_a_name_that_is_taken_is_told_and_the_delivery_takes_the_next_one() -> None:
    day = Day(hour("a"))
    day.uploads.visible[KEY] = (b"not ours", {})
    (made,) = day.run(TEN).deliveries
    assert made.key == KEY.replace(".csv", "_2.csv")
    ((sealed, why),) = day.taken_back
    assert (sealed.key, "has taken the name" in why) == (KEY, True)
