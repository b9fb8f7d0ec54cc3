"""kafka-python: poll, and join the records of each poll into arrays."""

from __future__ import annotations

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from benchmarks.checksum import Checksum
from benchmarks.contenders.job import Job, Meter, report


def main() -> None:
    """Read one range of RAW records."""
    job = Job()
    meter = Meter(job)
    ((partition, start, end),) = job.ranges
    place = TopicPartition(job.topic, partition)
    consumer = KafkaConsumer(
        bootstrap_servers=job.servers, enable_auto_commit=False, max_poll_records=10_000
    )
    consumer.assign([place])
    consumer.seek(place, start)
    batches = []
    while start < end:
        records = consumer.poll(1000, max_records=end - start).get(place, [])
        if not records:
            continue
        batches.append(
            (
                np.frombuffer(b"".join(r.value for r in records), np.uint8).reshape(
                    len(records), -1
                ),
                np.frombuffer(b"".join(r.key for r in records), np.uint8),
            )
        )
        start = records[-1].offset + 1
        meter.add(len(records))
    measured = meter.stop()
    checksum = Checksum()
    for features, labels in batches:
        checksum.add(features, labels)
    report(measured, checksum)
    consumer.close()


if __name__ == "__main__":
    main()
