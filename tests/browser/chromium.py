"""
Chromium without a window, driven over a pipe by its DevTools protocol.

No server and no driver are needed for that, and nothing listens on a port.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

PATIENCE = 60.0  # seconds
SWITCHES = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-sandbox",  # tests may run as root; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def chromium() -> str | None:
    """Return where Chromium is, if it is there."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@define
class Page:
    """
    One page.

    Attributes:
        requests: What it asked for, itself apart.

        errors: What the browser complained of.
    """

    _browser: Browser
    _session: str
    requests: list[str] = field(factory=list)
    errors: list[str] = field(factory=list)

    def value(self, expression: str) -> object:
        """Return what JavaScript says of the page."""
        told = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def text(self) -> str:
        """Return what there is to read."""
        return str(self.value("document.body.innerText"))

    def screenshot(self) -> bytes:
        """Return a picture of all of it, as PNG."""
        told = self._call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True
        )
        return base64.b64decode(told["data"])

    def open(self, url: str, width: int, *, dark: bool) -> None:
        """Show *url* on a screen of *width* points."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = "dark" if dark else "light"
        self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._call("Page.navigate", url=url)
        self._browser.wait_for(self._session, "Page.loadEventFired")
        for event in self._browser.events:
            self._take(url, event)

    def _take(self, url: str, event: Mapping[str, object]) -> None:
        told = event.get("params")
        match event["method"]:
            case "Network.requestWillBeSent":
                asked = told["request"]["url"]
                if asked != url and not asked.startswith("data:"):
                    self.requests.append(asked)
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.errors.append(json.dumps(told))
            case "Log.entryAdded":
                self.errors.append(told["entry"]["text"])

    def _call(self, method: str, **parameters: object) -> dict[str, object]:
        return self._browser.call(method, session=self._session, **parameters)


@define
class Browser:
    """A running Chromium; the pipe's two ends are ours."""

    _told: int
    _heard: int
    events: list[dict[str, object]] = field(factory=list)
    _number: int = 0
    _rest: bytes = b""

    @contextmanager
    def page(
        self, url: str, width: int = 1280, *, dark: bool = False
    ) -> Iterator[Page]:
        """Open *url*; everything that it does until it is loaded is known then."""
        self.events.clear()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        page = Page(self, session)
        page.open(url, width, dark=dark)
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)

    def call(self, method: str, session: str | None = None, **parameters: object):
        """Call *method* and return what it returns."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._told, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
            self.events.append(told)

    def wait_for(self, session: str, method: str) -> None:
        """Wait for an event."""

        def found() -> bool:
            return any(
                event["method"] == method and event.get("sessionId") == session
                for event in self.events
            )

        while not found():
            self.events.append(self._next())

    def _next(self) -> dict[str, object]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._heard], [], [], max(left, 0))
            assert ready, "Chromium says nothing"
            more = os.read(self._heard, 1 << 20)
            assert more, "Chromium has ended"
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium; it reads our messages at descriptor 3 and writes its own to 4."""
    program = chromium()
    assert program is not None
    with tempfile.TemporaryDirectory() as profile:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Out of the way of 3 and 4.
        high_in, high_out = (os.dup(fd) for fd in (theirs_in, theirs_out))
        while high_in < 5 or high_out < 5:
            high_in, high_out = os.dup(high_in), os.dup(high_out)
        silent = os.open(os.devnull, os.O_RDWR)
        process = os.posix_spawn(
            program,
            [program, *SWITCHES, f"--user-data-dir={profile}"],
            {**os.environ, "HOME": profile},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, silent, 1),
                (os.POSIX_SPAWN_DUP2, silent, 2),
                (os.POSIX_SPAWN_DUP2, high_in, 3),
                (os.POSIX_SPAWN_DUP2, high_out, 4),
            ],
            setpgroup=0,
        )
        for fd in (theirs_in, theirs_out, high_in, high_out, silent):
            os.close(fd)
        try:
            yield Browser(ours_out, ours_in)
        finally:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(ours_out)
            os.close(ours_in)
            _until_gone(process)


def _until_gone(group: int) -> None:
    """Wait for its other processes, which may still write to the profile."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def file_url(path: Path) -> str:
    """Return the address of a file."""
    return path.absolute().as_uri()
