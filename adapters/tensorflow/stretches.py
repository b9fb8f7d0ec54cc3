"""Epochs and steps: how many there are, and which remain when a training goes on."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen


@frozen
class Plan:
    """
    The epochs of a whole training.

    Attributes:
        first: Number of the first epoch, usually 0.

        end: Number of the epoch after the last one.

        batches: Batches in one pass through the examples.

        steps: Batches per epoch, if they are not those of a pass.

        endless: Whether the examples start over when they end.
    """

    first: int
    end: int
    batches: int
    steps: int | None = None
    endless: bool = False

    @property
    def usual_steps(self) -> int:
        """Batches in every epoch but, perhaps, the last one."""
        return self.batches if self.steps is None else self.steps

    def steps_in(self, epoch: int) -> int:
        """Return the batches in *epoch*; in the last one the examples may run out."""
        if self.endless or self.usual_steps == self.batches:
            return self.usual_steps
        before = (epoch - self.first) * self.usual_steps
        return min(self.usual_steps, self.batches - before)

    def after(self, epochs: int, steps: int) -> Iterator[Stretch]:
        """
        Yield what remains, each to be run by itself.

        Args:
            epochs: How many are complete.

            steps: How many were done of the next one.
        """
        at = self.first + epochs
        if steps:
            yield Stretch(self, at, at + 1, steps)
            at += 1
        if at < self.end:
            yield Stretch(self, at, self.end)


@frozen
class Stretch:
    """
    Epochs that are run in one go.

    Attributes:
        plan: What they are part of.

        first: Number of the first one.

        end: Number of the epoch after the last one.

        begun: Steps that were done of the first one; then it is the only one.
    """

    plan: Plan
    first: int
    end: int
    begun: int = 0

    @property
    def steps(self) -> int | None:
        """Batches per epoch, if they are not those of a pass."""
        # As many as were asked for, even if the examples run out before: Keras 2 counts
        # a step more then.
        return None if self.plan.steps is None else self.plan.steps - self.begun

    @property
    def pass_number(self) -> int:
        """How many passes were made before, the first epoch's number added."""
        return self.plan.first + self._consumed // self.plan.batches

    @property
    def skipped(self) -> int:
        """Batches of the first pass that were trained on before."""
        return self._consumed % self.plan.batches

    @property
    def batches(self) -> int:
        """Batches of the first pass that remain."""
        return self.plan.batches - self.skipped

    @property
    def _consumed(self) -> int:
        epochs = self.first - self.plan.first
        return epochs * self.plan.usual_steps + self.begun
