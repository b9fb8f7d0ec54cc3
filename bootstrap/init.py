"""
A container's first process, where nobody else is.

When it ends, the kernel kills all others at once: with a job for first process, whoever
tells a crash's last words would be among them.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from bootstrap.signals import STOPPING

_PATIENCE = 5.0
"""Seconds that the others may take once the job has ended."""


def become_job() -> int | None:
    """
    Go on as another process, and let this one stand by.

    Returns:
        In the new process nothing; in this one, when all have ended, the new one's exit
        code, as shells tell it.
    """
    job = os.fork()  # as long as there is no other thread
    if not job:
        os.setsid()  # Ctrl-C comes from here alone, and so only once
        return None

    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(job, number)

    for number in STOPPING:
        signal.signal(number, pass_on)
    code = _wait(job)
    deadline = time.monotonic() + _PATIENCE
    while _others() and time.monotonic() < deadline:
        time.sleep(0.01)
    return code


def _wait(job: int) -> int:
    """Wait for *job*, and take away whoever else has ended."""
    while True:
        # Asked first, taken away later: until then its number is nobody else's.
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_pid == job:
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)
        pid, status = os.waitpid(ended.si_pid if ended else job, 0)
        if pid == job:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _others() -> bool:
    """Take away who has ended, and say whether there are any more."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
