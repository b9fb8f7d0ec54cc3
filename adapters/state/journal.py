"""Runs in a folder, one process at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import cattrs
from attrs import define, field, frozen, validators

from adapters.state.sealed import Damaged, remove, seal, unseal
from domain.errors import Unavailable
from domain.progress import TrainingProgress
from domain.report import TrainingReport
from ports import Checkpoint, Journal, Run

log = logging.getLogger(__name__)

VERSION = 1
"""Of the folder's layout; part of every name, so that versions never meet."""

MOST_DELIVERED = 100
"""Runs that are remembered after their delivery."""

_UNTRAINED, _CHECKPOINT = "untrained", "checkpoint"
_OUTBOX, _DELIVERED = "outbox", "delivered"
_MODEL = "model"

_converter = cattrs.Converter()


@frozen
class StateSettings:
    """
    Where state is kept.

    Attributes:
        streamfit_state_dir: The folder; without one, a job that dies starts over.

        streamfit_checkpoint_seconds: After how long a training is kept within an epoch;
            0 for every opportunity, whatever it costs.
    """

    streamfit_state_dir: Path | None = None
    streamfit_checkpoint_seconds: float = field(
        default=60.0, validator=validators.ge(0)
    )


@define(eq=False)
class FolderJournal(Journal):
    """
    Keeps runs in a folder, and the folder for this process.

    Attributes:
        folder: Made if it is not there.
    """

    folder: Path
    _lock: int | None = field(default=None, init=False)

    def run(self, identity: str) -> Run:
        """Return the run of *identity*; see the port."""
        with _failures(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._lock is None:
                self._lock = _lock(self.folder / "lock")
            here = self.folder / f"v{VERSION}-{identity}"
            others = [path for path in self._runs() if path != here]
            self._forget([path for path in others if _is_delivered(path)])
            for path in others:
                if not _is_delivered(path):
                    log.warning(
                        "state of another run left alone",
                        extra={
                            "path": str(path),
                            "reason": "of another request, model, setting or version",
                        },
                    )
            here.mkdir(exist_ok=True)
        return FolderRun(here)

    def close(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _runs(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("v*-*") if path.is_dir())

    @staticmethod
    def _forget(delivered: list[Path]) -> None:
        """Remove the oldest of those that are only remembered."""
        delivered.sort(key=lambda path: path.stat().st_mtime)
        for path in delivered[: max(len(delivered) - MOST_DELIVERED, 0)]:
            remove(path)


@frozen
class FolderRun(Run):
    """
    One run in a folder of its own.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def delivered(self) -> TrainingReport | None:
        """The report that was accepted; see the port."""
        note = _unsealed(self.folder / _DELIVERED)
        if note is None:
            return None
        return _converter.structure(note["report"], TrainingReport)

    def keep_model(self, untrained: Path) -> Path:
        """Return the model that this run began with; see the port."""
        folder = self.folder / _UNTRAINED
        if _unsealed(folder) is None:
            with _failures(self.folder):
                seal(folder, partial(_copy, untrained, _MODEL), {})
        return folder / _MODEL

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint that is whole; see the port."""
        folder = self.folder / _CHECKPOINT
        note = _unsealed(folder)
        if note is None:
            return None
        progress = _converter.structure(note["progress"], TrainingProgress)
        return Checkpoint(folder, progress)

    def save_checkpoint(
        self, write: Callable[[Path], None], progress: TrainingProgress
    ) -> None:
        """Keep a training as it is now; see the port."""
        note = {"progress": _converter.unstructure(progress)}
        with _failures(self.folder):
            seal(self.folder / _CHECKPOINT, write, note)

    def outbox(self) -> tuple[TrainingReport, Path] | None:
        """Return the result that waits for delivery; see the port."""
        folder = self.folder / _OUTBOX
        note = _unsealed(folder)
        if note is None:
            return None
        report = _converter.structure(note["report"], TrainingReport)
        return report, folder / cast("str", note["model"])

    def put_into_outbox(
        self, report: TrainingReport, model: Path
    ) -> tuple[TrainingReport, Path]:
        """Make a result safe; see the port."""
        name = f"{_MODEL}{model.suffix}"
        note = {"report": _converter.unstructure(report), "model": name}
        with _failures(self.folder):
            seal(self.folder / _OUTBOX, partial(_copy, model, name), note)
        return report, self.folder / _OUTBOX / name

    def finish(self, report: TrainingReport) -> None:
        """Note that *report* was accepted; see the port."""
        note = {"report": _converter.unstructure(report)}
        with _failures(self.folder):
            seal(self.folder / _DELIVERED, lambda _: None, note)
            for path in self.folder.iterdir():
                if path.name != _DELIVERED:
                    remove(path)

    def abandon(self) -> None:
        """Give up everything; see the port."""
        with _failures(self.folder):
            remove(self.folder)


def _is_delivered(run: Path) -> bool:
    return (run / _DELIVERED).exists()


def _unsealed(folder: Path) -> dict[str, object] | None:
    """Return the note of *folder*; what is damaged is not believed."""
    try:
        note = unseal(folder)
    except Damaged as damage:
        log.warning("state not used", extra={"reason": damage.reason})
        return None
    return None if note is None else dict(note)


def _copy(model: Path, name: str, folder: Path) -> None:
    if model.is_dir():  # a SavedModel
        shutil.copytree(model, folder / name)
    else:
        shutil.copyfile(model, folder / name)


def _lock(path: Path) -> int:
    """Take the folder for this process; the end of the process gives it back."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise Unavailable(
            f"{path.parent}: another process uses this state, {holder or 'unknown'}"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


@contextmanager
def _failures(folder: Path) -> Iterator[None]:
    """Name the folder that cannot be used."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{folder}: {error.strerror or error}") from error
