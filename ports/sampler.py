"""Which examples a part gets, and in which order they are trained on."""

from __future__ import annotations

from typing import Protocol

from domain.batches import Array
from domain.split import Split


class Sampler(Protocol):
    """
    A choice that is the same for the same stream, however it came and however often.

    Examples are named by their positions in a spool.
    """

    def arrange(self, split: Split, labels: Array) -> Array:
        """
        Return all positions once, in the order in which *split* is to cut them.

        Args:
            split: How many examples each part gets.

            labels: The label of every example, in stream order.

        Raises:
            TrainingFailed: The labels do not allow the choice that was asked for.
        """
        ...

    def order(self, positions: Array, epoch: int) -> Array:
        """Return the *positions* to train on in the order of *epoch* (from 0)."""
        ...
