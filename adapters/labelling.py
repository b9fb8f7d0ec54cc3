"""Labels from a model's own guesses, by NumPy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from attrs import frozen

from domain.batches import Array, Guesses, TensorSpec
from domain.errors import TrainingFailed
from ports.labeller import Choice, Labeller

_POSITIONS = "positions.npy"


@frozen
class NumpyLabeller(Labeller):
    """
    Takes guesses from a score on.

    Attributes:
        confidence: That score, 0 to 1.
    """

    confidence: float

    def choose(
        self, positions: Array, guesses: Iterable[Guesses], label: TensorSpec
    ) -> Choice:
        """See Labeller."""
        everything = np.asarray(positions)
        sure = np.zeros(len(everything), bool)
        chosen, first = [np.empty(0, np.int64)], 0
        for guess in guesses:
            enough = np.asarray(guess.scores) >= self.confidence  # not so for NaN
            sure[first : first + len(enough)] = enough
            chosen.append(np.asarray(guess.classes)[enough])
            first += len(enough)
        labels = _labels(np.concatenate(chosen), label)
        return Choice(everything[sure], labels, everything[~sure])

    def positions(self, before: Array | None, rows: range) -> Array:
        """See Labeller."""
        added = np.arange(rows.start, rows.stop)
        return added if before is None else np.concatenate([np.asarray(before), added])

    def keep(self, positions: Array, folder: Path) -> None:
        """See Labeller."""
        np.save(folder / _POSITIONS, np.asarray(positions), allow_pickle=False)

    def kept(self, folder: Path) -> Array:
        """See Labeller."""
        positions: np.ndarray = np.load(folder / _POSITIONS, allow_pickle=False)
        return positions


def _labels(classes: np.ndarray, label: TensorSpec) -> np.ndarray:
    """Write *classes* as labels that look like *label*."""
    dtype = np.dtype(label.dtype)
    match label.shape:
        case () | (1,):
            labels = classes.astype(dtype).reshape(-1, *label.shape)
            fits = bool((labels.reshape(-1).astype(np.int64) == classes).all())
        case (width,):
            fits = bool((classes < width).all())
            labels = np.zeros((len(classes), width), dtype)
            if fits:
                labels[np.arange(len(classes)), classes] = 1
        case _:
            fits, labels = False, classes
    if dtype.kind not in "biuf" or not fits:
        raise TrainingFailed(
            f"semi-supervised training: labels of {label.dtype} and shape "
            f"{label.shape} cannot name the model's classes"
        )
    return labels
