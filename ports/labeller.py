"""Which of a model's guesses pass for labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from domain.batches import Array, Guesses, TensorSpec


@frozen(eq=False)
class Choice:
    """
    Examples that are labelled by now, and those that are not.

    Attributes:
        positions: Those of the labelled ones, ascending as they were.

        labels: Their labels.

        rest: The positions of the others.
    """

    positions: Array = field(repr=False)
    labels: Array = field(repr=False)
    rest: Array = field(repr=False)


class Labeller(Protocol):
    """Knows how sure a guess must be, and how a class is written as a label."""

    def choose(
        self, positions: Array, guesses: Iterable[Guesses], label: TensorSpec
    ) -> Choice:
        """
        Take the guesses that are sure enough.

        Args:
            positions: Which examples these are of, in the same order.

            guesses: One for each.

            label: What every label looks like.

        Raises:
            TrainingFailed: Such a label names no class, or not the one that was
                guessed.
        """
        ...

    def positions(self, before: Array | None, rows: range) -> Array:
        """Return the positions *before*, and those of *rows* behind them."""
        ...

    def keep(self, positions: Array, folder: Path) -> None:
        """
        Write *positions* into *folder*, which is empty.

        Raises:
            OSError: There is no room, for instance.
        """
        ...

    def kept(self, folder: Path) -> Array:
        """Return the positions that were written into *folder*."""
        ...
