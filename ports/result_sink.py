"""Where results go."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from domain.report import History, TrainingReport


class ResultSink(Protocol):
    """The back-end's record of this deployment's result."""

    def report_progress(self, history: History) -> None:
        """
        Publish the epochs so far; each call supersedes the one before.

        Best effort: it neither raises nor keeps training waiting.
        """
        ...

    def deliver(self, report: TrainingReport, model: Path) -> None:
        """
        Hand in the report and the trained model; accepted once it returns.

        Delivering the same result twice is harmless.  No progress is published after
        it.

        Raises:
            Unavailable: The back-end stayed away.

            DeploymentInvalid: The back-end refused the result.
        """
        ...
