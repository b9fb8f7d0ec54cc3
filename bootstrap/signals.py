"""What stops a job from outside."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from attrs import define

STOPPING = (signal.SIGTERM, signal.SIGINT)


@define
class Signals:
    """
    SIGTERM and Ctrl-C end the job, with the exit code that shells expect.

    The first one raises SystemExit where Python is, so that everything is closed on the
    way out; the second one does not wait for that.

    Attributes:
        code: The exit code that was asked for; None as long as there was no signal.  A
            library whose code was interrupted may have made an error of its own of it.
    """

    code: int | None = None

    def install(self) -> None:
        """Take the signals from now on; on the main thread."""
        for number in STOPPING:
            signal.signal(number, self._take)

    def _take(self, number: int, _: FrameType | None) -> None:
        if self.code is not None:
            os._exit(self.code)
        self.code = 128 + number
        if number == signal.SIGINT and sys.stderr.isatty():
            sys.stderr.write("\nstopping; once more to stop at once\n")
        raise SystemExit(self.code)
