"""How far an epoch is, told between its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field

from adapters.tensorflow.stretches import Stretch
from domain.events import StepsDone
from ports import StepListener

Hooks = Mapping[str, Callable[..., None]]
"""What Keras is to call, by the name of its callback's method."""


@define
class StepTeller:
    """
    Tells of steps as Keras does them.

    Attributes:
        listener: Is told.
    """

    listener: StepListener
    _epoch: int = field(default=0, init=False)
    _begun: int = field(default=0, init=False)

    def hooks(self, stretch: Stretch) -> Hooks:
        """Return what Keras is to call while it runs *stretch*."""
        plan = stretch.plan

        def on_epoch_begin(epoch: int, logs: object = None) -> None:  # noqa: ARG001
            self._epoch = epoch
            self._begun = stretch.begun if epoch == stretch.first else 0

        def on_train_batch_end(batch: int, logs: object = None) -> None:  # noqa: ARG001
            steps = plan.steps_in(self._epoch)
            self.listener(
                StepsDone(
                    epoch=self._epoch - plan.first + 1,
                    epochs=plan.end - plan.first,
                    # Keras 3 counts a block as whole, even if the epoch ends within.
                    step=min(self._begun + batch + 1, steps),
                    steps=steps,
                )
            )

        return {
            "on_epoch_begin": on_epoch_begin,
            "on_train_batch_end": on_train_batch_end,
        }


def together(first: Hooks, second: Hooks) -> Hooks:
    """Return hooks that call those of *first*, and then those of *second*."""

    def both(name: str) -> Callable[..., None]:
        def call(*arguments: object, **options: object) -> None:
            first[name](*arguments, **options)
            second[name](*arguments, **options)

        return call

    shared = {name: both(name) for name in first.keys() & second.keys()}
    return {**first, **second, **shared}
