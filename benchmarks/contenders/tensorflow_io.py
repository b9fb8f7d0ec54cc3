"""The platform's own reader: tensorflow-io's KafkaDataset, decoded record by record."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import tensorflow as tf
from tensorflow_io.python.experimental.serialization_ops import decode_avro
from tensorflow_io.python.ops.kafka_deprecated_dataset_ops import KafkaDataset

from benchmarks.checksum import Checksum
from benchmarks.contenders.job import Job, Meter, report

BATCH = 32
"""The platform's default."""


def main() -> None:
    """Read the ranges, one after the other."""
    job = Job()
    meter = Meter(job)
    dataset = KafkaDataset(
        # It reads one record more than it is told to, unless the partition ends there.
        [f"{job.topic}:{p}:{start}:{end - 1}" for p, start, end in job.ranges],
        servers=job.servers,
        group="bench",
        eof=True,
        message_key=True,
    )
    decode = {"RAW": decode_raw, "AVRO": decode_avro_with}[job.format](job.options)
    batches = iter(dataset.map(decode).batch(BATCH))
    rest = drain.get_concrete_function(batches)
    first = next(batches)
    meter.add(len(first[1]))
    features, labels = rest(batches)
    meter.add(len(labels))
    measured = meter.stop()
    checksum = Checksum()
    checksum.add(first[0].numpy(), first[1].numpy())
    checksum.add(features.numpy(), labels.numpy())
    report(measured, checksum)


@tf.function
def drain(batches: Iterator[tuple[tf.Tensor, tf.Tensor]]) -> tuple[tf.Tensor, ...]:
    """Read the rest within TensorFlow, as fit does: faster than from Python."""
    options = {"size": 0, "dynamic_size": True, "infer_shape": False}
    kinds = [spec.dtype for spec in batches.element_spec]
    features, labels = (tf.TensorArray(kind, **options) for kind in kinds)
    number = 0
    for feature_batch, label_batch in batches:
        features = features.write(number, feature_batch)
        labels = labels.write(number, label_batch)
        number += 1  # noqa: SIM113  # TensorFlow cannot enumerate an iterator
    return features.concat(), labels.concat()


Decode = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def decode_raw(options: dict[str, str]) -> Decode:
    """Return what the platform makes of a RAW record."""
    shape = [int(axis) for axis in options["data_reshape"].split()]

    def decode(value: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return (
            tf.reshape(tf.io.decode_raw(value, tf.uint8), shape),
            tf.reshape(tf.io.decode_raw(key, tf.uint8), []),
        )

    return decode


def decode_avro_with(options: dict[str, str]) -> Decode:
    """Return what the platform makes of an AVRO record; it could not mix types."""

    def decode(value: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features = decode_avro(value, schema=options["data_scheme"])
        labels = decode_avro(key, schema=options["label_scheme"])
        return (
            tf.stack([tf.cast(field, tf.float64) for field in features.values()]),
            tf.stack(list(labels.values())),
        )

    return decode


if __name__ == "__main__":
    main()
