"""Some of the examples of a complete stream, in its order or one of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import field, frozen

from domain.batches import Array, ElementSpec, ExampleBatch
from domain.split import Split
from ports import Sampler, Spool


@frozen
class Selection:
    """
    Some of a stream's examples, wherever they lie: a Dataset that trainers read.

    Attributes:
        spool: Where the examples are, all of them.

        positions: Their positions.

        order: Returns the positions in the order of an epoch (from 0).
    """

    spool: Spool
    positions: Array = field(repr=False)
    order: Callable[[Array, int], Array] = lambda positions, _: positions

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like."""
        return self.spool.element_spec

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.positions)

    def batches(
        self, size: int, epoch: int = 0, start: int = 0
    ) -> Iterator[ExampleBatch]:
        """Gather the examples, *size* at a time; the last batch may be short."""
        positions = self.order(self.positions, epoch)
        for first in range(start, len(positions), size):
            yield self.spool.take(positions[first : first + size])


@frozen
class Rows:
    """
    Some of a spool's examples, all of them there: a Dataset that trainers read.

    Attributes:
        spool: Where they are.

        rows: Their positions.
    """

    spool: Spool
    rows: range

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like."""
        return self.spool.element_spec

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.rows)

    def batches(
        self,
        size: int,
        epoch: int = 0,  # noqa: ARG002
        start: int = 0,
    ) -> Iterator[ExampleBatch]:
        """Read the examples in their order, *size* at a time."""
        for first in range(self.rows.start + start, self.rows.stop, size):
            yield self.spool.read(first, min(first + size, self.rows.stop))


def selections(
    sampler: Sampler, split: Split, spool: Spool
) -> tuple[Selection, Selection | None, Selection | None]:
    """
    Share out *spool* as *split* says, with the examples that *sampler* chooses.

    Returns:
        Training part, validation part and test part; None for those that are empty.

    Raises:
        TrainingFailed: The labels do not allow the choice.
    """
    everything = spool.read(0, len(spool))
    positions = sampler.arrange(split, everything.labels)

    def part(rows: range | None) -> Selection | None:
        return Selection(spool, positions[rows.start : rows.stop]) if rows else None

    train = positions[split.training.start : split.training.stop]
    return (
        Selection(spool, train, sampler.order),
        part(split.validation),
        part(split.test),
    )
