"""Settings of semi-supervised training."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

KERAS_BATCH = 32
"""Examples per step where nobody says otherwise: Keras's own default."""


def _rounds(value: str | int) -> int:
    try:
        rounds = int(value)
    except ValueError:
        rounds = -1
    if rounds < 0:
        raise ValueError(f"want a whole number from 0 on, got {value!r}")
    return rounds


def _confidence(value: str | float) -> float:
    try:
        confidence = float(value)
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 1:
        raise ValueError(f"want a number from 0 to 1, got {value!r}")
    return confidence


@frozen
class SemiSupervisedSettings:
    """
    How examples without labels are learnt from.

    Attributes:
        unsupervised_rounds: How often examples are labelled, at most.

        confidence: The score from which on a model's guess becomes a label.

        streamfit_semi_supervised_fit: ``arrays`` for steps of 32 examples in another
            order before every epoch, which is what Keras does with arrays and so the
            platform's own job; ``stream`` for the batch size and the order of other
            trainings.
    """

    unsupervised_rounds: int = field(converter=_rounds)
    confidence: float = field(converter=_confidence)
    streamfit_semi_supervised_fit: Literal["arrays", "stream"] = "arrays"
