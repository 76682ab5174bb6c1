"""The status page in a browser: what it shows, by mouse, keyboard and screen reader, on a desk and on a phone."""

from dataclasses import replace
from typing import Any

import pytest

from referralctl.status.page import page
from referralctl.status.view import ClientView
from tests.browser.chromium import Chromium
from tests.browser.conftest import PHONE, Opened
from tests.browser.statuses import NOW

pytestmark = pytest.mark.browser

SHOWN = "[...document.querySelectorAll('tbody tr')].filter(row => !row.hidden).map(row => row.dataset.byClient)"
SORTED = "[...document.querySelectorAll('th[aria-sort]')].map(each => [each.dataset.by, each.ariaSort])"
FOCUS = "document.activeElement.id || document.activeElement.textContent"
NASTY = (
    "</script></style></td><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">'&"
)


def contrast(browser: Chromium, selector: str) -> float:
    """The contrast of an element's text with the ground behind it, as WCAG 2 reckons it."""
    return float(
        browser.value(
            """(() => {
            const parts = colour => colour.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92
                : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
            const element = document.querySelector(SELECTOR);
            let ground = element;
            const clear = each => (parts(getComputedStyle(each).backgroundColor)[3] ?? 1) === 0;
            while (clear(ground)) ground = ground.parentElement;
            const behind = light(parts(getComputedStyle(ground).backgroundColor));
            const style = getComputedStyle(element);
            const ink = light(parts(element.matches("path") ? style.fill : style.color));
            return (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05);
            })()""".replace("SELECTOR", repr(selector))
        )
    )


@pytest.mark.parametrize("clients", [3, 1_000])
def test_a_page_asks_nobody_for_anything_and_the_console_stays_empty(opened: Opened, clients: int) -> None:
    browser = opened(clients)
    browser.value("document.querySelector('thead button').click()")
    requests = {each["request"]["url"] for each in browser.said("Network.requestWillBeSent")}
    assert {url.rpartition("/")[2] for url in requests if not url.startswith("data:")} == {"status.html"}
    assert browser.said("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []


def test_the_policy_lets_no_other_script_run_and_nothing_be_loaded(opened: Opened) -> None:
    browser = opened()
    browser.value(
        "const added = document.createElement('script'); added.textContent = 'document.title = \"run\"';"
        "document.body.append(added); document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x'}))"
    )
    assert browser.value("document.title") == "referrals-prod: status"
    refused = [each["entry"]["text"] for each in browser.said("Log.entryAdded")]
    assert len([text for text in refused if "Content Security Policy" in text]) == 2


@pytest.mark.parametrize("clients", [3, 1_000])
def test_the_first_rows_are_those_that_are_overdue(opened: Opened, clients: int) -> None:
    browser = opened(clients)
    shown = browser.value(SHOWN)
    assert len(shown) == clients
    assert shown[: -(-clients // 150)] == [f"client-{number:04d}" for number in range(0, clients, 150)]
    assert browser.value(SORTED) == [["state", "ascending"]]


def test_typing_into_the_filter_leaves_the_clients_that_have_every_word(opened: Opened) -> None:
    browser = opened(1_000)
    browser.value("document.querySelector('#filter').focus()")
    browser.type("client-002 new_york")
    shown = browser.value(SHOWN)
    assert shown == [f"client-{number:04d}" for number in (21, 23, 25, 27, 29)]
    assert browser.value("document.querySelector('#count').value") == "5 of 1,000 clients"
    browser.type("nobody")
    assert browser.value(SHOWN) == []
    assert browser.value("document.querySelector('#none').checkVisibility()") is True


def test_only_clients_in_one_state_can_be_shown(opened: Opened) -> None:
    browser = opened(1_000)
    browser.value("show.value = 'overdue'; show.dispatchEvent(new Event('change'))")
    assert browser.value(SHOWN) == [f"client-{number:04d}" for number in range(0, 1_000, 150)]
    browser.value("show.value = 'noted'; show.dispatchEvent(new Event('change'))")
    assert 7 < len(browser.value(SHOWN)) < 1_000


def test_a_headers_button_sorts_and_sorts_the_other_way_round(opened: Opened) -> None:
    browser = opened(1_000)
    for way, first in (("ascending", "client-0000"), ("descending", "client-0999")):
        browser.value("document.querySelector('[data-by=client] button').click()")
        assert browser.value(SORTED) == [["client", way]]
        assert browser.value(SHOWN)[0] == first
    browser.value("document.querySelector('[data-by=strip] button').click()")
    assert browser.value(SHOWN)[0] == "client-0000"
    assert "missing" in browser.value("document.querySelector('tbody tr .words').textContent")


def test_everything_is_reached_and_used_by_keyboard(opened: Opened) -> None:
    browser = opened(3)
    reached = []
    for _ in range(11):
        browser.press("Tab")
        reached.append(browser.value(FOCUS))
    columns = ["Client", "State", "Last 14 days", "Last file", "Next due", "Key dates"]
    assert reached == ["filter", "show", *columns, "client-0000", "client-0001", "client-0002"]
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter")
    assert browser.value("document.activeElement.parentElement.open") is True
    for _ in range(7):
        browser.press("Tab", shift=True)
    assert browser.value(FOCUS) == "State"
    browser.press("Space")
    assert browser.value(SORTED) == [["state", "descending"]]


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desk", "phone"])
def test_a_screen_reader_meets_a_table_with_headers_and_what_the_bars_say(opened: Opened, size: dict[str, Any]) -> None:
    roles = opened(3, **size).roles()
    count = [role for role, _name in roles].count
    assert [name for role, name in roles if role == "table"] == ["Clients, their last 14 days, and what is due next"]
    assert (count("row"), count("rowheader"), count("columnheader"), count("cell")) == (4, 3, 6, 15)
    assert ("searchbox", "Filter") in roles
    assert ("combobox", "Show") in roles
    assert ("StaticText", "6 missing, 4 collected") in roles
    assert any(role == "status" for role, _name in roles)


@pytest.mark.parametrize("clients", [3, 1_000])
@pytest.mark.parametrize("width", [320, 390, 800, 1_280])
def test_no_width_scrolls_sideways(opened: Opened, clients: int, width: int) -> None:
    browser = opened(clients, width=width, height=844, phone=width < 500)
    browser.value("document.querySelector('details').open = true")
    assert browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_a_phone_sorts_by_a_list(opened: Opened) -> None:
    browser = opened(1_000, **PHONE)
    assert browser.value("document.querySelector('#sort').checkVisibility()") is True
    browser.value("sort.value = 'client'; sort.dispatchEvent(new Event('change'))")
    assert browser.value(SHOWN)[:2] == ["client-0000", "client-0001"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [{}, PHONE], ids=["desk", "phone"])
def test_text_and_bars_stand_out_from_their_ground(opened: Opened, size: dict[str, Any], dark: bool) -> None:
    browser = opened(1_000, **size, dark=dark)
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark
    text = ["summary", ".overdue", ".state.ok", ".note", ".words", ".key-date.soon", "label", "#count", "input"]
    assert {selector: ratio for selector in text if (ratio := contrast(browser, selector)) < 4.5} == {}
    bars = [f".strip path.{name}" for name in ("missing", "late", "delivered", "collected", "empty")]
    assert {selector: ratio for selector in bars if (ratio := contrast(browser, selector)) < 3} == {}


def test_html_in_a_clients_name_column_or_key_stays_text(opened: Opened, statuses: dict[int, list[ClientView]]) -> None:
    view = statuses[3][0]
    key = replace(view.keys[0], label=NASTY, fingerprint=NASTY)
    hostile = replace(view, client=NASTY, contact=NASTY, columns=(NASTY,), notes=(NASTY,), keys=(key,), schedule=NASTY)
    browser = opened([hostile, statuses[3][1]])
    assert browser.value("document.title") == "referrals-prod: status"
    assert browser.value("document.querySelectorAll('script, img').length") == 1
    assert browser.value("document.querySelector('summary').textContent") == NASTY
    assert browser.value(SHOWN) == [NASTY, "client-0001"]
    assert browser.said("Log.entryAdded", "Runtime.exceptionThrown") == []


def test_a_page_of_a_thousand_clients_is_a_few_megabytes(statuses: dict[int, list[ClientView]]) -> None:
    assert len(page(statuses[1_000], now=NOW, stack="referrals-prod")) < 3_000_000
