"""
An engine that says what it read, and that goes on when it is told to.

It stands before one of ours.  Jobs find it as a plug-in, as `installed` makes one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from attrs import define, field, frozen

from bootstrap.container import Container
from domain.batches import ElementSpec, ExampleBatch
from domain.report import ConfusionMatrix, EpochMetrics, Metrics
from ports import (
    Checkpoints,
    Dataset,
    EpochListener,
    StepListener,
    TrainableModel,
    Trainer,
)

ENGINE = "WATCHED_ENGINE"
"""Variable that names the engine of ours."""

GATE = "WATCHED_GATE"
"""Variable that names a file with a byte for every epoch after which to go on."""

PATIENCE = 280.0
"""Seconds that a gate may be shut."""

ENTRY_POINTS = f"""
[streamfit.trainers]
watched = {__name__}:watched
"""


def installed(folder: Path) -> dict[str, str]:
    """Install the plug-in in *folder*; returns the variables that select it."""
    info = folder / "watched-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: watched\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    root = Path(__file__).parents[2]
    return {"STREAMFIT_ENGINE": "watched", "PYTHONPATH": f"{folder}:{root}"}


def watched(environ: Mapping[str, str]) -> WatchedTrainer:
    """Put the engine before the one that *environ* names: the plug-in's entry point."""
    container = Container(environ={**environ, "STREAMFIT_ENGINE": environ[ENGINE]})
    gate = Path(environ[GATE]) if GATE in environ else None
    return WatchedTrainer(container, container.trainer(), gate)


@frozen
class WatchedTrainer(Trainer):
    """
    Trains as another one does.

    Attributes:
        container: Keeps the folder in which that one works.

        trainer: That one.

        gate: The file that lets it go on after an epoch; None if it always may.
    """

    container: Container
    trainer: Trainer
    gate: Path | None

    def inspect(self, model: Path) -> str:
        return self.trainer.inspect(model)

    def prepare(self) -> None:
        self.trainer.prepare()

    def load(self, model: Path) -> TrainableModel:
        return WatchedModel(self.trainer.load(model), self.gate)


@frozen
class WatchedModel(TrainableModel):
    """A model whose metrics have one more, which tells what was read."""

    model: TrainableModel
    gate: Path | None

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
        checkpoints: Checkpoints | None = None,
        on_steps: StepListener | None = None,
    ) -> None:
        trained_on = Watched(training)
        validated_on = Watched(validation) if validation else None
        epochs = 0

        def listener(metrics: EpochMetrics) -> None:
            nonlocal epochs
            validated = validated_on.told() if validated_on else {}
            told = EpochMetrics(
                {**metrics.training, **trained_on.told(epochs)},
                {**metrics.validation, **validated},
            )
            epochs += 1
            on_epoch_end(told)
            self._wait(epochs)

        self.model.fit(trained_on, validated_on, listener, checkpoints, on_steps)

    def _wait(self, epochs: int) -> None:
        """Wait until training may go on after so many *epochs*."""
        give_up_at = time.monotonic() + PATIENCE
        while self.gate is not None and self.gate.stat().st_size < epochs:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{self.gate} stays shut after epoch {epochs}")
            time.sleep(0.02)

    def evaluate(self, dataset: Dataset) -> Metrics:
        examples = Watched(dataset)
        return {**self.model.evaluate(examples), **examples.told()}

    def confusion_matrix(self, dataset: Dataset) -> ConfusionMatrix | None:
        return self.model.confusion_matrix(dataset)

    def save(self) -> Path:
        return self.model.save()

    def keep(self, folder: Path) -> None:
        self.model.keep(folder)

    def resume(self, folder: Path) -> bool:
        return self.model.resume(folder)


@define
class Watched(Dataset):
    """A dataset that tells what was read from it: every row counts, and their order."""

    dataset: Dataset
    _read: dict[int, tuple[hashlib._Hash, hashlib._Hash]] = field(factory=dict)

    @property
    def element_spec(self) -> ElementSpec:
        return self.dataset.element_spec

    def __len__(self) -> int:
        return len(self.dataset)

    def batches(
        self, size: int, epoch: int = 0, start: int = 0
    ) -> Iterator[ExampleBatch]:
        columns = self._read[epoch] = (hashlib.sha256(), hashlib.sha256())
        for batch in self.dataset.batches(size, epoch, start):
            rows = (batch.features, batch.labels)
            for column, values in zip(columns, rows, strict=True):
                column.update(np.ascontiguousarray(values))
            yield batch

    def told(self, epoch: int = 0) -> Metrics:
        """Return a number that no other rows have, as a metric."""
        both = b"".join(column.digest() for column in self._read[epoch])
        return {"rows": int(hashlib.sha256(both).hexdigest()[:12], 16) / 16**12}
