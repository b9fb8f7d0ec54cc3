"""The server with its routes, from the beginning of a job to its end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from attrs import define, field

from adapters.status.pulse import Pulse, lives, serves
from adapters.status.server import Answer, Routes, StatusServer
from adapters.status.settings import StatusSettings
from domain.errors import SettingsInvalid
from domain.events import Listener
from domain.story import Story

log = logging.getLogger(__name__)

_METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The format that Prometheus reads."""

_ENDS_WITHIN = 0.1
"""Seconds that the end of the job waits for the server, at most."""

_FRESH = 1.0
"""Seconds that a page is good for: however many look, it is made once."""


@define(eq=False)
class Fresh:
    """
    Something that is made anew only now and then; for any number of threads.

    Attributes:
        make: Makes it.
    """

    make: Callable[[], bytes]
    _made: bytes = field(default=b"", init=False)
    _until: float = field(default=0.0, init=False)
    _making: threading.Lock = field(factory=threading.Lock, init=False)

    def __call__(self) -> bytes:
        """Return it."""
        with self._making:
            if time.monotonic() >= self._until:
                self._made = self.make()
                self._until = time.monotonic() + _FRESH
            return self._made


@contextmanager
def serving(
    settings: StatusSettings,
    story: Callable[[], Story],
    page: Callable[[], str],
    facts: Mapping[str, str],
) -> Iterator[Listener]:
    """
    Show the status as long as this lasts; the value is to hear of everything.

    Args:
        settings: Where; with a port.

        story: What has happened so far.

        page: Shows it to people.

        facts: Labels that tell this job from others.

    Raises:
        SettingsInvalid: There is no listening at that address and port.
    """
    # It takes memory that jobs save which nobody looks at.
    from adapters.status.metrics import Retries, StoryCollector, exposition

    pulse, retries = Pulse(), Retries()
    collector = StoryCollector(
        story, lambda: pulse.step_seconds, lambda: retries.count, facts
    )
    patience = settings.streamfit_status_patience
    routes = _routes(story, page, exposition(collector), pulse, patience)
    port = settings.streamfit_status_port or 0
    host = settings.streamfit_status_host
    try:
        server = StatusServer(host, port, routes)
    except OSError as reason:
        raise SettingsInvalid(
            f"STREAMFIT_STATUS_PORT: {host} port {port}: {reason.strerror}"
        ) from reason
    retries.attach()
    thread = threading.Thread(
        target=server.serve_forever, args=(_ENDS_WITHIN,), name="status", daemon=True
    )
    thread.start()
    where, port = server.server_address[:2]
    log.info("status is shown", extra={"host": where, "port": port})
    try:
        yield pulse
    finally:
        retries.detach()
        server.shutdown()
        server.server_close()
        thread.join()


def _routes(
    story: Callable[[], Story],
    page: Callable[[], str],
    metrics: Callable[[], bytes],
    pulse: Pulse,
    patience: float,
) -> Routes:
    shown, counted = Fresh(lambda: page().encode()), Fresh(metrics)
    return {
        "/": lambda: Answer(shown(), "text/html; charset=utf-8"),
        "/metrics": lambda: Answer(counted(), _METRICS),
        "/livez": lambda: _probe(
            lives(story(), pulse.silence, patience),
            f"nothing was told for {pulse.silence:.0f} s",
        ),
        "/readyz": lambda: _probe(serves(story()), "the model is not there yet"),
    }


def _probe(well: bool, otherwise: str) -> Answer:  # noqa: FBT001
    if well:
        return Answer(b"ok\n")
    return Answer(f"{otherwise}\n".encode(), status=HTTPStatus.SERVICE_UNAVAILABLE)
