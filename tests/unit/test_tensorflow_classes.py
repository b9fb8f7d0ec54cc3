"""Which class a classifier chose, and which one was right."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.tensorflow import classes
from adapters.tensorflow.classes import confusion_matrix
from domain.errors import TrainingFailed
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


class TestGuesses:
    @pytest.mark.parametrize(
        ("outputs", "logits", "expected", "scores"),
        [
            ([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], False, [1, 0], [0.7, 0.5]),
            ([[0.25], [0.75], [0.5]], False, [0, 1, 0], [0.75, 0.75, 0.5]),
            ([[0.0, np.log(3)]], True, [1], [0.75]),
            ([[1000.0, 0.0]], True, [0], [1.0]),
            ([[np.log(3)], [-np.log(3)]], True, [1, 0], [0.75, 0.75]),
            ([[-1000.0], [1000.0]], True, [0, 1], [1.0, 1.0]),
        ],
    )
    def test_scores(self, outputs, logits, expected, scores):
        """The likeliest class and how likely it is, of probabilities or logits."""
        found = classes.guesses(np.asarray(outputs), logits=logits)

        assert expected == found.classes.tolist()
        np.testing.assert_allclose(found.scores, scores)

    @pytest.mark.parametrize("shape", [(4,), (4, 2, 3)])
    def test_no_classifier(self, shape):
        """Other outputs are no scores of classes."""
        with pytest.raises(TrainingFailed, match="wants a classifier"):
            classes.guesses(np.zeros(shape))

    def test_regression(self):
        """A number that is no probability is none either."""
        with pytest.raises(TrainingFailed, match="wants a classifier"):
            classes.guesses(np.array([[0.5], [1.5]]))
