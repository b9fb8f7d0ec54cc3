"""
Everything that the next training step depends on, in files.

Weights and optimizer; the state of random layers, which in Keras 3 is among the
variables, and in Keras 2 in generators of their own if there is a seed; and within an
epoch the metrics so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from attrs import frozen

from adapters.tensorflow.files.format import LoadedModel

_VARIABLES = "variables"
_WEIGHTS = "best"
_VERSIONS = "versions"


@frozen
class TrainingState:
    """
    The state of a training between two steps.

    Attributes:
        loaded: The model in training.
    """

    loaded: LoadedModel

    def write(self, folder: Path, *, within_epoch: bool) -> None:
        """
        Write it into *folder*.

        Args:
            folder: Empty.

            within_epoch: Whether the metrics count, too.

        Raises:
            OSError: There is no room, for instance.
        """
        with _errors_of_the_system():
            self._checkpoint(within_epoch=within_epoch).write(str(folder / _VARIABLES))
        (folder / _VERSIONS).write_text(self._versions)

    def read(self, folder: Path, *, within_epoch: bool) -> None:
        """
        Make it what was written into *folder*.

        Args:
            folder: Where it is.

            within_epoch: Whether the metrics count, too; then they have been made.
        """
        status = self._checkpoint(within_epoch=within_epoch).read(
            str(folder / _VARIABLES)
        )
        status.assert_existing_objects_matched()

    def fits(self, folder: Path) -> bool:
        """Whether *folder* is of such a model, and of engines of the same versions."""
        return (folder / _VERSIONS).read_text() == self._versions

    def metrics(self) -> list[np.ndarray]:
        """Return the metrics of the epoch so far."""
        return [variable.numpy() for variable in self._metrics()]

    def set_metrics(self, values: list[np.ndarray]) -> None:
        """Let the epoch's metrics go on from *values*."""
        for variable, value in zip(self._metrics(), values, strict=True):
            variable.assign(value)

    def _metrics(self) -> list[Any]:
        metrics = self.loaded.keras_model.metrics
        return [variable for metric in metrics for variable in metric.variables]

    def _checkpoint(self, *, within_epoch: bool) -> Any:
        parts = self._of_keras_3() if self.loaded.of_keras_3 else self._of_keras_2()
        if within_epoch:
            parts = {**parts, "metrics": self._unwrapped(self._metrics())}
        return tf.train.Checkpoint(**parts)

    @property
    def _versions(self) -> str:
        engines = f"TensorFlow {tf.__version__}, Keras {self.loaded.engine.__version__}"
        weights = [(w.shape, w.dtype) for w in self.loaded.keras_model.weights]
        return "\n".join([engines, *map(str, weights)])

    def _of_keras_3(self) -> Mapping[str, Any]:
        model = self.loaded.keras_model
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        return {"variables": self._unwrapped(variables)}

    def _of_keras_2(self) -> Mapping[str, Any]:
        model = self.loaded.keras_model
        return {"model": model, "random": list(_generators(model))}

    def _unwrapped(self, variables: list[Any]) -> list[Any]:
        """Return TensorFlow's own variables, which those of Keras 3 hold."""
        return [v.value for v in variables] if self.loaded.of_keras_3 else variables


def write_weights(weights: list[np.ndarray], folder: Path) -> None:
    """
    Write *weights* into *folder*, beside a state.

    Raises:
        OSError: There is no room, for instance.
    """
    with _errors_of_the_system():
        tf.raw_ops.SaveV2(
            prefix=str(folder / _WEIGHTS),
            tensor_names=[str(number) for number in range(len(weights))],
            shape_and_slices=[""] * len(weights),
            tensors=weights,
        )


def read_weights(folder: Path) -> list[np.ndarray] | None:
    """Return the weights that were written into *folder*, if there are any."""
    if not (folder / f"{_WEIGHTS}.index").exists():
        return None
    reader = tf.train.load_checkpoint(str(folder / _WEIGHTS))
    count = len(reader.get_variable_to_shape_map())
    return [reader.get_tensor(str(number)) for number in range(count)]


@contextmanager
def _errors_of_the_system() -> Iterator[None]:
    """Raise what the system says of a file as Python does, not as TensorFlow does."""
    try:
        yield
    except tf.errors.OpError as error:
        said = error.message.rpartition("; ")[2].partition(" [Op:")[0]
        raise OSError(said) from error


def _generators(model: Any) -> Iterator[Any]:
    """Yield the state of each random layer of *model*, one of Keras 2, that has one."""
    for layer in model._flatten_layers():  # noqa: SLF001  # no other reaches them all
        random = getattr(layer, "_random_generator", None)
        generator = getattr(random, "_generator", None)
        if generator is not None:
            yield generator.state
