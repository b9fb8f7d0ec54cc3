"""Rounds of labelling: what a model is sure of becomes what it is trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from attrs import define, evolve, field, frozen

from domain.batches import Array
from domain.events import ExamplesLabelled, Listener, ignore
from domain.intake import Intake
from domain.keeping import Keeping
from domain.progress import LabellingProgress
from domain.selection import Selection
from domain.training_part import TrainingPart
from ports import Checkpoint, Checkpoints, Labeller, TrainableModel

log = logging.getLogger(__name__)

_TRAINING = "training"
_LABELLING = "labelling"


class StartOver(Exception):
    """There is no going on from a checkpoint: the model must be trained anew."""


@define(eq=False)
class Labelling:
    """
    A model that labels examples and is trained on them.

    Attributes:
        labeller: Says which guesses become labels.

        rounds: How often examples are labelled, at most.

        model: As it came.

        part: What it is trained on; gets what is labelled.

        unlabelled: All the others.

        on_event: Is told what happens.
    """

    labeller: Labeller
    rounds: int
    model: TrainableModel
    part: TrainingPart
    unlabelled: Intake
    on_event: Listener = ignore
    _counts: list[int] = field(factory=list, init=False)
    _rest: Array | None = field(default=None, init=False)
    _epochs: int = field(default=0, init=False)

    @property
    def progress(self) -> LabellingProgress:
        """How far it has got."""
        return LabellingProgress(tuple(self._counts), self.part.rows, self._epochs)

    def resume(self, checkpoint: Checkpoint) -> bool:
        """
        Have what another process labelled up to *checkpoint*.

        Returns:
            False if it is not there any more.
        """
        progress = checkpoint.progress.labelling
        if progress is None or not self.part.resume(progress.rows):
            return False
        self._counts, self._epochs = list(progress.counts), progress.epochs
        if progress.counts:
            self._rest = self.labeller.kept(checkpoint.folder / _LABELLING)
        return True

    def run(self, fit: Callable[[int], int]) -> tuple[int, ...]:
        """
        Train, label what the model is sure of, and train again, as long as that goes.

        Args:
            fit: Trains the model on its part.  Takes the number of epochs that it has
                been trained for, and returns the new one.

        Returns:
            How many were labelled in each round.

        Raises:
            TrainingFailed: The model, or the labels, know no classes.
        """
        self._epochs = fit(self._epochs)
        while self._label():
            self._epochs = fit(self._epochs)
        log.info(
            "semi-supervised training has ended",
            extra={
                "labelled_per_round": self._counts,
                "remaining": len(self._remaining()),
            },
        )
        return tuple(self._counts)

    def keep(self, folder: Path) -> None:
        """Write what is not in `progress` into *folder*, which is empty."""
        if self._rest is not None:
            self.labeller.keep(self._rest, folder)

    def _label(self) -> bool:
        """Label what the model is sure of; say whether there is more to train on."""
        rest = self._remaining()
        if not len(rest) or len(self._counts) >= self.rounds:
            return False
        choice = self.labeller.choose(
            rest,
            self.model.classify(Selection(self.unlabelled.spool, rest)),
            self.part.stream.spool.element_spec.label,
        )
        self._rest, count = choice.rest, len(choice.positions)
        log.info(
            "examples labelled",
            extra={
                "round": len(self._counts) + 1,
                "labelled": count,
                "remaining": len(choice.rest),
            },
        )
        self.on_event(ExamplesLabelled(len(self._counts) + 1, count, len(choice.rest)))
        if count:
            self._counts.append(count)
            self.part.add(choice, self.unlabelled.spool)
        return count > 0

    def _remaining(self) -> Array:
        """Return the positions of what has no label yet."""
        if self._rest is None:
            everything = range(self.unlabelled.finish())
            self._rest = self.labeller.positions(None, everything)
        return self._rest


@frozen
class RoundCheckpoints(Checkpoints):
    """
    Checkpoints of one training among several of the same model.

    Attributes:
        keeping: Keeps all of them.

        labelling: Is kept, too.
    """

    keeping: Keeping
    labelling: Labelling

    @property
    def latest(self) -> Checkpoint | None:
        """What to go on from; see Checkpoints."""
        latest = self.keeping.latest
        if latest is None or latest.progress.labelling != self.labelling.progress:
            return None  # it is of a training before this one
        epochs = self.labelling.progress.epochs
        own = evolve(latest.progress, history=latest.progress.history[epochs:])
        return Checkpoint(latest.folder / _TRAINING, own)

    def due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time to save; see Checkpoints."""
        return self.keeping.due(epoch_ended=epoch_ended)

    def save(self, write: Callable[[Path], None], steps: int) -> None:
        """Keep training and labelling as they are now; see Checkpoints."""

        def write_both(folder: Path) -> None:
            for name, one in ((_TRAINING, write), (_LABELLING, self.labelling.keep)):
                (folder / name).mkdir()
                one(folder / name)

        self.keeping.save(write_both, steps, self.labelling.progress)

    def start_over(self) -> None:
        """
        Forget what was kept; see Checkpoints.

        Raises:
            StartOver: The model was trained before, which is lost, too.
        """
        self.keeping.start_over()
        if self.labelling.progress.epochs:
            raise StartOver
