"""A Keras 2 model in training; importing this module imports TensorFlow."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any, Self

import h5py
import numpy as np
import tf_keras
from attrs import frozen

from adapters.tensorflow import classes, hdf5
from adapters.tensorflow.compiling import compile_arguments
from adapters.tensorflow.pipeline import Pipeline
from adapters.tensorflow.settings import Scalar, TensorFlowSettings
from domain.errors import ModelInvalid
from domain.report import ConfusionMatrix, EpochMetrics, Metrics
from ports import Dataset, EpochListener, TrainableModel

log = logging.getLogger(__name__)

_MESSAGE = 300

_QUIET: Mapping[str, Scalar] = {"verbose": 0}
"""The service's own log says how training goes; users may turn Keras's on."""


@frozen
class TensorFlowModel(TrainableModel):
    """
    A Keras 2 model in training.

    Attributes:
        keras_model: The model, compiled.

        came_from: The file it was loaded from.

        settings: How to train.

        workdir: Folder for the trained model.

        repeat: Whether data repeat without end where a number of steps is given.
    """

    keras_model: Any
    came_from: Path
    settings: TensorFlowSettings
    workdir: Path
    repeat: bool

    @classmethod
    def load(
        cls, model: Path, settings: TensorFlowSettings, workdir: Path, *, repeat: bool
    ) -> Self:
        """
        Load *model* afresh.

        Raises:
            ModelInvalid: The file holds no model that Keras can load and train.
        """
        training_config = hdf5.training_config(model)
        try:
            # Given an open file, Keras looks for no other format in it.
            with h5py.File(model) as file:
                keras_model = tf_keras.models.load_model(file, compile=True)
            # The optimizer has its state from the file; metrics wait for the labels.
            keras_model.compile(
                optimizer=keras_model.optimizer,
                **compile_arguments(training_config, keras_model.output_names),
            )
        except Exception as error:
            reason = shorten(str(error), _MESSAGE, placeholder=" ...")
            raise ModelInvalid(f"Keras cannot load the model: {reason}") from error
        return cls(keras_model, model, settings, workdir, repeat)

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
    ) -> None:
        """Train on *training*; see the port."""
        options = {**_QUIET, **self.settings.kwargs_fit}
        options["epochs"] = self._epochs(len(training), options)
        pipeline = Pipeline(self.settings.batch)
        report = pipeline.listener(on_epoch_end)
        progress = tf_keras.callbacks.LambdaCallback(
            on_epoch_end=lambda _, logs: report(_epoch_metrics(logs))
        )
        data = pipeline.feed(
            training, endless=self._endless(options.get("steps_per_epoch"))
        )
        validation_data = (
            pipeline.feed(
                validation, endless=self._endless(options.get("validation_steps"))
            )
            if validation
            else None
        )
        with pipeline.errors_unchanged():
            self.keras_model.fit(
                data, validation_data=validation_data, callbacks=[progress], **options
            )

    def evaluate(self, dataset: Dataset) -> Metrics:
        """Return loss and metrics on *dataset*; see the port."""
        options = {**_QUIET, **self.settings.kwargs_val}
        pipeline = Pipeline(self.settings.batch)
        data = pipeline.feed(dataset, endless=self._endless(options.get("steps")))
        with pipeline.errors_unchanged():
            metrics = self.keras_model.evaluate(data, return_dict=True, **options)
        return _scalars(metrics)

    def confusion_matrix(self, dataset: Dataset) -> ConfusionMatrix | None:
        """
        Compare predicted with true classes on *dataset*; see the port.

        If the options name a number of steps, only the examples of these count; the
        data are never repeated here.
        """
        if len(self.keras_model.outputs) > 1:
            log.warning("no confusion matrix: the model has several outputs")
            return None
        options = {**_QUIET, **self.settings.kwargs_val}
        pipeline = Pipeline(self.settings.batch)
        with pipeline.errors_unchanged():
            outputs = self.keras_model.predict(pipeline.feed(dataset), **options)
        labels = [np.asarray(b.labels) for b in dataset.batches(self.settings.batch)]
        return classes.confusion_matrix(outputs, np.concatenate(labels)[: len(outputs)])

    def save(self) -> Path:
        """Write the model as it came, with its new weights; see the port."""
        folder = tempfile.mkdtemp(prefix="trained-", dir=self.workdir)
        path = Path(folder) / "trained_model.h5"
        layers = [
            [w.numpy() for w in weights]
            for layer in self.keras_model.layers
            # The order in files differs from that of `layer.weights`.
            if (weights := layer.trainable_weights + layer.non_trainable_weights)
        ]
        hdf5.graft(self.came_from, layers, path)
        return path

    def _endless(self, steps: Scalar) -> bool:
        return self.repeat and steps is not None

    def _epochs(self, examples: int, options: Mapping[str, Any]) -> int:
        """
        Return the last epoch for which there are data.

        Keras notices that data have run out only in an epoch without any, and reports
        the metrics of the one before again.
        """
        epochs = int(options.get("epochs", 1))
        steps: int | None = options.get("steps_per_epoch")
        batches = math.ceil(examples / self.settings.batch)
        if steps is None or steps == batches or self._endless(steps):
            return epochs
        last = int(options.get("initial_epoch", 0)) + math.ceil(batches / steps)
        if last < epochs:
            log.warning(
                "fewer epochs: the data end before",
                extra={"batches": batches, "steps_per_epoch": steps, "epochs": last},
            )
        return min(epochs, last)


def _epoch_metrics(logs: Mapping[str, Any]) -> EpochMetrics:
    """Part what Keras reports after an epoch."""
    metrics = _scalars(logs)
    validation = {k: v for k, v in metrics.items() if k.startswith("val_")}
    return EpochMetrics(
        training={k: v for k, v in metrics.items() if k not in validation},
        validation={k.removeprefix("val_"): v for k, v in validation.items()},
    )


def _scalars(metrics: Mapping[str, Any]) -> Metrics:
    """Return the metrics that are one number each, ``loss`` first."""
    numbers = {k: float(v) for k, v in metrics.items() if np.ndim(v) == 0}
    if len(numbers) < len(metrics):
        log.warning(
            "metrics left out: not one number each",
            extra={"metrics": sorted(metrics.keys() - numbers.keys())},
        )
    return {"loss": numbers["loss"], **numbers}
