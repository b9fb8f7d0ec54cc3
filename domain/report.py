"""What a training reports."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

Metrics = Mapping[str, float]
"""Loss and metrics by Keras 2's history names without ``val_``, ``loss`` first."""


@frozen
class EpochMetrics:
    """
    Results of one epoch.

    Attributes:
        training: Mean over the training part.

        validation: Over the validation part; empty if there is none.
    """

    training: Metrics
    validation: Metrics = field(factory=dict)


History = tuple[EpochMetrics, ...]
"""The epochs so far, oldest first."""


@frozen
class ConfusionMatrix:
    """
    How often which class was taken for which.

    Attributes:
        labels: The classes that occur as true or as predicted one, ascending.

        counts: Number of examples; rows are true classes, columns predicted ones.
    """

    labels: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]


@frozen
class TrainingReport:
    """
    Results of a whole training.

    Attributes:
        history: One entry per epoch.

        test: Over the test part after training; empty if there is none.

        training_time: Duration of the fit alone, in seconds.

        confusion_matrix: Over the test part, if one was wanted and the model is a
            classifier.
    """

    history: History
    test: Metrics
    training_time: float
    confusion_matrix: ConfusionMatrix | None = None
