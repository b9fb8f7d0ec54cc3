"""A journal whose process is killed before any step that changes its folder."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

from adapters.state import FolderJournal
from tests.contracts.journal import REPORT
from tests.faults.writing_job import CHECKPOINTS

PATIENCE = 30.0


def test_every_step(tmp_path, tally):
    """What was done is there, what was begun is not, or is there as a whole."""
    for step in count(1):
        folder = tmp_path / str(step)
        folder.mkdir()
        job = subprocess.run(
            [sys.executable, "-m", "tests.faults.writing_job", folder, str(step)],
            check=False,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        done = job.stdout.splitlines()
        assert_kept(folder, done)
        if not job.returncode:
            break
        assert -signal.SIGKILL == job.returncode, job.stderr
        tally.points += 1

    assert ["delivered"] == done[-1:]
    assert step > 50


def assert_kept(folder: Path, done: list[str]) -> None:
    """Look at *folder* as the next process would."""
    journal = FolderJournal(folder)
    run = journal.run("one")
    delivered, outbox, checkpoint = run.delivered, run.outbox(), run.checkpoint()
    journal.close()
    if "delivered" in done:
        assert REPORT == delivered
        assert (None, None) == (outbox, checkpoint)
        return
    if delivered is not None:  # all of it, and only after the result was safe
        assert "outbox" in done
        assert REPORT == delivered
        return
    if "outbox" in done:
        assert outbox is not None
    if outbox is not None:
        assert f"checkpoint {CHECKPOINTS - 1}" in done
        assert (REPORT, b"trained") == (outbox[0], outbox[1].read_bytes())
        return
    saved = [line for line in done if line.startswith("checkpoint")]
    if checkpoint is not None:
        number = checkpoint.progress.steps
        assert number in {len(saved) - 1, len(saved)}
        assert b"%d" % number == (checkpoint.folder / "weights").read_bytes()
    else:
        assert not saved
