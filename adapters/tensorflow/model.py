"""A Keras model in training; importing this module imports TensorFlow."""

from __future__ import annotations

import inspect
import logging
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from attrs import frozen

from adapters.tensorflow import classes
from adapters.tensorflow.blocks import (
    Run,
    block_steps,
    fitting_block,
    set_block,
    set_jit,
)
from adapters.tensorflow.class_weights import balanced
from adapters.tensorflow.course import Course, scalars
from adapters.tensorflow.files.format import LoadedModel, ModelFile
from adapters.tensorflow.fit_options import Scalar
from adapters.tensorflow.keeper import Keeper
from adapters.tensorflow.pipeline import Passes, Pipeline
from adapters.tensorflow.settings import TensorFlowSettings
from adapters.tensorflow.stretches import Plan, Stretch
from adapters.tensorflow.training_state import TrainingState
from domain.errors import SettingsInvalid
from domain.report import ConfusionMatrix, Metrics
from ports import Checkpoints, Dataset, EpochListener, TrainableModel

log = logging.getLogger(__name__)

_QUIET: Mapping[str, Scalar] = {"verbose": 0}
"""The service's own log says how training goes; users may turn Keras's on."""


_HIDDEN_IN_BLOCK = "must be defined before the loop"
"""What Keras 2 says of a block if anything is wrong with its steps."""


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

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """Train on *training*; see the port."""
        options = self._options(self.keras_model.fit, self.settings.kwargs_fit)
        options["shuffle"] = False  # Keras would not, but Keras 3 warns of it
        if self.settings.streamfit_class_weights:
            options["class_weight"] = self._class_weights(training)
        pipeline = self._pipeline()
        course = Course(
            self.keras_model,
            self.settings,
            "val_loss" if validation else "loss",
            pipeline.listener(on_epoch_end),
        )
        plan = self._plan(len(training), options)
        fit = partial(self._fit, pipeline, (training, validation), options)
        if checkpoints is None:
            for stretch in plan.after(0, 0):
                fit(stretch, {"on_epoch_end": course.epoch_ended})
        else:
            state = TrainingState(self.loaded)
            keeper = Keeper(state, course, plan, checkpoints)
            try:
                for stretch in keeper.go_on(partial(self._build_metrics, training)):
                    fit(stretch, keeper.hooks(stretch))
            except SystemExit:
                keeper.interrupted()
                raise
        course.end()

    def _fit(
        self,
        pipeline: Pipeline,
        parts: tuple[Dataset, Dataset | None],
        options: Mapping[str, Any],
        stretch: Stretch,
        hooks: Mapping[str, Callable[..., None]],
    ) -> None:
        """Train and validate on *parts*, and call *hooks* where Keras does."""
        training, validation = parts
        passes = Passes(stretch.pass_number, stretch.skipped * self.settings.batch)
        steps, times = stretch.steps, self._times(stretch.steps)
        runs = [Run(stretch.batches, steps, endless=self._endless(steps))]
        if steps is None and not self.loaded.of_keras_3:
            # In one go through all epochs: to begin anew costs as much as some steps.
            # (Keras 3 would run a begun block on into the next epoch.)
            steps, times = stretch.batches, stretch.end - stretch.first
        arguments = {
            **options,
            "initial_epoch": stretch.first,
            "epochs": stretch.end,
            "steps_per_epoch": steps,
        }
        data = pipeline.feed(training, times=times, passes=passes)
        if validation:
            held_out = options.get("validation_steps")
            times = self._times(held_out)
            arguments["validation_data"] = pipeline.feed(validation, times=times)
            runs.append(self._extent(validation, held_out))
        self._prepare(runs)
        callback = _callback(
            self.loaded.engine, on_train_begin=lambda _: passes.start(), **hooks
        )
        with pipeline.errors_unchanged():
            self._run(self.keras_model.fit, data, callbacks=[callback], **arguments)

    def _build_metrics(self, dataset: Dataset) -> None:
        """Let Keras make the variables of its metrics, by a look at a batch."""
        pipeline = self._pipeline()
        set_block(self.keras_model, 1)
        with pipeline.errors_unchanged():
            self.keras_model.evaluate(pipeline.feed(dataset).take(1), verbose=0)

    def evaluate(self, dataset: Dataset) -> Metrics:
        """Return loss and metrics on *dataset*; see the port."""
        options = self._options(self.keras_model.evaluate, self.settings.kwargs_val)
        steps = options.get("steps")
        pipeline = self._pipeline()
        data = pipeline.feed(dataset, times=self._times(steps))
        self._prepare([self._extent(dataset, steps)])
        with pipeline.errors_unchanged():
            metrics = self._run(
                self.keras_model.evaluate, data, return_dict=True, **options
            )
        return scalars(self.keras_model, metrics)

    def confusion_matrix(self, dataset: Dataset) -> ConfusionMatrix | None:
        """
        Compare predicted with true classes on *dataset*; see the port.

        If the options name a number of steps, only the examples of these count; the
        data are never repeated here.
        """
        if len(self.keras_model.outputs) > 1:
            log.warning("no confusion matrix: the model has several outputs")
            return None
        options = self._options(self.keras_model.predict, self.settings.kwargs_val)
        pipeline = self._pipeline()
        set_block(self.keras_model, 1)  # in blocks, Keras joins outputs over and over
        with pipeline.errors_unchanged():
            outputs = self.keras_model.predict(pipeline.feed(dataset), **options)
        labels = [np.asarray(b.labels) for b in dataset.batches(self.settings.batch)]
        return classes.confusion_matrix(
            outputs,
            np.concatenate(labels)[: len(outputs)],
            logits=_of_logits(self.keras_model.loss),
        )

    def save(self) -> Path:
        """Write the model as it came, with its new weights; see the port."""
        folder = tempfile.mkdtemp(prefix="trained-", dir=self.workdir)
        return self.file.save(self.keras_model, Path(folder))

    def _options(
        self, function: Callable[..., object], given: Mapping[str, Scalar]
    ) -> dict[str, Any]:
        """Return the arguments *given* for *function* that this Keras knows."""
        known = inspect.signature(function).parameters
        return {n: v for n, v in {**_QUIET, **given}.items() if n in known}

    def _pipeline(self) -> Pipeline:
        return Pipeline(
            self.settings.batch,
            self.loaded.engine.backend.floatx(),
            # Keras 2 hands one label to all.
            len(self.keras_model.outputs) if self.loaded.of_keras_3 else 1,
        )

    def _extent(self, dataset: Dataset, steps: int | None) -> Run:
        batches = math.ceil(len(dataset) / self.settings.batch)
        return Run(batches, steps, endless=self._endless(steps))

    def _prepare(self, runs: Sequence[Run]) -> None:
        """Compile steps as wanted, and let as many run in one go as suit all *runs*."""
        if self.settings.streamfit_jit is not None:
            set_jit(self.keras_model, jit=self.settings.streamfit_jit)
        of_keras_3 = self.loaded.of_keras_3
        most = block_steps(
            self.settings.streamfit_steps_per_execution,
            self.keras_model,
            self.settings.batch,
            "GPU" if tf.config.list_logical_devices("GPU") else "CPU",
            of_keras_3=of_keras_3,
        )
        set_block(self.keras_model, fitting_block(most, runs, of_keras_3=of_keras_3))

    def _run(self, function: Callable[..., Any], data: Any, **options: Any) -> Any:
        """Let Keras's *function* run through *data*."""
        before = int(self.keras_model.optimizer.iterations)
        try:
            return function(data, **options)
        except ValueError as error:
            trained = int(self.keras_model.optimizer.iterations) > before
            if trained or _HIDDEN_IN_BLOCK not in str(error):
                raise
        set_block(self.keras_model, 1)
        return function(data, **options)

    def _class_weights(self, training: Dataset) -> Mapping[int, float]:
        if len(self.keras_model.outputs) > 1:
            raise SettingsInvalid(
                "STREAMFIT_CLASS_WEIGHTS: not for a model of several outputs"
            )
        return balanced(training)

    def _times(self, steps: Scalar) -> int | None:
        """Return how often data are repeated; None for without end."""
        return None if self._endless(steps) else 1

    def _endless(self, steps: Scalar) -> bool:
        return self.repeat and steps is not None

    def _plan(self, examples: int, options: Mapping[str, Any]) -> Plan:
        """
        Return the epochs for which there are data.

        Keras notices that data have run out only in an epoch without any, and reports
        the metrics of the one before again.
        """
        first = int(options.get("initial_epoch", 0))
        end = int(options.get("epochs", 1))
        steps: int | None = options.get("steps_per_epoch")
        batches = math.ceil(examples / self.settings.batch)
        endless = self._endless(steps)
        if steps is not None and steps != batches and not endless:
            last = first + math.ceil(batches / steps)
            if last < end:
                log.warning(
                    "fewer epochs: the data end before",
                    extra={
                        "batches": batches,
                        "steps_per_epoch": steps,
                        "epochs": last,
                    },
                )
            end = min(end, last)
        return Plan(first, end, batches, steps, endless)


def _callback(engine: Any, **hooks: Callable[..., None]) -> Any:
    """Return a callback of *engine* that has these *hooks* and no others."""
    kind = type(
        "Hooks",
        (engine.callbacks.Callback,),
        {
            "_supports_tf_logs": True,  # else Keras 2 fetches metrics after every block
            **{name: staticmethod(hook) for name, hook in hooks.items()},
        },
    )
    return kind()


def _of_logits(loss: Any) -> bool:
    """Whether *loss* is of those that take scores without a sigmoid."""
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits"))
