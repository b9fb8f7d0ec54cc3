"""Which class a classifier chose, and which one was right."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.tensorflow.classes import confusion_matrix
from domain.report import ConfusionMatrix

SCORES = np.array(
    [[0.1, 0.9, 0, 0], [0.8, 0.2, 0, 0], [0.6, 0.4, 0, 0], [0, 0, 0, 1]], np.float32
)
TRUE = [1, 0, 1, 1]
MATRIX = ConfusionMatrix((0, 1, 3), ((1, 0, 0), (1, 1, 1), (0, 0, 0)))


@pytest.mark.parametrize(
    "labels",
    [
        np.array(TRUE, np.uint8),
        np.array(TRUE, np.int64)[:, None],
        np.array(TRUE, np.float32),
        np.array(TRUE, bool),
        np.eye(4, dtype=np.float32)[TRUE],
        np.eye(4, dtype=bool)[TRUE],
    ],
)
def test_classes(labels):
    """Rows are true, columns predicted classes, over those that occur."""
    assert MATRIX == confusion_matrix(SCORES, labels)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_sigmoid_unit(dtype, shape):
    """One unit says yes above one half, not at it."""
    outputs = np.array([[0.5], [0.51], [0.9], [0.1]], np.float32)

    matrix = confusion_matrix(
        outputs, np.array([0, 0, 1, 1]).reshape(shape).astype(dtype)
    )

    assert ConfusionMatrix((0, 1), ((1, 1), (1, 1))) == matrix


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [
        (SCORES, np.array([0.5, 1, 2, 3])),
        (SCORES, np.array([0, 1, 2, 4])),
        (SCORES, np.array([0, 1, 2, -1])),
        (SCORES, np.array([0, 1, 2, np.nan])),
        (SCORES, np.array([[1, 1, 0, 0]] * 4)),
        (SCORES, np.array([[0.5, 0.5, 0, 0]] * 4)),
        (SCORES, np.zeros((4, 2))),
        (SCORES[:, :1], np.array([0, 1, 2, 1])),
        (SCORES[:, :1] * 2, np.array([0, 1, 0, 1])),
        (SCORES[:, :1] - 1, np.array([0, 1, 0, 1])),
        (SCORES[:, 0], np.array([0, 1, 0, 1])),
        (SCORES.reshape(4, 2, 2), np.array([0, 1, 0, 1])),
    ],
    ids=[
        "fractions", "above", "below", "nan", "two-hot", "soft", "misshapen",
        "three-of-two", "beyond-one", "negative", "scalars", "images",
    ],
)  # fmt: skip
def test_no_classifier(outputs, labels, caplog):
    """Anything else is no classifier, and the log says so."""
    assert confusion_matrix(outputs, labels) is None
    assert ["no confusion matrix: the model is no classifier"] == caplog.messages
