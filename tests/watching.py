"""What tests of semi-supervised training see of it, and how they end it."""

from __future__ import annotations

from itertools import count

import numpy as np
from attrs import define, field, frozen

from adapters.memory.broker import MemoryBroker
from adapters.memory.trainer import FakeModel, FakeTrainer
from domain.errors import Unavailable
from domain.phases import Phase


def values(*firsts):
    """Encode examples of two numbers each, the second being 0."""
    return [np.array([first, 0], "<f4").tobytes() for first in firsts]


@define
class Watching(FakeTrainer):
    """A trainer that remembers what its models were trained on, pass by pass."""

    passes: list[list[tuple[float, float]]] = field(factory=list)

    def load(self, model):
        loaded = super().load(model)
        watching = WatchingModel(
            loaded.content, self.epochs, self.workdir, loaded.trained
        )
        watching.passes = self.passes
        return watching


class WatchingModel(FakeModel):
    def fit(self, training, validation, on_epoch_end, checkpoints=None, on_steps=None):
        def seen(metrics):
            epoch = (self.trained - 1) % self.epochs
            self.passes.append(
                [
                    (float(x), float(y))
                    for batch in training.batches(3, epoch)
                    for x, y in zip(
                        np.asarray(batch.features)[:, 0],
                        np.asarray(batch.labels).reshape(len(batch)),
                        strict=True,
                    )
                ]
            )
            on_epoch_end(metrics)

        super().fit(training, validation, seen, checkpoints, on_steps)


class Killed(BaseException):
    """Stands in for the end of a process."""


def dying(epoch):
    """Return what ends the process after so many epochs, before the last is kept."""
    epochs = count(1)

    def on_event(phase):
        if phase is Phase.REPORTING and next(epochs) == epoch:
            raise Killed

    return on_event


@frozen
class Away:
    """A broker that has ranges, and no records any more."""

    broker: MemoryBroker

    def resolve(self, ranges):
        return self.broker.resolve(ranges)

    def read(self, ranges):
        raise Unavailable("away")
