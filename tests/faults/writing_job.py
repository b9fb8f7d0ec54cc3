"""
A run's whole life in a journal, which ends at a step on the way.

``python -m tests.faults.writing_job FOLDER STEP``: the process kills itself before it
takes the STEP-th of the steps that change a folder.  It tells what it has done by then,
line by line.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

from adapters.state import FolderJournal
from domain.progress import TrainingProgress
from tests.contracts.journal import HISTORY, REPORT

CHANGES = {
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "shutil.copyfile",
    "shutil.rmtree",
}
"""What Python says, before it does it, of everything that changes a folder."""

CHECKPOINTS = 3


def main(folder: Path, last: int) -> None:
    """Live until step *last*."""
    steps = count(1)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and str(arguments[1]).startswith(("w", "x", "a"))
        if (event in CHANGES or writes) and next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    run = FolderJournal(folder).run("one")
    sys.addaudithook(watch)
    model = folder / "model.h5"
    model.write_bytes(b"untrained")
    run.keep_model(model)
    tell("model")
    for number in range(CHECKPOINTS):
        run.save_checkpoint(
            lambda place: written(place, b"%d" % number),  # noqa: B023  # called now
            TrainingProgress(HISTORY, number),
        )
        tell(f"checkpoint {number}")
    model.write_bytes(b"trained")
    run.put_into_outbox(REPORT, model)
    tell("outbox")
    run.finish(REPORT)
    tell("delivered")


def written(folder: Path, weights: bytes) -> None:
    """Write a trainer's files."""
    (folder / "weights").write_bytes(weights)


def tell(done: str) -> None:
    """Say what is done, whatever comes."""
    sys.stdout.write(f"{done}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
