"""Rounds of labelling: what a model is sure of becomes what it is trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable

from attrs import frozen

from domain.batches import Array, ExampleBatch
from domain.selection import Selection
from ports import Choice, Labeller, Spool, TrainableModel

log = logging.getLogger(__name__)

_ROWS = 4096
"""Examples that move from one spool to the other at a time."""


@frozen
class Labelling:
    """
    A model that labels examples and is trained on them.

    Attributes:
        labeller: Says which guesses become labels.

        rounds: How often examples are labelled, at most.

        model: Has been trained on the labelled examples.

        labelled: Gets what is labelled behind what it holds.  That is not noted: of a
            spool that lasts, the next process finds the stream alone.

        unlabelled: All the others.
    """

    labeller: Labeller
    rounds: int
    model: TrainableModel
    labelled: Spool
    unlabelled: Spool

    def run(self, training: Array, fit: Callable[[Array], None]) -> tuple[int, ...]:
        """
        Label what the model is sure of, and train again, as long as that goes.

        Args:
            training: The positions, in the labelled spool, that it was trained on.

            fit: Trains it on the examples at other ones.

        Returns:
            How many were labelled in each round.

        Raises:
            TrainingFailed: The model, or the labels, know no classes.
        """
        counts: list[int] = []
        rest = self.labeller.positions(None, range(len(self.unlabelled)))
        while len(rest) and len(counts) < self.rounds:
            choice = self.labeller.choose(
                rest,
                self.model.classify(Selection(self.unlabelled, rest)),
                self.labelled.element_spec.label,
            )
            rest, count = choice.rest, len(choice.positions)
            log.info(
                "examples labelled",
                extra={
                    "round": len(counts) + 1,
                    "labelled": count,
                    "remaining": len(rest),
                },
            )
            if not count:
                break
            counts.append(count)
            training = self.labeller.positions(training, self._move(choice))
            fit(training)
        log.info(
            "semi-supervised training has ended",
            extra={"labelled_per_round": counts, "remaining": len(rest)},
        )
        return tuple(counts)

    def _move(self, choice: Choice) -> range:
        """Put what was chosen behind the labelled examples; return its positions."""
        first, count = len(self.labelled), len(choice.positions)
        for start in range(0, count, _ROWS):
            rows = slice(start, start + _ROWS)
            taken = self.unlabelled.take(choice.positions[rows])
            self.labelled.append(ExampleBatch(taken.features, choice.labels[rows]))
        return range(first, first + count)
