"""Which classes labels name."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.label_counts import label_counts


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_numbers(dtype, shape):
    """Whole numbers name classes, whatever their type."""
    labels = np.array([3, 0, 3, 1], dtype).reshape(shape)

    assert {0: 1, 1: 1, 3: 2} == label_counts(labels)


def test_truth():
    assert {0: 1, 1: 2} == label_counts(np.array([True, False, True]))


def test_one_hot():
    """The place of the only 1 is the class."""
    assert {0: 1, 2: 2} == label_counts(np.eye(3, dtype=np.float32)[[2, 0, 2]])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0.5, 1.0]),
        np.array([np.nan, 1.0]),
        np.array([np.inf]),
        np.array([1e300]),
        np.array([[1, 1, 0]]),
        np.array([[2, 0, 1]]),
        np.zeros((2, 2, 2)),
        np.array([], np.uint8),
        np.array([1j]),
    ],
)
def test_no_classes(labels):
    """Anything else is no class."""
    assert label_counts(labels) is None
