"""What a training reports."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

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
class StreamCounts:
    """
    What became of a stream's records.

    Attributes:
        offsets: Offsets in the requested ranges; gaps hold no record.

        examples: Records that were decoded.

        rejected: Records that were not of the stream's encoding.
    """

    offsets: int
    examples: int
    rejected: int


@define
class StageSeconds:
    """
    Where the time went while a stream was read, in seconds.

    The first three are of the reading thread, the last of whoever waited for it.

    Attributes:
        fetch: Waiting for the broker, and taking over its records.

        decode: Making examples of them.

        spool: Keeping the examples.

        wait: Waiting for examples that were not there yet.
    """

    fetch: float = 0.0
    decode: float = 0.0
    spool: float = 0.0
    wait: float = 0.0


@frozen
class TrainingReport:
    """
    Results of a whole training.

    Attributes:
        history: One entry per epoch.

        test: Over the test part after training; empty if there is none.

        training_time: Duration of the fit alone, in seconds.

        stream: What it was trained on, if that was counted.

        confusion_matrix: Over the test part, if one was wanted and the model is a
            classifier.

        indefinite: Whether training goes on: others may follow.

        labelled: How many examples were labelled in each round of semi-supervised
            training.
    """

    history: History
    test: Metrics
    training_time: float
    confusion_matrix: ConfusionMatrix | None = None
    stream: StreamCounts | None = None
    indefinite: bool = False
    labelled: tuple[int, ...] = ()
