"""Runs in a folder, one process at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import cattrs
from attrs import define, field, frozen

from adapters.state.room import failures, require_room
from adapters.state.sealed import Damaged, files_of, remove, seal, unseal
from adapters.state.settings import VARIABLE
from domain.errors import Unavailable
from domain.progress import TrainingProgress
from domain.report import TrainingReport
from ports import Checkpoint, Journal, Run

log = logging.getLogger(__name__)

VERSION = 1
"""Of the folder's layout; part of every name, so that versions never meet."""

MOST_DELIVERED = 100
MOST_BYTES = 64 << 20
"""Runs that are remembered after their delivery, and what they may take together."""

_UNTRAINED, _CHECKPOINT = "untrained", "checkpoint"
_OUTBOX, _DELIVERED = "outbox", "delivered"
_MODEL = "model"

_converter = cattrs.Converter()

T = TypeVar("T")


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
        with failures(self.folder, VARIABLE):
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
        size = 0
        delivered.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for younger, path in enumerate(delivered):
            size += sum(file.stat().st_size for file in files_of(path))
            if younger >= MOST_DELIVERED or (younger and size > MOST_BYTES):
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
        return _unsealed(self.folder / _DELIVERED, _report)

    def keep_model(self, untrained: Path) -> Path:
        """Return the model that this run began with; see the port."""
        folder = self.folder / _UNTRAINED
        if not _unsealed(folder, bool):
            with failures(self.folder):
                seal(folder, partial(_copy, untrained, _MODEL), {"of": "the model"})
        return folder / _MODEL

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint that is whole; see the port."""
        folder = self.folder / _CHECKPOINT
        progress = _unsealed(folder, _progress)
        return None if progress is None else Checkpoint(folder, progress)

    def save_checkpoint(
        self, write: Callable[[Path], None], progress: TrainingProgress
    ) -> None:
        """Keep a training as it is now; see the port."""
        note = {"progress": _converter.unstructure(progress)}
        with failures(self.folder):
            seal(self.folder / _CHECKPOINT, write, note)

    def outbox(self) -> tuple[TrainingReport, Path] | None:
        """Return the result that waits for delivery; see the port."""
        return _unsealed(self.folder / _OUTBOX, self._result)

    def put_into_outbox(
        self, report: TrainingReport, model: Path
    ) -> tuple[TrainingReport, Path]:
        """Make a result safe; see the port."""
        name = f"{_MODEL}{model.suffix}"
        note = {"report": _converter.unstructure(report), "model": name}
        with failures(self.folder):
            seal(self.folder / _OUTBOX, partial(_copy, model, name), note)
        return report, self.folder / _OUTBOX / name

    def finish(self, report: TrainingReport) -> None:
        """Note that *report* was accepted; see the port."""
        note = {"report": _converter.unstructure(report)}
        with failures(self.folder):
            # On a full disk the note has room once the rest is gone.  What is in the
            # outbox can be delivered again until then, without the rest.
            self._remove_but(_OUTBOX, _DELIVERED)
            seal(self.folder / _DELIVERED, lambda _: None, note)
            self._remove_but(_DELIVERED)

    def abandon(self) -> None:
        """Give up everything; see the port."""
        with failures(self.folder):
            remove(self.folder)

    def _remove_but(self, *names: str) -> None:
        for path in self.folder.iterdir():
            if path.name not in names:
                remove(path)

    def _result(self, note: Mapping[str, object]) -> tuple[TrainingReport, Path]:
        return _report(note), self.folder / _OUTBOX / str(note["model"])


def _is_delivered(run: Path) -> bool:
    return (run / _DELIVERED).exists()


def _unsealed(folder: Path, read: Callable[[Mapping[str, object]], T]) -> T | None:
    """Return what *read* makes of *folder*'s note; what is damaged is not believed."""
    try:
        note = unseal(folder)
        return None if note is None else read(note)
    except Damaged as damage:
        reason = damage.reason
    except (cattrs.BaseValidationError, ValueError, KeyError, TypeError) as error:
        reason = f"{folder}: a note of another kind, {error!r:.200}"
    log.warning("state not used", extra={"reason": reason})
    return None


def _report(note: Mapping[str, object]) -> TrainingReport:
    return _converter.structure(note["report"], TrainingReport)


def _progress(note: Mapping[str, object]) -> TrainingProgress:
    return _converter.structure(note["progress"], TrainingProgress)


def _copy(model: Path, name: str, folder: Path) -> None:
    require_room(
        folder, sum(path.stat().st_size for path in files_of(model)), "a model"
    )
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
    with suppress(OSError):  # on a full disk it is not told who has the folder
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
