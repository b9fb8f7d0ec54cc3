"""Tells whether a contender read what was written, and in that order."""

from __future__ import annotations

import numpy as np


class Checksum:
    """
    A sum over some elements of every example, weighted by its position.

    Not over all of them: adding up takes about as long as reading does.
    """

    def __init__(self) -> None:
        self.records = 0
        self.total = 0

    def add(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Add examples; their elements are multiples of 1/4."""
        rows = features.reshape(len(features), -1)
        width = rows.shape[1]
        few = rows[:, [0, 1, 2, width // 2, width - 1]].astype(np.float64)
        values = 4 * (few @ [1.0, 3.0, 5.0, 7.0, 9.0] + labels.reshape(-1))
        positions = np.arange(self.records + 1, self.records + 1 + len(rows))
        exact = int(np.dot(positions, values.astype(np.int64)))
        self.total = (self.total + exact) % (1 << 62)
        self.records += len(rows)
