"""What a model is trained on that labels examples itself."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from domain.batches import Array, ExampleBatch
from domain.intake import Intake
from domain.selection import Rows, selections
from domain.split import Split
from ports import Choice, Dataset, Labeller, Sampler, Spool

_ROWS = 4096
"""Examples that move from one spool to the other at a time."""


@define(eq=False)
class TrainingPart:
    """
    A part of a labelled stream, and behind it what the model has labelled.

    That goes into the same spool, behind the stream's own, and is noted there: where
    the spool lasts, the next process finds it.

    Attributes:
        labeller: Knows positions.

        stream: The labelled stream; it has ended.

        given: The positions of the part.
    """

    labeller: Labeller
    stream: Intake
    given: Array = field(repr=False)
    _added: list[range] = field(factory=list, init=False)

    @property
    def positions(self) -> Array:
        """Where everything is, in the order in which it came."""
        positions = self.given
        for rows in self._added:
            positions = self.labeller.positions(positions, rows)
        return positions

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """Where the labelled examples are; see LabellingProgress."""
        return tuple((rows.start, rows.stop) for rows in self._added)

    def resume(self, rows: Sequence[tuple[int, int]]) -> bool:
        """
        Have what another process labelled.

        Returns:
            False if it is not there any more; then nothing has changed.
        """
        added = [range(start, stop) for start, stop in rows]
        if added and added[-1].stop > len(self.stream.spool):
            return False
        self._added = added
        return True

    def add(self, choice: Choice, source: Spool) -> None:
        """Add the examples of *source* that were chosen, with their labels."""
        spool, count = self.stream.spool, len(choice.positions)
        first = len(spool)
        for start in range(0, count, _ROWS):
            rows = slice(start, start + _ROWS)
            taken = source.take(choice.positions[rows])
            spool.append(ExampleBatch(taken.features, choice.labels[rows]))
        self.stream.note_added()
        if self._added and self._added[-1].stop == first:
            first = self._added.pop().start
        self._added.append(range(first, len(spool)))


def labelled_parts(
    stream: Intake, split: Split, labeller: Labeller, sampler: Sampler | None
) -> tuple[TrainingPart, Dataset | None, Dataset | None]:
    """
    Share out a labelled *stream* that has ended.

    Args:
        stream: The labelled examples.

        split: How many each part gets.

        labeller: Knows positions.

        sampler: Which of them, if not those that follow each other.

    Returns:
        Training part, validation part and test part; None for those that are empty.
    """
    spool = stream.spool
    if sampler is not None:
        training, validation, test = selections(sampler, split, spool)
        return TrainingPart(labeller, stream, training.positions), validation, test
    return (
        TrainingPart(labeller, stream, labeller.positions(None, split.training)),
        Rows(spool, split.validation) if split.validation else None,
        Rows(spool, split.test) if split.test else None,
    )
