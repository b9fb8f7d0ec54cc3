"""Which class a classifier chose, and which one was right."""

from __future__ import annotations

import logging

import numpy as np

from domain.report import ConfusionMatrix

log = logging.getLogger(__name__)


def confusion_matrix(outputs: np.ndarray, labels: np.ndarray) -> ConfusionMatrix | None:
    """
    Compare a model's *outputs* with the *labels* of the same examples.

    Args:
        outputs: Probabilities, or other scores, of shape (n, classes); or those of
            "yes", of shape (n, 1).

        labels: Class numbers of shape (n,) or (n, 1), or one-hot of shape
            (n, classes); of any dtype.

    Returns:
        None, and a warning in the log, if these are not the outputs and labels of a
        classifier.
    """
    predicted = _predicted(outputs)
    true = None if predicted is None else _true(labels, outputs)
    if predicted is None or true is None:
        log.warning(
            "no confusion matrix: the model is no classifier",
            extra={"outputs": outputs.shape, "labels": labels.shape},
        )
        return None
    classes, index = np.unique(np.concatenate([true, predicted]), return_inverse=True)
    rows, columns = np.split(index, 2)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return ConfusionMatrix(
        labels=tuple(classes.tolist()), counts=tuple(map(tuple, counts.tolist()))
    )


def _predicted(outputs: np.ndarray) -> np.ndarray | None:
    """Return the class with the highest score, or None if there are no scores."""
    match outputs.shape:
        case (_, 1) if outputs.size and 0 <= outputs.min() <= outputs.max() <= 1:
            return (outputs[:, 0] > 0.5).astype(np.int64)
        case (_, classes) if classes > 1:
            return np.asarray(np.argmax(outputs, axis=1))
    return None


def _true(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray | None:
    """Return the class that *labels* name, or None if they do not name any."""
    if labels.shape == outputs.shape and outputs.shape[-1] > 1:
        one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
        return np.argmax(labels, axis=1) if one_hot else None
    if labels.shape not in {(len(labels),), (len(labels), 1)}:
        return None
    flat = labels.reshape(-1)
    if not np.isfinite(flat).all():
        return None
    numbers = flat.astype(np.int64)
    classes = max(outputs.shape[-1], 2)
    exact = (numbers == flat).all()
    return numbers if exact and ((numbers >= 0) & (numbers < classes)).all() else None
