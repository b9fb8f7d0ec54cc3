"""The installed command as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

COMMAND = Path(sys.executable).parent / "streamfit"


@define
class Job:
    """
    A running ``streamfit``.

    Attributes:
        process: The process; its standard error is read line by line.

        lines: What it has logged so far, parsed.

        foreign: What it has written to its log that is no JSON.
    """

    process: subprocess.Popen[str]
    lines: list[dict[str, object]] = field(factory=list)
    foreign: list[str] = field(factory=list)
    _news: threading.Condition = field(factory=threading.Condition)

    def read(self) -> None:
        """Parse every line that it logs, and keep those that cannot be parsed."""
        for line in self.process.stderr or ():
            with self._news:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.foreign.append(line)
                self._news.notify_all()

    def wait_for(self, event: str, timeout: float = 60) -> dict[str, object]:
        """Wait until *event* has been logged and return its line."""
        with self._news:
            assert self._news.wait_for(lambda: self.logged(event), timeout), self.lines
            return self.logged(event)[0]

    def logged(self, event: str) -> list[dict[str, object]]:
        """Return the lines of *event*."""
        return [line for line in self.lines if line["event"] == event]

    def wait(self, timeout: float = 120) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(timeout)


@contextmanager
def running(
    environ: Mapping[str, str], command: Sequence[str | Path] = (COMMAND,)
) -> Iterator[Job]:
    """Run the installed command with *environ* and nothing else of ours."""
    process = subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environ},
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


def run(environ: Mapping[str, str]) -> Job:
    """Run the installed command to its end."""
    with running(environ) as job:
        job.wait()
    assert [] == job.foreign
    return job
