"""The limit: librdkafka's own loop, which drops what it reads."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition

from benchmarks.contenders.job import Job, Meter, report


def main() -> None:
    """Read the ranges, all partitions at once."""
    job = Job()
    meter = Meter(job)
    consumer = Consumer(
        {
            "bootstrap.servers": job.servers,
            "group.id": "bench",
            "enable.auto.commit": False,
            # By default it pauses for a second whenever its queue is full.
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.assign([TopicPartition(job.topic, p, start) for p, start, _ in job.ranges])
    left = job.records
    while left > 0:
        messages = consumer.consume(min(10_000, left), 1.0)
        left -= len(messages)
        if messages:
            meter.add(len(messages))
    report(meter.stop())
    consumer.close()


if __name__ == "__main__":
    main()
