"""A trainer that learns nothing, at once: for tests and first steps."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from attrs import define, frozen

from domain.batches import Guesses
from domain.errors import ModelInvalid, Unavailable
from domain.events import StepsDone
from domain.report import ConfusionMatrix, EpochMetrics, Metrics
from ports import (
    Checkpoints,
    Dataset,
    EpochListener,
    ModelPart,
    ModelReader,
    StepListener,
    TrainableModel,
    Trainer,
)

log = logging.getLogger(__name__)

_ROWS = 1024
_KEPT = "epochs"
_MARK = b"\ntrained for %d epochs by FakeTrainer"
_MARKED = re.compile(rb"(.*)" + _MARK.replace(b"%d", rb"(\d+)"), re.DOTALL)


@frozen
class FakeTrainer(Trainer, ModelReader):
    """
    Reads every example and makes up the metrics: the loss after *n* epochs is 1/(n+1).

    Attributes:
        epochs: How many epochs to pretend.

        workdir: Folder for trained models; the system's own for passing files if None.
    """

    epochs: int = 3
    workdir: Path | None = None

    def inspect(self, model: Path) -> str:
        """
        Take any file for a model that is not empty, and each for the same one.

        Raises:
            ModelInvalid: The file is empty or not there.
        """
        try:
            empty = not model.stat().st_size
        except OSError as error:
            raise ModelInvalid(f"the model file cannot be read: {error}") from error
        if empty:
            raise ModelInvalid("the model file is empty")
        return ""

    def describe(self, model: Path) -> tuple[ModelPart, ...]:
        """Tell that anything is taken, by the rules of `inspect`; see ModelReader."""
        self.inspect(model)
        return (ModelPart("bytes", compiled=True),)

    def prepare(self) -> None:
        """Do nothing: there is no framework to wait for."""

    def load(self, model: Path) -> TrainableModel:
        """
        Keep the bytes of *model*, and go on where a saved one was.

        Raises:
            ModelInvalid: The file is empty or not there.
        """
        self.inspect(model)
        content, trained = model.read_bytes(), 0
        if marked := _MARKED.fullmatch(content):
            content, trained = marked[1], int(marked[2])
        return FakeModel(content, self.epochs, self.workdir, trained)


@define
class FakeModel(TrainableModel):
    """
    Some bytes, and how often they were trained.

    Attributes:
        content: The untrained file.

        epochs: How many epochs a fit takes.

        workdir: Folder for the trained model.

        trained: How many epochs it has gone through.
    """

    content: bytes
    epochs: int
    workdir: Path | None
    trained: int = 0

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
        checkpoints: Checkpoints | None = None,
        on_steps: StepListener | None = None,
    ) -> None:
        """Read both datasets once per epoch, and keep how often that was."""
        first = 0
        if checkpoints is not None and checkpoints.latest is not None:
            first = len(checkpoints.latest.progress.history)
            self.trained = int((checkpoints.latest.folder / _KEPT).read_text())
        for epoch in range(first, self.epochs):
            _read(training, epoch)
            self.trained += 1
            if on_steps is not None:
                on_steps(StepsDone(epoch + 1, self.epochs, 1, 1))
            if validation:
                _read(validation)
            metrics = self._metrics()
            on_epoch_end(EpochMetrics(metrics, metrics if validation else {}))
            if checkpoints is not None:
                checkpoints.save(self._write, 0)

    def evaluate(self, dataset: Dataset) -> Metrics:
        """Read *dataset* once."""
        _read(dataset)
        return self._metrics()

    def confusion_matrix(self, dataset: Dataset) -> ConfusionMatrix | None:
        """Claim that every class was recognised."""
        labels = np.concatenate(list(_read_labels(dataset)))
        if labels.size != len(labels) or labels.dtype.kind not in "biu":
            log.warning("no confusion matrix: the labels are no classes")
            return None
        classes, counts = np.unique(labels.astype(np.int64), return_counts=True)
        table = np.diag(counts)
        return ConfusionMatrix(
            tuple(classes.tolist()), tuple(map(tuple, table.tolist()))
        )

    def classify(self, dataset: Dataset) -> Iterator[Guesses]:
        """
        Read the class off an example's first number, which is cut off.

        The score is the number's fraction *f*, and the surer, the more it was trained:
        1 - (1 - f) / (n + 1) after *n* epochs.
        """
        for batch in dataset.batches(_ROWS):
            features = np.asarray(batch.features, np.float64)
            first = np.abs(features.reshape(len(batch), -1)[:, 0])
            classes = first.astype(np.int64)
            scores = 1 - (1 - (first - classes)) / (self.trained + 1)
            yield Guesses(classes, scores)

    def save(self) -> Path:
        """Write the bytes that came, and a mark behind them."""
        try:
            with tempfile.NamedTemporaryFile(
                prefix="trained-", suffix=".h5", dir=self.workdir, delete=False
            ) as file:
                file.write(self.content + _MARK % self.trained)
        except OSError as reason:
            what = f"{self.workdir}: the trained model cannot be written"
            raise Unavailable(f"{what}: {reason.strerror or reason}") from reason
        return Path(file.name)

    def keep(self, folder: Path) -> None:
        """Write how often it was trained."""
        self._write(folder)

    def resume(self, folder: Path) -> bool:
        """Have been trained that often."""
        self.trained = int((folder / _KEPT).read_text())
        return True

    def _write(self, folder: Path) -> None:
        (folder / _KEPT).write_text(str(self.trained))

    def _metrics(self) -> Metrics:
        loss = 1 / (self.trained + 1)
        return {"loss": loss, "accuracy": 1 - loss}


def _read(dataset: Dataset, epoch: int = 0) -> None:
    for _ in _read_labels(dataset, epoch):
        pass


def _read_labels(dataset: Dataset, epoch: int = 0) -> Iterator[np.ndarray]:
    return (np.asarray(batch.labels) for batch in dataset.batches(_ROWS, epoch))
