"""A back-end in memory: hands out one model, keeps what it is given."""

from __future__ import annotations

import tempfile
from pathlib import Path

from attrs import define, field, frozen

from domain.errors import DeploymentInvalid, ModelInvalid, Unavailable
from domain.report import History, TrainingReport


@frozen
class Delivery:
    """
    A result that was handed in.

    Attributes:
        report: Its metrics.

        model: Content of the trained model's file.
    """

    report: TrainingReport
    model: bytes = field(repr=False)


@define(eq=False)
class MemoryBackend:
    """
    ModelRepository and ResultSink of one deployment, without a network.

    Attributes:
        model: Content of the untrained model's file; None if there is no model.

        workdir: Where the model's file is written.

        available: Whether it answers at all.

        accepting: Whether it takes results.

        repeats: Whether it claims to hand out the same weights every time.

        progress: Every history that was reported, oldest first.

        deliveries: Every result that was handed in, oldest first.
    """

    model: bytes | None = field(repr=False)
    workdir: Path
    available: bool = True
    accepting: bool = True
    repeats: bool = True
    progress: list[History] = field(factory=list, init=False)
    deliveries: list[Delivery] = field(factory=list, init=False)

    def fetch(self) -> Path:
        """Write the model to a new file."""
        self._answer()
        if self.model is None:
            raise ModelInvalid("memory: there is no model")
        with tempfile.NamedTemporaryFile(
            prefix="untrained-", suffix=".h5", dir=self.workdir, delete=False
        ) as file:
            file.write(self.model)
        return Path(file.name)

    def report_progress(self, history: History) -> None:
        """Keep *history*, unless nobody is there."""
        if self.available:
            self.progress.append(history)

    def deliver(self, report: TrainingReport, model: Path) -> None:
        """Keep *report* and the content of *model*."""
        self._answer()
        if not self.accepting:
            raise DeploymentInvalid("memory: results are refused")
        self.deliveries.append(Delivery(report, model.read_bytes()))

    def _answer(self) -> None:
        if not self.available:
            raise Unavailable("memory: the back-end is away")
