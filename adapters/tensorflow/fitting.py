"""Keras's `fit`, from where a training was up to its end."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import frozen

from adapters.tensorflow.blocks import Run, set_block
from adapters.tensorflow.class_weights import balanced
from adapters.tensorflow.course import Course
from adapters.tensorflow.keeper import Keeper
from adapters.tensorflow.loops import Loops
from adapters.tensorflow.pipeline import Passes, Pipeline
from adapters.tensorflow.steps import Hooks, StepTeller, together
from adapters.tensorflow.stretches import Plan, Stretch
from adapters.tensorflow.training_state import TrainingState
from domain.errors import SettingsInvalid
from ports import Checkpoints, Dataset, EpochListener, StepListener

log = logging.getLogger(__name__)


@frozen
class Fitting:
    """
    Fits a model.

    Attributes:
        loops: Whose `fit` it is.
    """

    loops: Loops

    def fit(
        self,
        training: Dataset,
        validation: Dataset | None,
        on_epoch_end: EpochListener,
        checkpoints: Checkpoints | None = None,
        on_steps: StepListener | None = None,
    ) -> None:
        """Train on *training*; see TrainableModel."""
        options = self.loops.options(
            self.loops.keras_model.fit, self.loops.settings.kwargs_fit
        )
        options["shuffle"] = False  # Keras would not, but Keras 3 warns of it
        if self.loops.settings.streamfit_class_weights:
            options["class_weight"] = self._class_weights(training)
        pipeline = self.loops.pipeline()
        course = Course(
            self.loops.keras_model,
            self.loops.settings,
            "val_loss" if validation else "loss",
            pipeline.listener(on_epoch_end),
            parts=self.loops.loaded.parts,
        )
        plan = self._plan(len(training), options)
        steps = StepTeller(on_steps) if on_steps else None

        def fit(stretch: Stretch, hooks: Hooks) -> None:
            hooks = together(hooks, steps.hooks(stretch)) if steps else hooks
            self._fit(pipeline, (training, validation), options, stretch, hooks)

        if checkpoints is None:
            for stretch in plan.after(0, 0):
                fit(stretch, {"on_epoch_end": course.epoch_ended})
        else:
            state = TrainingState(self.loops.loaded)
            keeper = Keeper(state, course, plan, checkpoints)
            try:
                for stretch in keeper.go_on(partial(self._build_metrics, training)):
                    fit(stretch, keeper.hooks(stretch))
            except SystemExit:
                keeper.interrupted()
                raise
        course.end()

    def _fit(
        self,
        pipeline: Pipeline,
        parts: tuple[Dataset, Dataset | None],
        options: Mapping[str, Any],
        stretch: Stretch,
        hooks: Hooks,
    ) -> None:
        """Train and validate on *parts*, and call *hooks* where Keras does."""
        training, validation = parts
        passes = Passes(
            stretch.pass_number, stretch.skipped * self.loops.settings.batch
        )
        steps, times = stretch.steps, self.loops.times(stretch.steps)
        runs = [Run(stretch.batches, steps, endless=self.loops.endless(steps))]
        if steps is None and not self.loops.loaded.of_keras_3:
            # In one go through all epochs: to begin anew costs as much as some steps.
            # (Keras 3 would run a begun block on into the next epoch.)
            steps, times = stretch.batches, stretch.end - stretch.first
        arguments = {
            **options,
            "initial_epoch": stretch.first,
            "epochs": stretch.end,
            "steps_per_epoch": steps,
        }
        data = pipeline.feed(training, times=times, passes=passes)
        if validation:
            held_out = options.get("validation_steps")
            times = self.loops.times(held_out)
            arguments["validation_data"] = pipeline.feed(validation, times=times)
            runs.append(self.loops.extent(validation, held_out))
        self.loops.prepare(runs)
        callback = _callback(
            self.loops.loaded.engine, on_train_begin=lambda _: passes.start(), **hooks
        )
        with pipeline.errors_unchanged():
            self.loops.run(
                self.loops.keras_model.fit, data, callbacks=[callback], **arguments
            )

    def _build_metrics(self, dataset: Dataset) -> None:
        """Let Keras make the variables of its metrics, by a look at a batch."""
        pipeline = self.loops.pipeline()
        set_block(self.loops.keras_model, 1)
        with pipeline.errors_unchanged():
            self.loops.keras_model.evaluate(pipeline.feed(dataset).take(1), verbose=0)

    def _class_weights(self, training: Dataset) -> Mapping[int, float]:
        if len(self.loops.keras_model.outputs) > 1:
            raise SettingsInvalid(
                "STREAMFIT_CLASS_WEIGHTS: not for a model of several outputs"
            )
        return balanced(training)

    def _plan(self, examples: int, options: Mapping[str, Any]) -> Plan:
        """
        Return the epochs for which there are data.

        Keras notices that data have run out only in an epoch without any, and reports
        the metrics of the one before again.
        """
        first = int(options.get("initial_epoch", 0))
        end = int(options.get("epochs", 1))
        steps: int | None = options.get("steps_per_epoch")
        batches = math.ceil(examples / self.loops.settings.batch)
        endless = self.loops.endless(steps)
        if steps is not None and steps != batches and not endless:
            last = first + math.ceil(batches / steps)
            if last < end:
                log.warning(
                    "fewer epochs: the data end before",
                    extra={
                        "batches": batches,
                        "steps_per_epoch": steps,
                        "epochs": last,
                    },
                )
            end = min(end, last)
        return Plan(first, end, batches, steps, endless)


def _callback(engine: Any, **hooks: Callable[..., None]) -> Any:
    """Return a callback of *engine* that has these *hooks* and no others."""
    callback = engine.callbacks.Callback()
    # Else Keras 2 fetches metrics after every block.
    callback._supports_tf_logs = True  # noqa: SLF001  # there is no other way
    # Not a class of its own: TensorFlow remembers classes, and models with them.
    for name, hook in hooks.items():
        setattr(callback, name, hook)
    return callback
