"""Runs that are kept as long as the process lasts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from domain.report import History, TrainingReport
from ports import Checkpoint, Journal, Run


@define
class MemoryJournal(Journal):
    """
    A table of runs; the files of trainers lie in a folder.

    Attributes:
        workdir: Folder for them.
    """

    workdir: Path
    _runs: dict[str, MemoryRun] = field(factory=dict, init=False)

    def run(self, identity: str) -> Run:
        """Return the run of *identity*; see the port."""
        return self._runs.setdefault(identity, MemoryRun(self.workdir))


@define
class MemoryRun(Run):
    """
    One run.

    Attributes:
        workdir: Folder for files.

        delivered: The report that was accepted, if there is one.
    """

    workdir: Path
    delivered: TrainingReport | None = field(default=None, init=False)
    _checkpoint: Checkpoint | None = field(default=None, init=False)
    _outbox: tuple[TrainingReport, Path] | None = field(default=None, init=False)

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint; see the port."""
        return self._checkpoint

    def save_checkpoint(
        self, write: Callable[[Path], None], history: History, steps: int
    ) -> None:
        """Keep a training as it is now; see the port."""
        folder = Path(tempfile.mkdtemp(prefix="checkpoint-", dir=self.workdir))
        try:
            write(folder)
        except BaseException:
            shutil.rmtree(folder)
            raise
        before, self._checkpoint = self._checkpoint, Checkpoint(folder, history, steps)
        if before is not None:
            shutil.rmtree(before.folder)

    def outbox(self) -> tuple[TrainingReport, Path] | None:
        """Return the result that waits for delivery; see the port."""
        return self._outbox

    def put_into_outbox(
        self, report: TrainingReport, model: Path
    ) -> tuple[TrainingReport, Path]:
        """Make a result safe; see the port."""
        self._outbox = report, model
        return self._outbox

    def finish(self, report: TrainingReport) -> None:
        """Note that *report* was accepted; see the port."""
        self.delivered = report
        if self._checkpoint is not None:
            shutil.rmtree(self._checkpoint.folder)
        self._checkpoint = self._outbox = None
