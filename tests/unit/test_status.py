"""What the status says of a client's past and present, without a stack."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from referral_delivery.window import Window
from referralctl.status.drawing import WIDTH, paths
from referralctl.status.page import page
from referralctl.status.strip import MOST_MARKS, Outcome, counted, in_words, strip
from referralctl.status.table import days, table
from referralctl.status.view import State, client_view, status
from tests.browser.statuses import FINGERPRINT, NOW, SCHEDULES, collected, delivery, entry, facts, many, past, position
from tests.support import utc

SYDNEY = entry()
MINUTE = timedelta(minutes=1)


def outcomes(recent: Any, **changed: Any) -> list[str]:
    """The strip of the client in Sydney, due at 06:00 and 18:30 there."""
    asked = {"since": utc("2025-11-01 00:00"), "now": NOW} | changed
    return [mark.outcome.value for mark in strip(SYDNEY.schedule, recent, **asked)]


def test_each_due_time_of_two_weeks_is_a_mark() -> None:
    marks = strip(SYDNEY.schedule, past(SYDNEY), since=utc("2025-11-01 00:00"), now=NOW)
    assert len(marks) == 28
    assert {mark.due.strftime("%H:%M") for mark in marks} == {"19:00", "07:30"}
    assert in_words(marks) == "28 delivered"


def test_a_file_that_came_half_an_hour_after_its_due_time_is_late() -> None:
    recent = past(SYDNEY)
    for minutes, said in ((30, "delivered"), (31, "late")):
        recent[-1] = delivery("acme", recent[-1].window, after=minutes * MINUTE)
        assert outcomes(recent)[-1] == said


def test_a_run_that_was_asked_to_catch_up_is_late_for_all_that_it_missed() -> None:
    recent = past(SYDNEY)
    whole = Window(recent[-4].window.start, recent[-1].window.end)
    assert outcomes([*recent[:-4], delivery("acme", whole)])[-4:] == ["late", "late", "late", "delivered"]


def test_a_due_time_that_no_delivery_has_reached_is_missing_once_the_grace_is_over() -> None:
    recent, due = past(SYDNEY)[:-1], utc("2026-11-24 19:00")
    assert set(outcomes(recent, now=due + 30 * MINUTE)) == {"delivered"}
    assert outcomes(recent, now=due + 31 * MINUTE)[-1] == "missing"


def test_with_a_spread_of_starts_a_due_time_is_late_or_missing_that_much_later() -> None:
    spread, recent = entry(spread_minutes=60), past(SYDNEY)
    due = recent[-1].window.end
    recent[-1] = delivery("acme", recent[-1].window, after=90 * MINUTE)
    assert in_words(client_view(facts(spread, recent), NOW).marks) == "28 delivered"
    for minutes, state, last in ((90, State.OK, "delivered"), (91, State.OVERDUE, "missing")):
        view = client_view(facts(spread, recent[:-1]), due + minutes * MINUTE)
        assert (view.state, view.marks[-1].outcome) == (state, last)


def test_files_that_were_fetched_and_runs_without_referrals_show_as_such() -> None:
    first, second, *_, last = past(SYDNEY, days=14)
    empty = delivery("acme", second.window, key=None, rows=0)
    known = {"since": first.window.start, "now": second.window.end + MINUTE}
    assert outcomes([collected(first), empty], **known) == ["collected", "empty"]
    assert outcomes([delivery("acme", last.window, rows=0)], since=last.window.start)[-1] == "empty"


def test_a_manual_delivery_between_two_due_times_is_no_mark() -> None:
    recent = past(SYDNEY)
    middle = recent[-1].window.start + 3 * timedelta(hours=1)
    cut = [Window(recent[-1].window.start, middle), Window(middle, recent[-1].window.end)]
    assert outcomes([*recent[:-1], *(delivery("acme", window) for window in cut)]) == outcomes(recent)


def test_before_the_schedule_is_known_each_delivery_is_a_mark_and_nothing_is_missing() -> None:
    window = Window(utc("2026-11-12 00:00"), utc("2026-11-14 11:00"))
    made = delivery("acme", window, after=timedelta(hours=9))
    assert outcomes([made], since=utc("2026-11-24 12:00"), now=utc("2026-11-24 19:00")) == ["delivered"]


def test_what_is_due_more_often_than_hourly_shows_the_worst_of_each_hour() -> None:
    berlin = entry(schedule=SCHEDULES[3])
    recent = past(berlin)
    recent[-6] = delivery("acme", recent[-6].window, after=timedelta(hours=2))
    marks = strip(berlin.schedule, recent, since=utc("2025-11-01 00:00"), now=NOW)
    assert len(marks) <= MOST_MARKS + 1
    assert sum(mark.times for mark in marks) == 14 * 24 * 4
    assert counted(marks)[Outcome.LATE] == 1


def test_overdue_clients_come_first_then_those_with_notes_then_by_name() -> None:
    well, noted = facts(entry("aaa")), facts(entry("noted", keys=[key("2026-11-25")]))
    overdue = facts(entry("zzz"), past(entry("zzz"))[:-4])
    running = facts(entry("bbb"), position=position(NOW, lease_owner="run", lease_expires=NOW.timestamp() + 1))
    views = status([well, noted, running, overdue], NOW)
    assert [(view.client, view.state.value) for view in views] == [
        *(("zzz", "overdue"), ("bbb", "running"), ("noted", "ok"), ("aaa", "ok"))
    ]


def test_the_next_due_time_is_in_the_clients_zone() -> None:
    said = client_view(facts(), NOW).to_json()
    assert (said["next_due"], said["next_due_at"]) == ("Wed 2026-11-25 18:30 Australia/Sydney", "2026-11-25T07:30:00Z")


def test_a_client_that_starts_later_is_due_on_its_first_day() -> None:
    view = client_view(facts(entry(contract={"deliver_from": "2026-12-01"}), []), NOW)
    assert (view.state, view.notes) == (State.OK, ("starts on 2026-12-01",))
    assert f"{view.next_due:%Y-%m-%d %H:%M}" == "2026-12-01 18:30"


def key(expires: str) -> dict[str, str]:
    return {"label": "crm", "fingerprint": FINGERPRINT, "expires": expires}


@pytest.mark.parametrize(
    ("changed", "notes"),
    [
        ({"keys": [key("2026-11-25")]}, ("key crm ends in 1 day",)),
        ({"keys": [key("2026-11-24")]}, ("key crm has expired",)),
        ({"collect_within": "13d"}, ("2 files not collected",)),
        ({}, ()),
    ],
)
def test_notes_are_what_the_watch_finds(changed: dict[str, Any], notes: tuple[str, ...]) -> None:
    assert client_view(facts(entry(**changed), past(SYDNEY, days=14)), NOW).notes == notes


def test_the_days_of_a_terminal_show_the_worst_of_each() -> None:
    recent = past(SYDNEY)
    recent[-3] = delivery("acme", recent[-3].window, after=timedelta(hours=2))
    marks = strip(SYDNEY.schedule, recent[:-1], since=utc("2025-11-01 00:00"), now=NOW)
    assert days(marks, NOW).plain == "++++++++++++!x"
    assert days([], NOW).plain == "." * 14


def test_the_table_has_a_line_for_each_client_whatever_its_name() -> None:
    console = Console(width=300, file=io.StringIO())
    with console.capture() as captured:
        console.print(table([replace(client_view(facts(), NOW), client="[red]a[/red]")], NOW))
    header, line = captured.get().splitlines()
    assert header.startswith("client ")
    assert line.startswith("[red]a[/red]  ok ")


def test_bars_stay_inside_the_strip_and_touching_ones_are_one() -> None:
    hourly = entry(schedule=SCHEDULES[1])
    marks = strip(hourly.schedule, past(hourly), since=utc("2025-11-01 00:00"), now=NOW)
    (path,) = paths(marks, NOW)
    left, right = path.d.removeprefix("M").split(" ")[0], path.d.partition("H")[2].partition("V")[0]
    assert path.d.count("M") == 1
    assert 0 <= float(left) < 2 < WIDTH - 2 < float(right) <= WIDTH


def test_the_data_of_a_status_is_json() -> None:
    assert json.loads(json.dumps([view.to_json() for view in many(12)]))[0]["state"] == "overdue"


def test_html_in_a_name_a_label_or_a_column_is_text_on_the_page() -> None:
    nasty = "</script><script>alert(1)</script><b onclick='x'>\"&"
    of = entry(contact=nasty, keys=[{"label": nasty, "fingerprint": nasty}])
    view = client_view(facts(of), NOW)
    hostile = replace(view, client=nasty, columns=(nasty,), notes=(nasty,))
    text = page([hostile], now=NOW, stack=nasty)
    assert text.count("<script>") == 1
    assert "<b " not in text
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text
