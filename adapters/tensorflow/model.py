"""A Keras model in training; importing this module imports TensorFlow."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

from adapters.tensorflow import classes
from adapters.tensorflow.blocks import set_block
from adapters.tensorflow.course import by_part, scalars
from adapters.tensorflow.files.format import LoadedModel, ModelFile
from adapters.tensorflow.fitting import Fitting
from adapters.tensorflow.loops import Loops
from adapters.tensorflow.pipeline import chunk_rows
from adapters.tensorflow.settings import TensorFlowSettings
from adapters.tensorflow.training_state import TrainingState
from domain.batches import Guesses
from domain.errors import Unavailable
from domain.report import ConfusionMatrix, Metrics
from ports import Checkpoints, Dataset, EpochListener, StepListener, TrainableModel

log = logging.getLogger(__name__)


@frozen
class TensorFlowModel(TrainableModel):
    """
    A Keras model in training.

    Attributes:
        loaded: The model, compiled, and the Keras that it is of.

        file: Where it was loaded from.

        settings: How to train.

        workdir: Folder for the trained model.

        repeat: Whether data repeat without end where a number of steps is given.
    """

    loaded: LoadedModel
    file: ModelFile
    settings: TensorFlowSettings
    workdir: Path
    repeat: bool

    @property
    def keras_model(self) -> Any:
        """The model itself, compiled."""
        return self.loaded.keras_model

    @property
    def _loops(self) -> Loops:
        return Loops(self.loaded, self.settings, self.repeat)

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
        checkpoints: Checkpoints | None = None,
        on_steps: StepListener | None = None,
    ) -> None:
        """Train on *training*; see the port."""
        Fitting(self._loops).fit(
            training, validation, on_epoch_end, checkpoints, on_steps
        )

    def evaluate(self, dataset: Dataset) -> Metrics:
        """Return loss and metrics on *dataset*; see the port."""
        options = self._loops.options(
            self.keras_model.evaluate, self.settings.kwargs_val
        )
        steps = options.get("steps")
        pipeline = self._loops.pipeline()
        data = pipeline.feed(dataset, times=self._loops.times(steps))
        self._loops.prepare([self._loops.extent(dataset, steps)])
        with pipeline.errors_unchanged():
            metrics = self._loops.run(
                self.keras_model.evaluate, data, return_dict=True, **options
            )
        return by_part(scalars(self.keras_model, metrics), self.loaded.parts)

    def confusion_matrix(self, dataset: Dataset) -> ConfusionMatrix | None:
        """
        Compare predicted with true classes on *dataset*; see the port.

        If the options name a number of steps, only the examples of these count; the
        data are never repeated here.
        """
        if len(self.keras_model.outputs) > 1:
            log.warning("no confusion matrix: the model has several outputs")
            return None
        options = self._loops.options(
            self.keras_model.predict, self.settings.kwargs_val
        )
        pipeline = self._loops.pipeline()
        set_block(self.keras_model, 1)  # in blocks, Keras joins outputs over and over
        with pipeline.errors_unchanged():
            outputs = self.keras_model.predict(pipeline.feed(dataset), **options)
        labels = [np.asarray(b.labels) for b in dataset.batches(self.settings.batch)]
        return classes.confusion_matrix(
            outputs,
            np.concatenate(labels)[: len(outputs)],
            logits=_of_logits(self.keras_model.loss),
        )

    def classify(self, dataset: Dataset) -> Iterator[Guesses]:
        """Tell the classes that the last output names, in blocks; see the port."""
        batch, logits = self.settings.batch, _of_logits(self.keras_model.loss)
        rows = chunk_rows(dataset.element_spec.features, batch)
        self._loops.prepare([self._loops.extent(dataset, None)])
        for block in dataset.batches(rows):
            pipeline = self._loops.pipeline()
            features = pipeline.features(block)
            with pipeline.errors_unchanged():
                outputs = self.keras_model.predict(
                    features, batch_size=batch, verbose=0
                )
            yield classes.guesses(_last(outputs), logits=logits)

    def save(self) -> Path:
        """Write the model as it came, with its new weights; see the port."""
        try:
            return self._save_into(
                Path(tempfile.mkdtemp(prefix="trained-", dir=self.workdir))
            )
        except OSError as reason:
            what = f"{self.workdir}: the trained model cannot be written"
            raise Unavailable(f"{what}: {reason.strerror or reason}") from reason

    def _save_into(self, folder: Path) -> Path:
        saved = self.file.save(self.keras_model, folder)
        if saved == folder:  # of a chain
            return folder
        # A file without its folder: whoever removes it leaves nothing behind.
        alone = saved.rename(folder.with_suffix(saved.suffix))
        folder.rmdir()
        return alone

    def keep(self, folder: Path) -> None:
        """Write all that the next `fit` depends on; see the port."""
        TrainingState(self.loaded).write(folder, within_epoch=False)

    def resume(self, folder: Path) -> bool:
        """Make the model what it was when it was kept; see the port."""
        state = TrainingState(self.loaded)
        if not state.fits(folder):
            return False
        state.read(folder, within_epoch=False)
        return True


def _last(outputs: Any) -> np.ndarray:
    """Return the last of a model's *outputs*, or the only one."""
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    return np.asarray(outputs[-1] if isinstance(outputs, list | tuple) else outputs)


def _of_logits(loss: Any) -> bool:
    """Whether *loss* is of those that take scores without a sigmoid."""
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits"))
