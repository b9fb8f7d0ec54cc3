"""The platform's own way of training: fit on tensorflow-io's KafkaDataset."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import tensorflow as tf
from tensorflow_io.python.ops.kafka_deprecated_dataset_ops import KafkaDataset

from benchmarks.contenders.job import (
    EPOCHS,
    VALIDATION_RATE,
    Job,
    max_rss,
    report,
)
from benchmarks.contenders.tensorflow_io import decode_raw


def main() -> None:
    """Read, train and save; TensorFlow is there already, as it is in the platform."""
    job = Job()
    startup = time.time() - job.started
    cpu, started = time.process_time(), time.perf_counter()
    model = tf.keras.models.load_model(job.model)
    training = int((1 - VALIDATION_RATE) * job.records)
    dataset = KafkaDataset(
        [f"{job.topic}:{p}:{start}:{end - 1}" for p, start, end in job.ranges],
        servers=job.servers,
        group="bench",
        eof=True,
        message_key=True,
    ).map(decode_raw(job.options))
    parts = [
        part.batch(job.batch)
        for part in (dataset.take(training), dataset.skip(training))
    ]
    if job.how == "cached":
        parts = [part.cache() for part in parts]
    model.fit(parts[0], validation_data=parts[1], epochs=EPOCHS, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "trained_model.h5")
    seconds = time.perf_counter() - started
    wanted = EPOCHS * -(-training // job.batch)
    if (done := int(model.optimizer.iterations)) != wanted:
        raise SystemExit(f"{done} steps, wanted {wanted}")
    report(
        {
            "seconds": seconds,
            "cpu_seconds": time.process_time() - cpu,
            "startup_seconds": startup,
            "max_rss": max_rss(),
            "records": job.records,
        }
    )


if __name__ == "__main__":
    main()
