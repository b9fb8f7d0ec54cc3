"""How to train: environment variables of the trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen, validators

from adapters.tensorflow.fit_options import Scalar, evaluate_options, fit_options
from adapters.tensorflow.switches import switch


def _steps_per_execution(value: str | int | None) -> int | None:
    if value is None or value == "auto":
        return None
    return _whole(value, above=0, what="'auto' or a whole number above 0")


def _balanced(value: str | None) -> Literal["balanced"] | None:
    if value not in {"balanced", None}:
        raise ValueError(f"want balanced, got {value!r}")
    return "balanced" if value else None


def _maybe(value: str | bool | None) -> bool | None:  # noqa: FBT001
    return None if value is None else switch(value)


def _patience(value: str | int | None) -> int | None:
    return (
        None
        if value is None
        else _whole(value, above=0, what="a number of epochs above 0")
    )


def _seed(value: str | int | None) -> int | None:
    wanted = "a whole number from 0 up to 4294967295"
    seed = None if value is None else _whole(value, above=-1, what=wanted)
    if seed is not None and seed >= 2**32:
        raise ValueError(f"want {wanted}, got {value!r}")
    return seed


def _whole(value: str | int, *, above: int, what: str) -> int:
    """Return *value* as a whole number greater than *above*."""
    try:
        number = int(value)
    except ValueError:
        number = above
    if number <= above:
        raise ValueError(f"want {what}, got {value!r}")
    return number


@frozen
class TensorFlowSettings:
    """
    How to train.

    Each converter raises ValueError with one sentence that says what is wrong.

    Attributes:
        batch: Examples per training step.

        kwargs_fit: Arguments for Keras's `fit`: ``{"epochs": 5}``.

        kwargs_val: Arguments for Keras's `evaluate`: ``{"steps": 187}``.

        streamfit_steps_per_execution: Steps that run in one go; None for as many as
            give the same numbers and keep signals waiting no longer than a second.

        streamfit_seed: Where random layers start, 0 to 2^32 - 1; None for anywhere.

        streamfit_class_weights: ``balanced`` for weights that let every class count
            alike; training then waits for its whole part.  None for examples that
            count alike.

        streamfit_early_stopping: Epochs without a better loss, of validation if there
            is one, after which training ends; None for never.

        streamfit_checkpoint_best: Whether the weights after the epoch with the best
            loss are the result, not those after the last epoch.

        streamfit_jit: Whether XLA compiles the steps, after which results differ in the
            last digits; None for Keras's own choice.

        streamfit_require_gpu: Whether to train on a GPU or not at all.
    """

    batch: int = field(validator=validators.gt(0))
    kwargs_fit: Mapping[str, Scalar] = field(factory=dict, converter=fit_options)
    kwargs_val: Mapping[str, Scalar] = field(factory=dict, converter=evaluate_options)
    streamfit_steps_per_execution: int | None = field(
        default=None, converter=_steps_per_execution
    )
    streamfit_seed: int | None = field(default=None, converter=_seed)
    streamfit_class_weights: Literal["balanced"] | None = field(
        default=None, converter=_balanced
    )
    streamfit_early_stopping: int | None = field(default=None, converter=_patience)
    streamfit_checkpoint_best: bool = field(default=False, converter=switch)
    streamfit_jit: bool | None = field(default=None, converter=_maybe)
    streamfit_require_gpu: bool = field(default=False, converter=switch)
