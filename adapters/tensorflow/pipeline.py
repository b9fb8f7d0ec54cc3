"""The job's datasets as tf.data, and the errors that may come back through it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import dropwhile
from textwrap import shorten
from typing import Any

import numpy as np
import tensorflow as tf
from attrs import define, field

from domain.batches import ExampleBatch, TensorSpec
from domain.errors import TrainingFailed
from domain.report import EpochMetrics
from ports import Dataset, EpochListener

log = logging.getLogger(__name__)

_CHUNK_ROWS = 32768
_CHUNK_BYTES = 16 << 20
_AHEAD = 64
_AHEAD_BYTES = 32 << 20
_ALIGNMENT = 64  # bytes; what TensorFlow asks of memory that it takes over
_MESSAGE = 300


@define
class Passes:
    """
    Counts how often training has begun to read its examples.

    Attributes:
        first: Number of the first pass.

        skipped: How many examples are left out of that one.
    """

    first: int = 0
    skipped: int = 0
    _next: int = field(init=False, default=0)

    def start(self) -> None:
        """Count from the first one on: what was read before was a look at the shape."""
        self._next = self.first

    def begin(self) -> int:
        """Return the number of the pass that begins."""
        number, self._next = self._next, self._next + 1
        return number


@define
class Pipeline:
    """
    The way of examples into TensorFlow, and of errors out of it.

    TensorFlow calls the job's own code, for the examples and after every epoch, and
    hides what goes wrong there behind errors of its own.  This remembers the original.
    Use one per call of Keras.

    Attributes:
        batch: Examples per step.

        floats: Keras's own type of floats.

        outputs: How many outputs want a label each; with 1, one serves them all.
    """

    batch: int
    floats: str = "float32"
    outputs: int = 1
    _reading: BaseException | None = field(default=None, init=False)
    _listening: BaseException | None = field(default=None, init=False)

    def feed(
        self,
        dataset: Dataset,
        *,
        times: int | None = 1,
        passes: Passes | None = None,
    ) -> Any:
        """
        Return *dataset* as a tf.data.Dataset of batches.

        Integers and bools stay what they are, and the model casts them: that is cheaper
        than to widen them here.  Floats become Keras's own, as those in an array given
        to `fit` do.

        Args:
            dataset: Read afresh in every pass, on a thread of TensorFlow.

            times: How often the examples come, one pass after the other; None for
                without end.

            passes: Counts the passes that training has made, if the order of the
                examples may depend on it, or some were trained on before.
        """
        spec = dataset.element_spec
        features = _signature(spec.features, self.floats)
        label = _signature(spec.label, self.floats)
        rows = chunk_rows(spec.features, self.batch)
        data = tf.data.Dataset.from_generator(
            lambda: self._read(
                lambda: _one_pass(dataset, rows, passes), features, label
            ),
            output_signature=(features, label),
        )
        data = data.rebatch(self.batch)
        if self.outputs > 1:
            data = data.map(lambda x, y: (x, (y,) * self.outputs))
        data = data.repeat(times)
        if times is not None:
            # Of an unknown size, Keras asks for a batch too many, and optimizers count
            # it.
            batches = math.ceil(len(dataset) / self.batch) * times
            skipped = passes.skipped // self.batch if passes else 0
            data = data.apply(
                tf.data.experimental.assert_cardinality(batches - skipped)
            )
        return data.prefetch(_prefetched(spec.features, self.batch))

    def features(self, examples: ExampleBatch) -> np.ndarray:
        """Return a copy of the features of *examples*, as `feed` would have them."""
        dtype = _signature(examples.element_spec.features, self.floats).dtype
        return _aligned(examples.features, dtype.as_numpy_dtype)

    def _read(
        self,
        batches: Callable[[], Iterator[ExampleBatch]],
        features: Any,
        label: Any,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        try:
            for batch in batches():
                # A copy: TensorFlow would take over the array as it is, and lets a
                # layer write its output over its input, even if that is read-only.
                yield (
                    _aligned(batch.features, features.dtype.as_numpy_dtype),
                    _aligned(batch.labels, label.dtype.as_numpy_dtype),
                )
        except Exception as error:
            self._reading = error
            raise

    def listener(self, listener: EpochListener) -> Callable[[EpochMetrics], None]:
        """Return *listener*; what it raises comes out of `errors_unchanged`."""

        def listen(metrics: EpochMetrics) -> None:
            try:
                listener(metrics)
            except Exception as error:
                self._listening = error
                raise

        return listen

    @contextmanager
    def errors_unchanged(self) -> Iterator[None]:
        """
        Bring out the errors of the dataset and the listener as they were raised.

        Raises:
            TrainingFailed: Keras or TensorFlow found fault with the examples.
        """
        try:
            yield
        except (ValueError, TypeError, tf.errors.OpError) as error:
            failure = self._cause(error)
        else:
            return
        raise failure  # out here, so that the error keeps its own context

    def _cause(self, error: Exception) -> BaseException:
        of_tensorflow = isinstance(error, tf.errors.OpError)
        out_of_memory = isinstance(error, tf.errors.ResourceExhaustedError)
        if error is self._listening:
            return error
        if of_tensorflow and self._reading is not None:
            return self._reading
        if out_of_memory:  # no fault of the examples
            return error
        gist = shorten(_gist(error), _MESSAGE, placeholder=" ...")
        failure = TrainingFailed(f"the examples do not suit the model: {gist}")
        failure.__cause__ = error
        return failure


def _one_pass(
    dataset: Dataset, rows: int, passes: Passes | None
) -> Iterator[ExampleBatch]:
    """Begin to read *dataset*, so many *rows* at a time."""
    if passes is None:
        return dataset.batches(rows)
    number = passes.begin()
    if number != passes.first:
        return dataset.batches(rows, number)
    return _warning_if_alike(dataset.batches(rows, number, passes.skipped))


def _warning_if_alike(batches: Iterator[ExampleBatch]) -> Iterator[ExampleBatch]:
    """Pass *batches* on; at their end, warn if all labels were alike."""
    first, alike, count = None, True, 0
    for batch in batches:
        labels = np.asarray(batch.labels)
        first = labels[:1] if first is None else first
        alike = alike and bool((labels == first).all())
        count += len(labels)
        yield batch
    if alike and count > 1:
        log.warning(
            "the labels are all alike: there is nothing to learn",
            extra={"examples": count},
        )


def _signature(spec: TensorSpec, floats: str) -> Any:
    """Return the type of a batch of examples."""
    dtype = np.dtype(spec.dtype)
    if np.issubdtype(dtype, np.floating):
        dtype = np.dtype(floats)
    return tf.TensorSpec((None, *spec.shape), dtype)


def _aligned(values: Any, dtype: Any) -> np.ndarray:
    """Return a copy of *values* that TensorFlow takes over without one more copy."""
    array = np.asarray(values)
    size = array.size * np.dtype(dtype).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    copy: np.ndarray = memory[start : start + size].view(dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _prefetched(features: TensorSpec, batch: int) -> int:
    """Return how many batches are made beforehand: as many as a block may run."""
    size = batch * np.dtype(features.dtype).itemsize * math.prod(features.shape)
    return max(2, min(_AHEAD, _AHEAD_BYTES // max(size, 1)))


def chunk_rows(features: TensorSpec, batch: int) -> int:
    """
    Return how many examples to hand over at once: some batches.

    Python is slow per call, so that small batches would wait for it; whole batches
    spare TensorFlow the joining of rests.
    """
    size = np.dtype(features.dtype).itemsize * math.prod(features.shape)
    rows = min(_CHUNK_ROWS, _CHUNK_BYTES // max(size, 1))
    return max(rows // batch, 1) * batch


_NOISE = re.compile(
    r"\s*($|File \"|Detected at|Graph execution|in user code|Node:|\[\[|<stack|"
    r"Arguments received|Call arguments|Stack trace|Original stack|\d+ root error)"
)
_PYTHON_ERROR = re.compile(r"\s*(?:[A-Z]\w*(?:Error|Exception)): (?P<said>.+)")


def _gist(error: Exception) -> str:
    """Return the sentence in the long text of an error of Keras or TensorFlow."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = str(text).splitlines()
    for line in reversed(lines):
        if found := _PYTHON_ERROR.match(line):
            return found["said"]
    return next(dropwhile(_NOISE.match, lines), type(error).__name__)
