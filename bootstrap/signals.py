"""What stops a job from outside."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from attrs import define, field

STOPPING = (signal.SIGTERM, signal.SIGINT)

GRACE = 10.0
"""Seconds that a job may take to close everything; Kubernetes kills it after 30."""


@define
class Signals:
    """
    SIGTERM and Ctrl-C end the job, with the exit code that shells expect.

    The first one raises SystemExit where Python is, so that everything is closed on the
    way out.  Native code may be in the way, for instance when a training waits for
    examples: so after a while, or with the second signal, the process ends as it is.
    What it keeps on disk bears that.

    Once it is settled how the job has ended, a signal changes nothing of that: there is
    only so much time left to tell those who watch.

    Attributes:
        last_word: Called with the exit code before the process ends as it is.

        grace: Seconds until then.

        code: The exit code that was asked for; None as long as there was no signal.  A
            library whose code was interrupted may have made an error of its own of it.

        terminal: Whether somebody sits there, who may press Ctrl-C once more.
    """

    last_word: Callable[[int], None]
    grace: float = GRACE
    code: int | None = field(default=None, init=False)
    terminal: bool = field(init=False)
    _settled: int | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.terminal = sys.stderr.isatty()  # later on it may lead elsewhere

    def install(self) -> None:
        """Take the signals from now on; on the main thread."""
        # Python's handlers wait until native code returns, this pipe does not.
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        threading.Thread(
            target=self._watch, args=(woken,), name="signals", daemon=True
        ).start()
        for number in STOPPING:
            signal.signal(number, self._take)

    def settle(self, code: int) -> None:
        """Let the process end with *code*, whatever comes; the last word is said."""
        self._settled = code

    def _take(self, number: int, _: FrameType | None) -> None:
        if self.code is None and self._settled is None:
            self.code = 128 + number
            if number == signal.SIGINT and self.terminal:
                sys.stderr.write("\nstopping; once more to stop at once\n")
            raise SystemExit(self.code)

    def _watch(self, woken: int) -> None:
        """End the process if it does not end by itself."""
        (number,) = os.read(woken, 1)
        select.select([woken], [], [], self.grace)  # the second one, or the time
        if self._settled is not None:
            os._exit(self._settled)
        self.last_word(128 + number)
        os._exit(128 + number)
