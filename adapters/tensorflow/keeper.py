"""When a training is kept, and from where one goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from attrs import define, field

from adapters.tensorflow.course import Course, Standing
from adapters.tensorflow.stretches import Plan, Stretch
from adapters.tensorflow.training_state import (
    TrainingState,
    read_weights,
    write_weights,
)
from ports import Checkpoint, Checkpoints

log = logging.getLogger(__name__)

_STANDING = "standing.json"


@define
class _Place:
    """
    Where a training is.

    Attributes:
        epoch: Number of the epoch.

        begun: Steps of it that were done before this process.

        iterations: The optimizer's count when this process began with it.

        told: Whether the epoch has ended and been told of.
    """

    epoch: int
    begun: int
    iterations: int
    told: bool = False


@define(eq=False)
class Keeper:
    """
    Keeps a training in checkpoints, at ends of epochs and in between.

    Attributes:
        state: What is kept.

        course: And what is remembered of the epochs.

        plan: The epochs of the whole training.

        checkpoints: Where.
    """

    state: TrainingState
    course: Course
    plan: Plan
    checkpoints: Checkpoints
    _place: _Place = field(init=False)
    _busy: bool = field(default=True, init=False)
    _metrics: list[np.ndarray] = field(factory=list, init=False)

    def go_on(self, build_metrics: Callable[[], None]) -> Iterator[Stretch]:
        """
        Make the model what it was at the latest checkpoint, and yield what remains.

        Args:
            build_metrics: Lets Keras make the variables of its metrics.
        """
        latest = self.checkpoints.latest
        if latest is not None and not self.state.fits(latest.folder):
            log.warning(
                "training starts over: the checkpoint is of other versions or models"
            )
            self.checkpoints.start_over()
            latest = None
        if latest is None:
            yield from self.plan.after(0, 0)
            return
        epochs, steps = len(latest.progress.history), latest.progress.steps
        if steps:
            build_metrics()
        self.state.read(latest.folder, within_epoch=steps > 0)
        if steps:
            self._metrics = self.state.metrics()
        self._read_course(latest)
        log.info("training goes on", extra={"epochs": epochs, "steps": steps})
        for stretch in self.plan.after(epochs, steps):
            if not self.course.standing.ended:
                yield stretch

    def hooks(self, stretch: Stretch) -> Mapping[str, Callable[..., None]]:
        """Return what Keras is to call while it runs *stretch*."""

        def on_epoch_begin(epoch: int, logs: object = None) -> None:  # noqa: ARG001
            begun = stretch.begun if epoch == stretch.first else 0
            if begun:
                self.state.set_metrics(self._metrics)
            self._place = _Place(epoch, begun, self._iterations())
            self._busy = False

        def on_train_batch_end(batch: int, logs: object = None) -> None:  # noqa: ARG001
            self._save_within(self._place.begun + batch + 1, only_if_due=True)

        def on_epoch_end(epoch: int, logs: Mapping[str, Any]) -> None:
            self._busy = True  # half of what is below is no state to go on from
            self.course.epoch_ended(epoch, logs)
            self._place.told = True
            self._busy = False
            if self.checkpoints.due(epoch_ended=True):
                self._save(0)

        return {
            "on_epoch_begin": on_epoch_begin,
            "on_train_batch_end": on_train_batch_end,
            "on_epoch_end": on_epoch_end,
        }

    def interrupted(self) -> None:
        """Keep the training where it was interrupted, unless that was between steps."""
        if self._busy or not self._counts_steps:
            return
        place = self._place
        if place.told:
            self._save(0)
        elif (done := self._iterations() - place.iterations) > 0:
            self._save_within(place.begun + done)

    def _save_within(self, steps: int, *, only_if_due: bool = False) -> None:
        """Keep the training within an epoch of which so many *steps* are done."""
        if steps >= self.plan.steps_in(self._place.epoch):
            return  # the metrics of its end cannot be had from a checkpoint
        if not only_if_due or self.checkpoints.due(epoch_ended=False):
            self._save(steps)

    def _save(self, steps: int) -> None:
        def write(folder: Path) -> None:
            self.state.write(folder, within_epoch=steps > 0)
            standing = attrs.asdict(self.course.standing)
            (folder / _STANDING).write_text(json.dumps(standing))
            if self.course.weights is not None:
                write_weights(self.course.weights, folder)

        self.checkpoints.save(write, steps)

    def _read_course(self, latest: Checkpoint) -> None:
        standing = json.loads((latest.folder / _STANDING).read_text())
        self.course.standing = Standing(**standing)
        self.course.weights = read_weights(latest.folder)

    @property
    def _optimizer(self) -> Any:
        return self.state.loaded.keras_model.optimizer

    def _iterations(self) -> int:
        return int(self._optimizer.iterations)

    @property
    def _counts_steps(self) -> bool:
        """Whether every step is counted; with a scaled loss, some may not be."""
        return getattr(self._optimizer, "inner_optimizer", None) is None
