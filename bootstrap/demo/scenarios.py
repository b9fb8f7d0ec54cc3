"""What is shown in which mode: a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from bootstrap.demo.choices import Format, Mode
from bootstrap.demo.data import DataSet, breast_cancer, digits
from bootstrap.demo.sending import (
    AllAtOnce,
    LabelledBefore,
    LittleByLittle,
    PartlyLabelled,
    Sending,
)

MODELS = Path(__file__).parent / "models"
DIGITS = (MODELS / "digits.h5",)
BREAST_CANCER = (MODELS / "breast_cancer.h5",)
CHAIN = (MODELS / "edge.h5", MODELS / "cloud.h5")

# What the platform sets beyond the variables of all modes (contract, section 2.2).
CHAINED = {
    "OPTIMIZER": "adam",
    "LEARNING_RATE": "0.001000",
    "LOSS": "sparse_categorical_crossentropy",
    "METRICS": "sparse_categorical_accuracy",
}
LIVE = {
    "STREAM_TIMEOUT": "5000",
    "IMPROVEMENT": "None",
    # Ours: the platform's mini-batches take longer than people watch a demo.
    "STREAMFIT_MINI_BATCH": "300",
    "STREAMFIT_MINI_BATCH_SECONDS": "3",
}
LIVE_SINGLE = {**LIVE, "MONITORING_METRIC": "", "CHANGE": ""}
UNSUPERVISED = {
    "UNSUPERVISED": "True",
    "UNSUPERVISED_ROUNDS": "3",
    "CONFIDENCE": "0.950000",
}


def mini_batch(number: int, _: Sequence[int]) -> str:
    """Return the name of an incremental training's fit."""
    return f"mini-batch {number}"


def labelling_round(number: int, labelled: Sequence[int]) -> str:
    """Return the name of a semi-supervised training's fit."""
    if number == 1:
        return "labels as given"
    return f"round {number - 1}: {labelled[number - 2]:,} labelled"


def labelling_mini_batch(number: int, labelled: Sequence[int]) -> str:
    """Return the name of a fit where records without labels still come."""
    if number == 1:
        return "labels as given"
    return f"mini-batch {number - 1}: {labelled[number - 2]:,} labelled"


@frozen
class Scenario:
    """
    One mode on one data set.

    Attributes:
        case: The platform's number of the mode.

        data: Makes the data set.

        models: The untrained models, written by the platform's TensorFlow; several are
            a chain.

        sending: How the data get to the job.

        batch: Examples per training step.

        epochs: Passes of one fit.

        variables: Of the job, beyond those of all modes.

        name_of_fit: Names one by its number and by how many records each round has
            labelled; None if there is only one.
    """

    case: int
    data: Callable[[], DataSet]
    models: tuple[Path, ...]
    sending: Callable[[DataSet, str], Sending]
    batch: int
    epochs: int
    variables: Mapping[str, str] = field(factory=dict)
    name_of_fit: Callable[[int, Sequence[int]], str] | None = None


SCENARIOS: Mapping[tuple[Mode, Format], Scenario] = {
    (Mode.CLASSIC, Format.RAW): Scenario(1, digits, DIGITS, AllAtOnce, 32, 20),
    (Mode.CLASSIC, Format.AVRO): Scenario(
        1, breast_cancer, BREAST_CANCER, AllAtOnce, 16, 40
    ),
    (Mode.INCREMENTAL, Format.RAW): Scenario(
        2, digits, DIGITS, LittleByLittle, 32, 10, LIVE_SINGLE, mini_batch
    ),
    (Mode.INCREMENTAL, Format.AVRO): Scenario(
        2, breast_cancer, BREAST_CANCER, LittleByLittle, 16, 20, LIVE_SINGLE, mini_batch
    ),
    (Mode.DISTRIBUTED, Format.RAW): Scenario(
        3, digits, CHAIN, AllAtOnce, 32, 30, CHAINED
    ),
    (Mode.DISTRIBUTED_INCREMENTAL, Format.RAW): Scenario(
        4, digits, CHAIN, LittleByLittle, 32, 10, {**LIVE, **CHAINED}, mini_batch
    ),
    (Mode.SEMI_SUPERVISED, Format.RAW): Scenario(
        1, digits, DIGITS, PartlyLabelled, 32, 15, UNSUPERVISED, labelling_round
    ),
    (Mode.SEMI_SUPERVISED_INCREMENTAL, Format.RAW): Scenario(
        2,
        digits,
        DIGITS,
        LabelledBefore,
        32,
        15,
        {**LIVE_SINGLE, **UNSUPERVISED},
        labelling_mini_batch,
    ),
}
"""By mode and record format; what is not here is not shown."""


def formats(mode: Mode) -> tuple[Format, ...]:
    """Return the record formats that *mode* is shown in."""
    return tuple(record_format for of, record_format in SCENARIOS if of is mode)
