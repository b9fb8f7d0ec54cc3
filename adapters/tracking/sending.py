"""The thread that talks to the server, so that nobody else has to wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from attrs import define, field

from adapters.tracking.errors import Away, Refused
from adapters.tracking.items import Begin, Item
from adapters.tracking.mailbox import Mailbox
from adapters.tracking.runs import Runs

log = logging.getLogger(__name__)

AFTER_SIGNAL = 2.0
"""Seconds that the end of a job waits that was told to stop."""

_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds from one attempt to the next."""

_LAST_ATTEMPTS = 3
"""So often something is tried again once the job has ended."""

_LONGEST_REASON = 500


@define(eq=False)
class Sender:
    """
    Sends what it is given, in order, as long as the job lasts and a while longer.

    Whatever goes wrong is said once, and costs what was to be sent and nothing else.

    Attributes:
        connect: Returns the server's runs; takes a second.  Raises Refused.

        hide: Takes the secrets out of a text.
    """

    connect: Callable[[], Runs]
    hide: Callable[[str], str]
    _mailbox: Mailbox = field(factory=Mailbox, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _warned: bool = field(default=False, init=False)
    _done: threading.Event = field(factory=threading.Event, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)

    def put(self, item: Item) -> None:
        """Have *item* sent, at some time."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="tracking", daemon=True
            )
            self._thread.start()
        self._mailbox.put(item)

    def finish(self, limit: float) -> None:
        """Wait until everything is sent, or for *limit* seconds."""
        if self._thread is None:
            return
        self._mailbox.close()
        if not self._done.wait(limit):
            self._warn(f"{limit:g} s were not enough for all that was left to send")
        self._over.set()
        if dropped := self._mailbox.dropped:
            level = logging.INFO if self._warned else logging.WARNING
            log.log(level, "metrics not tracked", extra={"moments": dropped})

    def _work(self) -> None:
        try:
            runs = self.connect()
            while (item := self._mailbox.take()) is not None:
                if not self._send(runs, item):
                    break
        except Refused as reason:
            self._warn(str(reason))
        except Exception as reason:  # noqa: BLE001  # of a library that is as large
            self._warn(f"{type(reason).__name__}: {reason}")
        self._mailbox.shut()
        self._done.set()

    def _send(self, runs: Runs, item: Item) -> bool:
        """Tell *runs* of *item*, sooner or later; returns whether to go on."""
        pause, last = _PAUSE, _LAST_ATTEMPTS
        while not self._over.is_set():
            try:
                runs.tell(item)
            except Refused as reason:
                self._warn(str(reason))
                if isinstance(item, Begin):
                    self._mailbox.skip_run()
                return True
            except Away as reason:
                self._warn(str(reason))
            else:
                return True
            if self._mailbox.pause(pause):
                last -= 1
                if not last or self._over.wait(_PAUSE):
                    return False
            pause = min(2 * pause, _LONGEST_PAUSE)
        return False

    def _warn(self, reason: str) -> None:
        if not self._warned and not self._over.is_set():
            self._warned = True
            shown = self.hide(reason)[:_LONGEST_REASON]
            log.warning("not everything is tracked", extra={"reason": shown})
