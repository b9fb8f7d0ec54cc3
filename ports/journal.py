"""What a job keeps beyond its process, so that another one can go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from attrs import frozen

from domain.report import History, TrainingReport


@frozen
class Checkpoint:
    """
    A training as it was at some moment.

    Attributes:
        folder: The trainer's own files.

        history: The epochs that were complete.

        steps: Training steps that were done of the epoch after these.
    """

    folder: Path
    history: History
    steps: int


class Run(Protocol):
    """One request on its way to a result, by one model and one set of options."""

    @property
    def delivered(self) -> TrainingReport | None:
        """The report that was accepted, if there is one."""
        ...

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint that is whole, if there is one."""
        ...

    def save_checkpoint(
        self, write: Callable[[Path], None], history: History, steps: int
    ) -> None:
        """
        Keep a training as it is now; the one before is given up once this is safe.

        Args:
            write: Writes the trainer's files into an empty folder.

            history: The epochs that are complete.

            steps: Training steps done of the epoch after these.

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
