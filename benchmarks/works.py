"""What is measured about streams, and what the figures must show."""

from __future__ import annotations

from attrs import frozen

from benchmarks.claims import Claim, as_fast_as, at_least, memory_within, time_within
from benchmarks.contenders.job import EPOCHS


@frozen
class Contender:
    """
    A way to do a work.

    Attributes:
        label: Its name in tables.

        module: Its module in `benchmarks.contenders`.

        how: A variant of it.

        partitions: In how many partitions the records are.

        records: How many it gets, if not as many as most: the slow ones get fewer.
    """

    label: str
    module: str
    how: str = ""
    partitions: int = 1
    records: int | None = None


@frozen
class Work:
    """
    Records, and the contenders that read them.

    Attributes:
        name: What ``--only`` looks for.

        title: One line for the table.

        stream: The kind of records, by its name in `benchmarks.streams`.

        contenders: Run in this order in every round.

        claims: What must come out.

        on_broker: Whether the records are read from a topic, or made in memory.

        model: What is trained, by its name in `benchmarks.contenders.models`.

        batch: Examples per training step.

        epochs: How many to train.
    """

    name: str
    title: str
    stream: str
    contenders: tuple[Contender, ...]
    claims: tuple[Claim, ...]
    on_broker: bool = True
    model: str = ""
    batch: int = 0
    epochs: int = EPOCHS

    @property
    def training(self) -> bool:
        """Whether a model is trained."""
        return bool(self.model)


READY = "streamfit, ready to train"
DECODED = "streamfit, read and decoded"
READ = "streamfit, read"
LIVE = "streamfit, mini-batches as they come"
BARE = "bare consume loop"
KAFKA_PYTHON = "kafka-python"
TENSORFLOW_IO = "tensorflow-io KafkaDataset"
COLUMNS = "streamfit, a batch at once"
FASTAVRO = "fastavro, record by record"
FEW = 60_000

_DECODERS = (
    Contender(COLUMNS, "decoding", "columns"),
    Contender(FASTAVRO, "decoding", "fastavro", records=FEW),
)


def works(growth: int) -> tuple[Work, ...]:
    """
    Return all that there is to measure about streams.

    Args:
        growth: Number of records in the largest stream.
    """
    return (
        Work(
            "raw",
            "RAW, 784 bytes and a label of 1 byte, 1 partition",
            "raw",
            (
                Contender(BARE, "bare"),
                Contender(READY, "streamfit", "memory"),
                Contender(DECODED, "streamfit", "decode"),
                Contender(READ, "streamfit", "read"),
                Contender(TENSORFLOW_IO, "tensorflow_io", records=FEW),
                Contender(KAFKA_PYTHON, "kafka_python", records=FEW),
            ),
            (
                at_least(15, READY, TENSORFLOW_IO, "≥ 15 x tensorflow-io"),
                at_least(0.8, READY, BARE, "≥ 0.8 x bare consume loop"),
            ),
        ),
        Work(
            "raw-4-partitions",
            "the same in 4 partitions",
            "raw",
            (
                Contender(f"{BARE}, 4 partitions", "bare", partitions=4),
                Contender(READY, "streamfit", "memory"),
                Contender(f"{READY}, 4 partitions", "streamfit", "memory", 4),
            ),
            (
                at_least(
                    0.95,
                    f"{READY}, 4 partitions",
                    READY,
                    "not slower than in 1 (5 % is noise)",
                ),
            ),
        ),
        Work(
            "live",
            "RAW as in the first, followed as it comes, in mini-batches of 10,000",
            "raw",
            (
                Contender(LIVE, "streamfit", "live"),
                Contender(KAFKA_PYTHON, "kafka_python", records=FEW),
            ),
            (at_least(10, LIVE, KAFKA_PYTHON, "≥ 10 x kafka-python"),),
        ),
        Work(
            "avro",
            "AVRO, int, 3 float, double and a label of int",
            "avro",
            (
                Contender(BARE, "bare"),
                Contender(READY, "streamfit", "memory"),
                Contender(DECODED, "streamfit", "decode"),
                Contender(TENSORFLOW_IO, "tensorflow_io", records=FEW),
            ),
            (at_least(20, READY, TENSORFLOW_IO, "≥ 20 x tensorflow-io"),),
        ),
        Work(
            "avro-decoding",
            "the same, from memory: decoding alone",
            "avro",
            _DECODERS,
            (as_fast_as(10e6, COLUMNS),),
            on_broker=False,
        ),
        Work(
            "avro-mixed-decoding",
            "AVRO, nullable, nested, enum and array of 3, from memory",
            "avro-mixed",
            _DECODERS,
            (at_least(10, COLUMNS, FASTAVRO, "≥ 10 x fastavro"),),
            on_broker=False,
        ),
        _growth(growth),
    )


def _growth(growth: int) -> Work:
    small, large = f"{FEW:,} records, on disk", f"{growth:,} records, on disk"
    return Work(
        "growth",
        f"RAW, {FEW:,} to {growth:,} records, spool on disk",
        "raw",
        (
            Contender(small, "streamfit", "disk", records=FEW),
            Contender(large, "streamfit", "disk", records=growth),
        ),
        (
            time_within(1.15, large, small, "time per record ≤ 1.15 x"),
            memory_within(100_000_000, large, small),
        ),
    )
