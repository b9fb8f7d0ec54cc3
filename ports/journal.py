"""What a job keeps beyond its process, so that another one can go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from attrs import frozen

from domain.progress import TrainingProgress
from domain.report import TrainingReport


@frozen
class Checkpoint:
    """
    A training as it was at some moment.

    Attributes:
        folder: The trainer's own files.

        progress: How far it had got.
    """

    folder: Path
    progress: TrainingProgress


class Run(Protocol):
    """One request on its way to a result, by one model and one set of options."""

    @property
    def folder(self) -> Path | None:
        """
        A folder that lasts as long as the run, for what is too large for the journal.

        None if nothing lasts longer than the process: then nothing need be kept.
        """
        ...

    @property
    def delivered(self) -> TrainingReport | None:
        """The report that was accepted, if there is one."""
        ...

    def keep_model(self, untrained: Path) -> Path:
        """
        Return the untrained model that this run began with.

        Args:
            untrained: What to begin with if it has not begun yet; a file or a folder.

        Raises:
            Unavailable: It cannot be kept, for instance because the disk is full.
        """
        ...

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint that is whole, if there is one."""
        ...

    def save_checkpoint(
        self, write: Callable[[Path], None], progress: TrainingProgress
    ) -> None:
        """
        Keep a training as it is now; the one before is given up once this is safe.

        Args:
            write: Writes the trainer's files into an empty folder.

            progress: How far it has got.

        Raises:
            Unavailable: It cannot be kept, for instance because the disk is full.
        """
        ...

    def outbox(self) -> tuple[TrainingReport, Path] | None:
        """Return the report and the trained model that wait for delivery, if any."""
        ...

    def put_into_outbox(
        self, report: TrainingReport, model: Path
    ) -> tuple[TrainingReport, Path]:
        """
        Make a result safe before it is delivered.

        Returns:
            The report, and the model where it is kept.

        Raises:
            Unavailable: It cannot be kept.
        """
        ...

    def finish(self, report: TrainingReport) -> None:
        """Note that *report* was accepted, and give up everything else."""
        ...

    def abandon(self) -> None:
        """Give up everything: there will be no result."""
        ...


class Journal(Protocol):
    """A place for runs."""

    def run(self, identity: str) -> Run:
        """
        Return the run of *identity* as it was left, or a new one.

        Args:
            identity: A digest of everything that the result depends on.

        Raises:
            Unavailable: Another process is at work here, or the place cannot be used.
        """
        ...
