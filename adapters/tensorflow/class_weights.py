"""Weights that let every class count alike in training."""

from __future__ import annotations

import numpy as np

from adapters.tensorflow.classes import class_numbers
from domain.errors import TrainingFailed
from ports import Dataset

_VARIABLE = "STREAMFIT_CLASS_WEIGHTS"
_ROWS = 8192


def balanced(dataset: Dataset) -> dict[int, float]:
    """
    Return a weight for each class: examples / (classes * examples of the class).

    Reads all of *dataset* once.  Classes below the highest one that do not occur weigh
    1, since Keras wants a number for each.

    Raises:
        TrainingFailed: The labels are no classes.
    """
    counts = np.zeros(0, np.int64)
    for batch in dataset.batches(_ROWS):
        numbers = class_numbers(np.asarray(batch.labels))
        if numbers is None:
            raise TrainingFailed(f"{_VARIABLE}: the labels are no classes")
        found = np.bincount(numbers, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    occurring = np.count_nonzero(counts)
    return {
        number: float(counts.sum() / (occurring * count)) if count else 1.0
        for number, count in enumerate(counts.tolist())
    }
