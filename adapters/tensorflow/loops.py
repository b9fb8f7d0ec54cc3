"""Keras's loops, `fit`, `evaluate` and `predict`, on the job's own data."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from attrs import frozen

from adapters.tensorflow.blocks import (
    Run,
    block_steps,
    fitting_block,
    set_block,
    set_jit,
)
from adapters.tensorflow.files.format import LoadedModel
from adapters.tensorflow.fit_options import Scalar
from adapters.tensorflow.pipeline import Pipeline
from adapters.tensorflow.settings import TensorFlowSettings
from ports import Dataset

_QUIET: Mapping[str, Scalar] = {"verbose": 0}
"""The service's own log says how training goes; users may turn Keras's on."""


_HIDDEN_IN_BLOCK = "must be defined before the loop"
"""What Keras 2 says of a block if anything is wrong with its steps."""


@frozen
class Loops:
    """
    What all of Keras's loops want to know.

    Attributes:
        loaded: The model, compiled, and the Keras that it is of.

        settings: How to train.

        repeat: Whether data repeat without end where a number of steps is given.
    """

    loaded: LoadedModel
    settings: TensorFlowSettings
    repeat: bool

    @property
    def keras_model(self) -> Any:
        """The model itself, compiled."""
        return self.loaded.keras_model

    def options(
        self, function: Callable[..., object], given: Mapping[str, Scalar]
    ) -> dict[str, Any]:
        """Return the arguments *given* for *function* that this Keras knows."""
        known = inspect.signature(function).parameters
        return {n: v for n, v in {**_QUIET, **given}.items() if n in known}

    def pipeline(self) -> Pipeline:
        """Return a way of examples into Keras, for one of its loops."""
        return Pipeline(
            self.settings.batch,
            self.loaded.engine.backend.floatx(),
            # Keras 2 hands one label to all.
            len(self.keras_model.outputs) if self.loaded.of_keras_3 else 1,
        )

    def extent(self, dataset: Dataset, steps: int | None) -> Run:
        """Return how Keras runs through *dataset* with so many *steps* per epoch."""
        batches = math.ceil(len(dataset) / self.settings.batch)
        return Run(batches, steps, endless=self.endless(steps))

    def prepare(self, runs: Sequence[Run]) -> None:
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

    def run(self, function: Callable[..., Any], data: Any, **options: Any) -> Any:
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

    def times(self, steps: Scalar) -> int | None:
        """Return how often data are repeated; None for without end."""
        return None if self.endless(steps) else 1

    def endless(self, steps: Scalar) -> bool:
        """Whether data are repeated without end."""
        return self.repeat and steps is not None
