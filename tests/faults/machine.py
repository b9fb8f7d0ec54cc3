"""
The machine that a job runs on, and what it may run short of.

Nothing here needs privileges: a limit on the size of files, which the system lets us
change while the job runs, stands in for a full disk, and root is made like any user.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import define

from tests.end_to_end.process import COMMAND, Job
from tests.faults import halting_engine

UNLIMITED = resource.RLIM_INFINITY

_LAUNCH = """
import ctypes, os, resource, sys
_, largest, address_space, *command = sys.argv
for what, most in (
    (resource.RLIMIT_FSIZE, int(largest)), (resource.RLIMIT_AS, int(address_space))
):
    resource.setrlimit(what, (most, resource.RLIM_INFINITY))
if os.geteuid() == 0:  # who may write wherever it is forbidden, by his capabilities
    DROP_FROM_BOUNDING_SET = 24
    for capability in range(64):
        ctypes.CDLL(None).prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
os.execv(command[0], command)
"""


@contextmanager
def confined(
    environ: Mapping[str, str],
    *,
    largest_file: int = UNLIMITED,
    address_space: int = UNLIMITED,
    folder: Path | None = None,
) -> Iterator[Job]:
    """
    Run the installed command as a user without privileges.

    Args:
        environ: Its variables, beside HOME, which is where the tests' is if not given.

        largest_file: Bytes of a file, beyond which the disk is full.

        address_space: Bytes of memory that it may ask for.

        folder: Where it is started.
    """
    limits = [str(largest_file), str(address_space)]
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, *limits, COMMAND],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environ},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    job = Job(process)
    reader = threading.Thread(target=job.read)
    reader.start()
    try:
        yield job
    finally:
        process.kill()
        process.wait()
        reader.join()


def fill_disk(job: Job, largest_file: int = 0) -> None:
    """From now on no file of *job* gets larger than that."""
    limits = (largest_file, UNLIMITED)
    resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE, limits)


def make_room(job: Job) -> None:
    """Let its files be as large as they like again."""
    fill_disk(job, UNLIMITED)


@define
class Halts:
    """
    Where a training halts, so that something can be done to the machine there.

    Attributes:
        folder: For what it and the engine tell each other.

        engine: Which engine trains.
    """

    folder: Path
    engine: str

    def __attrs_post_init__(self) -> None:
        """Install the engine."""
        self.folder.mkdir()
        halting_engine.install(self.folder)

    def variables(self, *moments: str) -> dict[str, str]:
        """Return the variables that make it halt at *moments*."""
        return halting_engine.variables(self.folder, self.engine, moments)

    def wait_for(self, job: Job, moment: str) -> None:
        """Wait until the training of *job* has come to *moment*."""
        there = halting_engine.reached(self.folder, moment)
        wait_until(lambda: there.exists() or job.process.poll() is not None)
        assert there.exists(), job.lines

    def go_on(self, moment: str) -> None:
        """Let it go on."""
        halting_engine.passed(self.folder, moment).touch()


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for *condition*."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "what is waited for does not come"
        time.sleep(0.02)


def kill(job: Job) -> None:
    """End it at once, as it is."""
    job.process.send_signal(signal.SIGKILL)
    job.wait()
