"""How a job ended, for a Prometheus Pushgateway: one that has ended is not scraped."""

from __future__ import annotations

import base64
import logging
import threading
import urllib.request
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import define, field, frozen

from domain.events import Event, JobEnded
from domain.story import Story

log = logging.getLogger(__name__)

SECONDS = 5.0
"""That the end of the job waits for the gateway, at most."""

IN_A_HURRY = 2.0
"""The same after a signal: whoever sent it is waiting, too."""

_STOPPED = (130, 143)


@frozen
class Gateway:
    """
    One deployment's group of metrics at a Pushgateway.

    Attributes:
        address: The gateway's, without a login.

        group: What the group is called, as a path.

        authorization: What says who asks; empty if nobody wants to know.
    """

    address: str
    group: str
    authorization: str = field(default="", repr=False)

    @classmethod
    def at(cls, address: str, deployment: str) -> Gateway:
        """Return the group of *deployment* at *address*, which may hold a login."""
        parts = urlsplit(address)
        login, _, host = parts.netloc.rpartition("@")
        base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        # In base64 there is no name that a path cannot hold; "=" stands for nothing.
        group = _base64(deployment, url=True) or "="
        return cls(
            base,
            f"/metrics/job/streamfit/deployment@base64/{group}",
            f"Basic {_base64(_login(login))}" if login else "",
        )

    def add(self, metrics: bytes, content_type: str, seconds: float) -> None:
        """
        Replace the metrics of the same names, and leave others as they are.

        Args:
            metrics: What to tell.

            content_type: How that is written.

            seconds: Between two signs of life.

        Raises:
            OSError: It was not accepted.
        """
        headers = {"Content-Type": content_type}
        if self.authorization:
            headers["Authorization"] = self.authorization
        request = urllib.request.Request(  # noqa: S310  # http or https, see settings
            self.address + self.group, metrics, headers, method="POST"
        )
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=seconds):
            pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A password is not for anybody else, and a POST would become a GET."""

    def redirect_request(self, *_: object) -> None:
        """Go nowhere; see urllib."""


@define(eq=False)
class Push:
    """
    A listener that tells a gateway how the job has ended.

    What is pushed on success alone stays there when a later job fails.

    Attributes:
        gateway: Where to.

        story: What has happened.

        hide: Takes secrets out of a text.
    """

    gateway: Gateway
    story: Callable[[], Story]
    hide: Callable[[str], str]
    _reason: str | None = field(default=None, init=False)

    def __call__(self, event: Event) -> None:
        """Push if *event* is the end, for a few seconds at most."""
        if not isinstance(event, JobEnded):
            return
        from adapters.status.last import FORMAT, last_metrics  # in memory only now

        metrics = last_metrics(self.story(), event.code)
        seconds = IN_A_HURRY if event.code in _STOPPED else SECONDS
        self._reason = f"no answer in {seconds:g} s"
        # Not by the time-out alone: a gateway may send a byte now and then.
        pushing = threading.Thread(
            target=self._push, args=(metrics, FORMAT, seconds), name="push", daemon=True
        )
        pushing.start()
        pushing.join(seconds)
        if self._reason is not None:
            address = self.gateway.address
            told = {"address": address, "reason": self.hide(self._reason)}
            log.warning("metrics not pushed", extra=told)

    def _push(self, metrics: bytes, content_type: str, seconds: float) -> None:
        try:
            self.gateway.add(metrics, content_type, seconds)
        except TimeoutError:
            pass  # that is what it says already
        except Exception as reason:  # noqa: BLE001  # the thread ends with it
            self._reason = str(reason) or type(reason).__name__
        else:
            self._reason = None


def _login(text: str) -> str:
    user, _, password = text.partition(":")
    return f"{unquote(user)}:{unquote(password)}"


def _base64(text: str, *, url: bool = False) -> str:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    return encode(text.encode(errors="surrogateescape")).decode("ascii")
