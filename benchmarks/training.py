"""What is measured about training, and what the figures must show."""

from __future__ import annotations

from itertools import product

from benchmarks.claims import at_least, longer_by, memory_at_most, time_within
from benchmarks.contenders.job import EPOCHS
from benchmarks.works import FEW, Contender, Work

LONG = 20
"""Epochs, so that there are some checkpoints."""

MODELS = {"dense": "784-128-10", "cnn": "CNN"}
"""Titles, by the name in `benchmarks.contenders.models`."""

ARRAYS = "fit on arrays in memory"
IN_MEMORY = "streamfit, spool in memory"
ON_DISK = "streamfit, spool on disk"
KEPT = "streamfit, with checkpoints"
WHOLE_JOB = "streamfit, the whole job"
CACHED = "tensorflow-io KafkaDataset, cached"
REREAD = "tensorflow-io KafkaDataset, read again each epoch"
FIRST_STEP = "streamfit, message to first step"
IMPORT = "import tensorflow"


def training_works() -> tuple[Work, ...]:
    """Return all that there is to measure about training."""
    return (
        *(_epochs(model, batch) for model, batch in product(MODELS, (32, 1024))),
        _checkpoints(),
        _whole_job(),
        _start(),
    )


def _epochs(model: str, batch: int) -> Work:
    return Work(
        f"epoch-{model}-{batch}",
        f"{MODELS[model]}, batch {batch}: epochs after the first",
        "raw",
        (
            Contender(ARRAYS, "fit", "arrays", records=FEW),
            Contender(IN_MEMORY, "fit", "memory", records=FEW),
            Contender(ON_DISK, "fit", "disk", records=FEW),
        ),
        (
            at_least(0.95, IN_MEMORY, ARRAYS, "in memory ≥ 0.95 x arrays"),
            at_least(0.95, ON_DISK, ARRAYS, "on disk ≥ 0.95 x arrays"),
        ),
        model=model,
        batch=batch,
    )


def _checkpoints() -> Work:
    return Work(
        "checkpoints",
        f"784-128-10, batch 32: {LONG} epochs after the first, with checkpoints",
        "raw",
        (
            Contender(ON_DISK, "fit", "disk", records=FEW),
            Contender(KEPT, "fit", "checkpoints", records=FEW),
        ),
        (at_least(0.98, KEPT, ON_DISK, "checkpoints take ≤ 2 %"),),
        model="dense",
        batch=32,
        epochs=LONG + 1,
    )


def _whole_job() -> Work:
    return Work(
        "job",
        f"784-128-10, batch 32: {EPOCHS} epochs, message to result",
        "raw",
        (
            Contender(WHOLE_JOB, "process", "job", records=FEW),
            Contender(CACHED, "tensorflow_io_fit", "cached", records=FEW),
            Contender(REREAD, "tensorflow_io_fit", "again", records=FEW),
        ),
        (
            time_within(1 / 2.5, WHOLE_JOB, CACHED, "≤ 1/2.5 of the time of a cache"),
            time_within(1 / 8, WHOLE_JOB, REREAD, "≤ 1/8 of the time of reading again"),
        ),
        model="dense",
        batch=32,
    )


def _start() -> Work:
    return Work(
        "start",
        "waiting, and the first step of training",
        "raw",
        (
            Contender(IMPORT, "importing", records=FEW),
            Contender(FIRST_STEP, "process", "first-step", records=FEW),
        ),
        (
            longer_by(1, FIRST_STEP, IMPORT, "≤ 1 s more than the import alone"),
            memory_at_most(80_000_000, FIRST_STEP, "resident while waiting ≤ 80 MB"),
        ),
        model="dense",
        batch=32,
    )
