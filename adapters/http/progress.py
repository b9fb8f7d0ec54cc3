"""The epochs so far, posted by a thread of its own: training never waits for it."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import httpx
from attrs import define, evolve, field

from adapters.http.client import check, exchange
from adapters.http.settings import HttpSettings
from adapters.wire.result import progress_text
from domain.report import History

log = logging.getLogger(__name__)

_LIMIT = 10.0  # seconds; the next epoch's post makes good for a lost one


def metrics_url(result_url: str) -> str | None:
    """Return where progress goes, or None if *result_url* does not tell."""
    parts = urlsplit(result_url)
    before, found, after = parts.path.rpartition("/results/")
    if not found:
        return None
    return urlunsplit(parts._replace(path=f"{before}/results_metrics/{after}"))


@define(eq=False)
class Progress:
    """
    Posts the latest state; states that came while it was busy are skipped.

    Attributes:
        settings: The back-end's; its URL is that of the metrics.

        text: Writes a state down.
    """

    settings: HttpSettings
    text: Callable[[History], str] = progress_text
    _latest: History | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _changed: threading.Condition = field(factory=threading.Condition, init=False)

    @classmethod
    def beside(
        cls, settings: HttpSettings, text: Callable[[History], str] = progress_text
    ) -> Progress | None:
        """Return progress for the result of *settings*, if its URL allows it."""
        url = metrics_url(settings.result_url)
        if url is None:
            log.warning("no progress without /results/", extra={"url": settings.place})
            return None
        return cls(
            evolve(
                settings,
                result_url=url,
                streamfit_http_attempts=1,
                streamfit_http_total_timeout=min(
                    _LIMIT, settings.streamfit_http_total_timeout
                ),
            ),
            text,
        )

    def publish(self, history: History) -> None:
        """Have *history* posted instead of whatever still waits."""
        with self._changed:
            self._latest = history
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="progress", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def end(self) -> None:
        """Drop what still waits, and begin no other post."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def stop(self) -> None:
        """Return once nothing more will be posted; what still waits is dropped."""
        self.end()
        if self._thread is not None:
            # A second more than a post may last: a name server can overstay.
            self._thread.join(self.settings.streamfit_http_total_timeout + 1)

    def _run(self) -> None:
        while (history := self._next()) is not None:
            try:
                data = {"data": self.text(history)}
                exchange(self.settings, functools.partial(_post, data=data))
            except Exception as reason:  # noqa: BLE001 - whatever it is, training goes on
                log.warning("progress not published", extra={"reason": repr(reason)})

    def _next(self) -> History | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._latest is not None)
            latest, self._latest = self._latest, None
            return None if self._stopped else latest


async def _post(
    client: httpx.AsyncClient, url: httpx.URL, data: dict[str, str]
) -> None:
    async with client.stream("POST", url, data=data) as response:
        await check(response)
