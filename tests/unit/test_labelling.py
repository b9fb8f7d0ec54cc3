"""Which guesses become labels, and how these are written."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.labelling import NumpyLabeller
from domain.batches import Guesses, TensorSpec
from domain.errors import TrainingFailed

POSITIONS = np.array([2, 3, 5, 7, 11])


def guesses():
    """Five guesses in two blocks."""
    yield Guesses(np.array([1, 0, 2]), np.float32([0.5, 0.9, 0.75]))
    yield Guesses(np.array([2, 1]), np.float32([np.nan, 1]))


def choose(confidence, dtype="uint8", shape=()):
    return NumpyLabeller(confidence).choose(
        POSITIONS, guesses(), TensorSpec(dtype, shape)
    )


@pytest.mark.parametrize(
    ("confidence", "positions", "rest"),
    [
        (0.75, [3, 5, 11], [2, 7]),
        (0.0, [2, 3, 5, 11], [7]),
        (1.0, [11], [2, 3, 5, 7]),
    ],
)
def test_sure_enough(confidence, positions, rest):
    """The score itself is enough; what is no number never is."""
    choice = choose(confidence)

    assert positions == choice.positions.tolist()
    assert rest == choice.rest.tolist()


@pytest.mark.parametrize(
    ("dtype", "shape", "labels"),
    [
        ("uint8", (), [0, 2, 1]),
        ("float32", (1,), [[0.0], [2.0], [1.0]]),
        ("int64", (3,), [[1, 0, 0], [0, 0, 1], [0, 1, 0]]),
        ("float64", (4,), [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]),
    ],
)
def test_labels(dtype, shape, labels):
    """A label has the stream's own dtype and shape: number, array, or one-hot."""
    found = choose(0.75, dtype, shape).labels

    assert dtype == str(found.dtype)
    assert labels == found.tolist()


@pytest.mark.parametrize(
    ("dtype", "shape"), [("bool", ()), ("uint8", (2,)), ("uint8", (3, 3))]
)
def test_no_classes(dtype, shape):
    """What cannot name the class that was seen is no label for it."""
    with pytest.raises(TrainingFailed, match=f"labels of {dtype} and shape"):
        choose(0.75, dtype, shape)


def test_nothing():
    """No guess, or none that is sure enough, gives no label."""
    none = NumpyLabeller(0.5).choose(POSITIONS[:0], (), TensorSpec("uint8", (1,)))
    unsure = NumpyLabeller(0.99).choose(
        POSITIONS[:3], [next(guesses())], TensorSpec("uint8", (3,))
    )

    assert (0, 1) == none.labels.shape
    assert (0, 3) == unsure.labels.shape
    assert [2, 3, 5] == unsure.rest.tolist()


def test_positions():
    """They follow each other in the order in which they were added."""
    labeller = NumpyLabeller(0.5)

    first = labeller.positions(None, range(2, 5))

    assert [2, 3, 4, 9, 10] == labeller.positions(first, range(9, 11)).tolist()


def test_kept(tmp_path):
    """Another process finds the positions that one has kept."""
    labeller = NumpyLabeller(0.5)

    labeller.keep(POSITIONS, tmp_path)

    assert POSITIONS.tolist() == NumpyLabeller(0.9).kept(tmp_path).tolist()
