"""Chromium without a window, driven over its DevTools protocol through a pair of pipes.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "Chromium is needed: apt-get install --no-install-recommends chromium"
_SECONDS = 60.0


def executable() -> str:
    """Where Chromium is; an error with the line that installs it where it is not."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise pytest.UsageError(INSTALL)
    return found


@dataclass
class Chromium:
    """One page of one browser; `events` are all that it has said."""

    process: "subprocess.Popen[bytes]"
    to_browser: int
    from_browser: int
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _SECONDS
        while True:
            said = self._next(deadline)
            if said.get("id") == self._number:
                assert "error" not in said, said["error"]
                result: dict[str, Any] = said["result"]
                return result

    def open(self, page: Path) -> Self:
        """Load a file, and wait until it is there."""
        before = len(self.events)
        self.call("Page.navigate", url=page.as_uri())
        self.wait(lambda: any(each["method"] == "Page.loadEventFired" for each in self.events[before:]), "the page")
        return self

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is; an error where it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def type(self, text: str) -> None:
        """Type text where the focus is."""
        for character in text:
            self.call("Input.dispatchKeyEvent", type="char", text=character)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key: Tab, Enter, Space, ArrowDown."""
        codes = {"Tab": 9, "Enter": 13, "Space": 32, "ArrowDown": 40}
        texts = {"Enter": "\r", "Space": " "}
        name = " " if key == "Space" else key
        asked = {"key": name, "code": key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 if shift else 0}
        down = {"type": "keyDown", "text": texts[key]} if key in texts else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **asked, **down)
        self.call("Input.dispatchKeyEvent", **asked, type="keyUp")

    def show_as(self, *, width: int, height: int, dark: bool = False, phone: bool = False) -> None:
        """Give the page a size, a colour scheme, and a phone's density and touch."""
        scale = 2 if phone else 1
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, file: Path) -> None:
        """What is seen, as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def roles(self) -> list[tuple[str, str]]:
        """Role and name of everything that a screen reader meets."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (str(node["role"]["value"]), str(node.get("name", {}).get("value", "")))
            for node in nodes
            if not node["ignored"]
        ]

    def said(self, *methods: str) -> list[dict[str, Any]]:
        """What the browser has said of these kinds."""
        self.value("new Promise(done => setTimeout(done, 50))")
        return [each["params"] for each in self.events if each["method"] in methods]

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Read what the browser says until the condition holds."""
        deadline = time.monotonic() + _SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited {_SECONDS} s for {what}"
            self._next(deadline)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.from_browser], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"the browser said nothing for {_SECONDS} s"
            read = os.read(self.from_browser, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\0")
        said: dict[str, Any] = json.loads(line)
        if "method" in said:
            self.events.append(said)
        return said


@contextmanager
def started(profile: Path) -> Iterator[Chromium]:
    """A browser with one empty page, which tells of requests, errors and the console."""
    reads_commands, to_browser = os.pipe()
    from_browser, writes_answers = os.pipe()
    # Chromium reads descriptor 3 and writes 4: put there by a shell, which is safe beside threads.
    command = f'exec "$0" "$@" 3<&{reads_commands} 4>&{writes_answers}'
    options = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-extensions", "--hide-scrollbars"),
        *("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"),
    ]
    process = subprocess.Popen(
        ["bash", "-c", command, executable(), *options],
        pass_fds=(reads_commands, writes_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for each in (reads_commands, writes_answers):
        os.close(each)
    browser = Chromium(process, to_browser, from_browser)
    try:
        pages = [each for each in browser.call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        attached = browser.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        browser.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            browser.call(f"{domain}.enable")
        yield browser
    finally:
        process.terminate()
        process.wait(_SECONDS)
        for each in (to_browser, from_browser):
            os.close(each)
