"""Runs that are kept as long as the process lasts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from domain.progress import TrainingProgress
from domain.report import TrainingReport
from ports import Checkpoint, Journal, Run


@define
class MemoryJournal(Journal):
    """
    A table of runs; the files of trainers lie in a folder.

    Attributes:
        workdir: Folder for them.

        lasting: Whether another job will ask for these runs, as in tests; else they
            have no folder of their own, and nothing need be kept there.
    """

    workdir: Path
    lasting: bool = True
    _runs: dict[str, MemoryRun] = field(factory=dict, init=False)

    def run(self, identity: str) -> Run:
        """Return the run of *identity*; see the port."""
        if identity not in self._runs:
            folder = None
            if self.lasting:
                folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.workdir))
            self._runs[identity] = MemoryRun(self.workdir, folder)
        return self._runs[identity]


@define
class MemoryRun(Run):
    """
    One run.

    Attributes:
        workdir: Folder for files.

        folder: A folder that lasts as long as the run, if anything does.

        delivered: The report that was accepted, if there is one.
    """

    workdir: Path
    folder: Path | None
    delivered: TrainingReport | None = field(default=None, init=False)
    _untrained: Path | None = field(default=None, init=False)
    _checkpoint: Checkpoint | None = field(default=None, init=False)
    _outbox: tuple[TrainingReport, Path] | None = field(default=None, init=False)

    def keep_model(self, untrained: Path) -> Path:
        """Return the model that this run began with; see the port."""
        self._untrained = self._untrained or untrained
        return self._untrained

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint; see the port."""
        return self._checkpoint

    def save_checkpoint(
        self, write: Callable[[Path], None], progress: TrainingProgress
    ) -> None:
        """Keep a training as it is now; see the port."""
        folder = Path(tempfile.mkdtemp(prefix="checkpoint-", dir=self.workdir))
        try:
            write(folder)
        except BaseException:
            shutil.rmtree(folder)
            raise
        before, self._checkpoint = self._checkpoint, Checkpoint(folder, progress)
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
        self.abandon()
        self.delivered = report

    def abandon(self) -> None:
        """Give up everything; see the port."""
        if self._checkpoint is not None:
            shutil.rmtree(self._checkpoint.folder)
        if self.folder is not None:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
        self._untrained = self._checkpoint = self._outbox = None
