"""What came of a training, as a report says it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from domain.report import ConfusionMatrix

Numbers = Mapping[str, float | None]
"""Loss and metrics by name; None for what is not finite."""


@frozen
class Epoch:
    """
    Loss and metrics of an epoch.

    Attributes:
        training: Mean over the training part.

        validation: Over the validation part.
    """

    training: Numbers
    validation: Numbers = field(factory=dict)


@frozen
class Step:
    """
    How far the present epoch is.

    Attributes:
        epoch: Its number.

        epochs: How many there will be, at most.

        step: Steps that are done.

        steps: Steps that it has.
    """

    epoch: int
    epochs: int
    step: int
    steps: int


@frozen
class MiniBatch:
    """
    What the model was fitted to of a stream without an end.

    Attributes:
        number: Its number.

        rows: Examples of it.

        value: The monitored metric.

        reference: What that is compared with.

        better: Whether the model is better than any before.
    """

    number: int
    rows: int
    value: float | None
    reference: float | None
    better: bool


@frozen
class Training:
    """
    What came of it.

    Attributes:
        epochs: One after the other.

        step: How far the present one is.

        test: Loss and metrics over the test part.

        confusion_matrix: Over the test part.

        seconds: How long the fit took.

        examples_per_second: How fast it was.

        labelled: Examples that the model labelled itself, round by round.

        mini_batches: Of a stream that was followed.

        checkpoints: How often it was made safe.

        checkpoint_seconds: How long that took together.
    """

    epochs: tuple[Epoch, ...] = ()
    step: Step | None = None
    test: Numbers = field(factory=dict)
    confusion_matrix: ConfusionMatrix | None = None
    seconds: float | None = None
    examples_per_second: float | None = None
    labelled: tuple[int, ...] = ()
    mini_batches: tuple[MiniBatch, ...] = ()
    checkpoints: int = 0
    checkpoint_seconds: float = 0.0
