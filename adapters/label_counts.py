"""Which classes labels name, and how often, by NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from domain.batches import Array

_EXACT = 2.0**53


def label_counts(labels: Array) -> Mapping[int, int] | None:
    """
    Count the classes in *labels*.

    Labels name a class by its number, whatever type that has, or by the place of the
    only 1 among zeros.

    Returns:
        How many labels name each class, by its number; None if they are no classes.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "biuf" or array.ndim > 2 or not array.size:
        return None
    if array.ndim == 2 and array.shape[1] > 1:
        ones = (array == 1).sum(axis=1)
        if not ((ones == 1).all() and np.isin(array, (0, 1)).all()):
            return None
        array = array.argmax(axis=1)
    flat = array.reshape(-1)
    whole = flat.dtype.kind != "f" or bool(
        # What is no number compares as false, and beyond the bound all are whole.
        ((np.abs(flat) < _EXACT) & (flat == np.floor(flat))).all()
    )
    if not whole:
        return None
    classes, counts = np.unique(flat.astype(np.int64), return_counts=True)
    return dict(zip(classes.tolist(), counts.tolist(), strict=True))
