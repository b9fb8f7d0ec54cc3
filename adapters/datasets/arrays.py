"""NumPy's arrays, and whatever NumPy takes for some."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from attrs import frozen

from adapters.datasets.options import Numbers, fitted, numbers
from domain.batches import ElementSpec, ExampleBatch
from domain.sending import DataInvalid, InvalidExample
from ports import ExampleSource


@frozen(eq=False)
class ArraySource(ExampleSource):
    """
    Features and labels, example by example along the first axis.

    Attributes:
        examples: All of them.

        name: What to call the features in messages.
    """

    examples: ExampleBatch
    name: str

    @classmethod
    def of(
        cls,
        features: npt.ArrayLike,
        labels: npt.ArrayLike | None,
        *,
        dtype: str | None = None,
        label_dtype: str | None = None,
        names: tuple[str, str] = ("features", "labels"),
    ) -> ArraySource:
        """
        Make the data set of two arrays.

        Args:
            features: One for each example.

            labels: As many; None if there are none.

            dtype: Element type of the features, if not their own.

            label_dtype: Element type of the labels, if not their own.

            names: What to call the two in messages.

        Raises:
            DataInvalid: They are no numbers, or not as many labels as features.
        """
        rows = _array(features, dtype, names[0])
        if labels is None:
            return cls(ExampleBatch(rows, np.zeros(len(rows), np.uint8)), names[0])
        targets = _array(labels, label_dtype, names[1])
        if len(rows) != len(targets):
            raise DataInvalid(
                f"{names[0]}: {len(rows)} examples, but {len(targets)} labels in "
                f"{names[1]}"
            )
        return cls(ExampleBatch(rows, targets), names[0])

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like."""
        return self.examples.element_spec

    @property
    def total(self) -> int:
        """How many examples there are."""
        return len(self.examples)

    def batches(self, size: int) -> Iterator[ExampleBatch]:
        """Read the examples; see the port."""
        for start in range(0, self.total, size):
            yield self.examples[start : start + size]

    def place(self, index: int) -> str:
        """Name an example as NumPy would."""
        return f"{self.name}[{index}]"


def _array(given: npt.ArrayLike, dtype: str | None, name: str) -> Numbers:
    array = numbers(given, name)
    if not array.ndim:
        raise DataInvalid(f"{name}: is a single number, want one for each example")
    try:
        return fitted(array, dtype)
    except InvalidExample as error:
        raise DataInvalid(f"{name}[{error.index}]: {error.reason}") from error
