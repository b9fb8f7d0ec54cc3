"""Which class a classifier chose, and which one was right."""

from __future__ import annotations

import logging

import numpy as np

from domain.batches import Guesses
from domain.errors import TrainingFailed
from domain.report import ConfusionMatrix

log = logging.getLogger(__name__)


def confusion_matrix(
    outputs: np.ndarray, labels: np.ndarray, *, logits: bool = False
) -> ConfusionMatrix | None:
    """
    Compare a model's *outputs* with the *labels* of the same examples.

    Args:
        outputs: Probabilities, or other scores, of shape (n, classes); or those of
            "yes", of shape (n, 1).

        labels: Class numbers of shape (n,) or (n, 1), or one-hot of shape
            (n, classes); of any dtype.

        logits: Whether the scores are logits: a single one says "yes" above 0 then, not
            above one half.

    Returns:
        None, and a warning in the log, if these are not the outputs and labels of a
        classifier.
    """
    predicted = _predicted(outputs, logits=logits)
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


def guesses(outputs: np.ndarray, *, logits: bool = False) -> Guesses:
    """
    Return the class with the highest score in each of *outputs*, and that score.

    Args:
        outputs: Probabilities, or other scores, of shape (n, classes); or those of
            "yes", of shape (n, 1), where those of "no" are the rest to 1.

        logits: Whether the scores are logits: they become probabilities then.

    Raises:
        TrainingFailed: These are not the outputs of a classifier.
    """
    chosen = _predicted(outputs, logits=logits)
    if chosen is None:
        raise TrainingFailed(
            "semi-supervised training wants a classifier, whose last output has a "
            f"score for each class: this one is of shape {outputs.shape[1:]}"
        )
    if outputs.shape[1] == 1:
        yes = outputs[:, 0]
        if logits:
            yes = np.exp(-np.logaddexp(0, -yes.astype(np.float64)))  # the sigmoid
        return Guesses(chosen, np.maximum(yes, 1 - yes))
    if logits:
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs = powers / powers.sum(axis=1, keepdims=True)
    return Guesses(chosen, outputs.max(axis=1))


def _predicted(outputs: np.ndarray, *, logits: bool) -> np.ndarray | None:
    """Return the class with the highest score, or None if there are no scores."""
    match outputs.shape:
        case (_, 1) if logits:
            return (outputs[:, 0] > 0).astype(np.int64)
        case (_, 1) if outputs.size and 0 <= outputs.min() <= outputs.max() <= 1:
            return (outputs[:, 0] > 0.5).astype(np.int64)
        case (_, classes) if classes > 1:
            return np.asarray(np.argmax(outputs, axis=1))
    return None


def _true(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray | None:
    """Return the class that *labels* name, or None if they do not name any."""
    several = labels.ndim == 2 and labels.shape[1] > 1
    if several and labels.shape != outputs.shape:
        return None
    numbers = class_numbers(labels)
    classes = max(outputs.shape[-1], 2)
    return numbers if numbers is not None and (numbers < classes).all() else None


def class_numbers(labels: np.ndarray) -> np.ndarray | None:
    """
    Return the class, from 0, that each of *labels* names.

    Args:
        labels: Class numbers of shape (n,) or (n, 1), or one-hot of shape
            (n, classes); of any dtype.

    Returns:
        None if these name no classes.
    """
    if labels.ndim == 2 and labels.shape[1] > 1:
        one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()
        return np.argmax(labels, axis=1) if one_hot else None
    if labels.shape not in {(len(labels),), (len(labels), 1)}:
        return None
    flat = labels.reshape(-1)
    if flat.dtype.kind not in "biuf" or not np.isfinite(flat).all():
        return None
    numbers = flat.astype(np.int64)
    return numbers if (numbers == flat).all() and (numbers >= 0).all() else None
