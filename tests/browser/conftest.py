"""One browser for each worker, and pages of statuses to open in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from referralctl.status.page import write_page
from referralctl.status.view import ClientView
from tests.browser import chromium
from tests.browser.chromium import Chromium
from tests.browser.statuses import NOW, many

Opened = Callable[..., Chromium]
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844, "phone": True}


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Chromium with one page."""
    with chromium.started(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="session")
def statuses() -> dict[int, list[ClientView]]:
    """Statuses of 3 and of 1,000 clients."""
    return {count: many(count) for count in (3, 1_000)}


@pytest.fixture
def opened(browser: Chromium, statuses: dict[int, list[ClientView]], tmp_path: Path) -> Opened:
    """Opens the page of 3 or 1,000 clients, or of the clients given."""

    def open_(clients: int | list[ClientView] = 3, **size: int | bool) -> Chromium:
        browser.events.clear()
        browser.show_as(**{**DESK, **size})  # type: ignore[arg-type]  # width and height are whole numbers
        file = tmp_path / "status.html"
        write_page(file, statuses[clients] if isinstance(clients, int) else clients, now=NOW, stack="referrals-prod")
        return browser.open(file)

    return open_
