"""
The job, which sends itself a signal when a phase begins.

``python -m tests.faults.dying_job``, with DEATH=phase:time:signal, for instance
``training:1:9``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dependency_injector import providers

from bootstrap import main
from bootstrap.container import Container
from domain.phases import Phase

COMMAND = (sys.executable, "-m", "tests.faults.dying_job")


def death(phase: Phase, time: int, signal: int) -> dict[str, str]:
    """Return the variables of a job that gets *signal* at the *time*-th *phase*."""
    return {
        "DEATH": f"{phase}:{time}:{signal}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


if __name__ == "__main__":
    where, time, signal = os.environ["DEATH"].split(":")
    times = iter(range(int(time), 0, -1))

    def listen(phase: Phase) -> None:
        """Die, if it is time."""
        if phase == where and next(times, None) == 1:
            os.kill(os.getpid(), int(signal))

    Container.on_event.override(providers.Object(listen))
    sys.exit(main.main([]))
