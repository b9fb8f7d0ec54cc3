"""
An engine that halts at certain moments until it is told to go on.

It stands before one of ours, and changes nothing else.  Jobs find it as a plug-in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import define, field, frozen

from bootstrap.container import Container
from domain.batches import Guesses
from domain.report import ConfusionMatrix, EpochMetrics, Metrics
from ports import (
    Checkpoints,
    Dataset,
    EpochListener,
    StepListener,
    TrainableModel,
    Trainer,
)

LOADED = "loaded"
SAVED = "saved"

_ENGINE, _FOLDER, _MOMENTS = "HALTING_ENGINE", "HALTING_FOLDER", "HALTING_MOMENTS"
_PATIENCE = 120.0
"""Seconds that it halts at most."""

_ENTRY_POINTS = f"""
[streamfit.trainers]
halting = {__name__}:halting
"""


def epoch(number: int) -> str:
    """Return the moment at which so many epochs are trained, and the last is told."""
    return f"epoch-{number}"


def install(folder: Path) -> None:
    """Install the plug-in in *folder*."""
    info = folder / "halting-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: halting\n")
    (info / "entry_points.txt").write_text(_ENTRY_POINTS)


def variables(folder: Path, engine: str, moments: Sequence[str]) -> dict[str, str]:
    """Return the variables that select it, in front of *engine*."""
    return {
        "STREAMFIT_ENGINE": "halting",
        "PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}",
        _ENGINE: engine,
        _FOLDER: str(folder),
        _MOMENTS: ",".join(moments),
    }


def reached(folder: Path, moment: str) -> Path:
    """Return the file that is there once *moment* has come."""
    return folder / f"{moment}.reached"


def passed(folder: Path, moment: str) -> Path:
    """Return the file that is waited for."""
    return folder / f"{moment}.passed"


def halting(environ: Mapping[str, str]) -> HaltingTrainer:
    """Put the engine before the one that *environ* names: the plug-in's entry point."""
    container = Container(environ={**environ, "STREAMFIT_ENGINE": environ[_ENGINE]})
    moments = frozenset(environ[_MOMENTS].split(","))
    halts = Halts(Path(environ[_FOLDER]), moments)
    return HaltingTrainer(container, container.trainer(), halts)


@frozen
class Halts:
    """Where to halt."""

    folder: Path
    moments: frozenset[str]

    def at(self, moment: str) -> None:
        """Halt, if this is one of the moments."""
        if moment not in self.moments:
            return
        reached(self.folder, moment).touch()
        give_up_at = time.monotonic() + _PATIENCE
        while not passed(self.folder, moment).exists():
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"nobody lets the training go on from {moment}")
            time.sleep(0.02)


@frozen
class HaltingTrainer(Trainer):
    """Trains as another one does, whose folder the container keeps."""

    container: Container
    trainer: Trainer
    halts: Halts

    def inspect(self, model: Path) -> str:
        return self.trainer.inspect(model)

    def prepare(self) -> None:
        self.trainer.prepare()

    def load(self, model: Path) -> TrainableModel:
        loaded = self.trainer.load(model)
        self.halts.at(LOADED)
        return HaltingModel(loaded, self.halts)


@define
class HaltingModel(TrainableModel):
    """A model in training, of another engine."""

    model: TrainableModel
    halts: Halts
    epochs: int = field(default=0, init=False)

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
        checkpoints: Checkpoints | None = None,
        on_steps: StepListener | None = None,
    ) -> None:
        def listener(metrics: EpochMetrics) -> None:
            on_epoch_end(metrics)
            self.epochs += 1
            self.halts.at(epoch(self.epochs))

        self.model.fit(training, validation, listener, checkpoints, on_steps)

    def evaluate(self, dataset: Dataset) -> Metrics:
        return self.model.evaluate(dataset)

    def confusion_matrix(self, dataset: Dataset) -> ConfusionMatrix | None:
        return self.model.confusion_matrix(dataset)

    def classify(self, dataset: Dataset) -> Iterator[Guesses]:
        return self.model.classify(dataset)

    def save(self) -> Path:
        saved = self.model.save()
        self.halts.at(SAVED)
        return saved

    def keep(self, folder: Path) -> None:
        self.model.keep(folder)

    def resume(self, folder: Path) -> bool:
        return self.model.resume(folder)
