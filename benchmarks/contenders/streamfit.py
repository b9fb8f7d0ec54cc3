"""Ours: read alone, read and decoded, or as arrays ready to train; also as it comes."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import attrs

from adapters.avro import AvroDecoder
from adapters.kafka import KafkaLiveStream, KafkaSettings, KafkaStreamSource
from adapters.raw import RawDecoder
from adapters.spool import DiskSpool, MemorySpool
from benchmarks.checksum import Checksum
from benchmarks.contenders.job import Job, Meter, report
from bootstrap.main import GC_THRESHOLDS
from domain.bad_records import BadRecordPolicy
from domain.batches import RecordBatch
from domain.intake import Intake
from domain.mini_batches import MiniBatches, Pace
from domain.offsets import OffsetRange
from domain.progress import LivePosition, LiveStreamProgress, StreamProgress
from ports import Decoder, LiveStream, Spool, StreamSource

DECODERS = {"RAW": RawDecoder.from_options, "AVRO": AvroDecoder.from_options}


def main() -> None:
    """Read the ranges."""
    gc.set_threshold(*GC_THRESHOLDS)
    job = Job()
    settings = KafkaSettings(job.servers, "control")
    if job.how == "live":
        live(KafkaLiveStream(settings), job, Meter(job))
        return
    source = KafkaStreamSource(settings)
    ranges = [OffsetRange(job.topic, *range_) for range_ in job.ranges]
    if job.how == "read":
        read(source.read(ranges), Meter(job))
        return
    decoder = DECODERS[job.format](job.options)
    if job.how == "decode":
        decode(source.read(ranges), decoder, Meter(job))
        return
    with tempfile.TemporaryDirectory() as folder:
        spool: Spool = (
            DiskSpool(job.records, Path(folder))
            if job.how == "disk"
            else MemorySpool(job.records)
        )
        keep(source, ranges, decoder, spool, Meter(job))


def live(source: LiveStream, job: Job, meter: Meter) -> None:
    """Do what the job does with a stream that is still being written."""
    offsets = {partition: start for partition, start, _ in job.ranges}
    position = LivePosition(job.topic, offsets)
    mini_batches = MiniBatches(
        stream=source.follow(position),
        progress=LiveStreamProgress(position),
        pace=Pace(patience=1.0, timeout=1.0),
        decoder=DECODERS[job.format](job.options),
        spool_for=lambda expected, folder=None: MemorySpool(expected),  # noqa: ARG005
        bad_records=BadRecordPolicy(),
        rejected_records=None,
        clock=time.perf_counter,
    )
    checksum = Checksum()
    while mini_batches.progress.counts.examples < job.records:
        mini_batch = mini_batches.next()
        if mini_batch is None:
            break
        rows = len(mini_batch.spool)
        meter.add(rows)
        examples = mini_batch.spool.read(0, rows)
        checksum.add(examples.features, examples.labels)
        mini_batch.spool.close()
    report(meter.stop(), checksum)


def read(batches: Iterable[RecordBatch], meter: Meter) -> None:
    """Drop the records."""
    for batch in batches:
        if len(batch):
            meter.add(len(batch))
    report(meter.stop())


def decode(batches: Iterable[RecordBatch], decoder: Decoder, meter: Meter) -> None:
    """Drop the examples."""
    checksum = Checksum()
    for batch in batches:
        if len(batch):
            examples = decoder.decode(batch).examples
            checksum.add(examples.features, examples.labels)
            meter.add(len(batch))
    report(meter.stop(), checksum)


def keep(
    source: StreamSource,
    ranges: list[OffsetRange],
    decoder: Decoder,
    spool: Spool,
    meter: Meter,
) -> None:
    """Do what the job does until a trainer comes."""
    intake = Intake(
        read=partial(source.read, ranges),
        progress=StreamProgress.none(ranges),
        decoder=decoder,
        spool=spool,
        bad_records=BadRecordPolicy(),
    )
    with intake:
        intake.wait(1)
        first = len(spool)
        meter.add(first)
        before = attrs.asdict(intake.seconds)
        records = intake.finish()
        if records > first:
            meter.add(records - first)
        measured = meter.stop()
        checksum = Checksum()
        for start in range(0, records, 10_000):
            examples = spool.read(start, start + 10_000)
            checksum.add(examples.features, examples.labels)
        stages = {
            name: seconds - before[name]
            for name, seconds in attrs.asdict(intake.seconds).items()
        }
        report({**measured, "stages": stages}, checksum)


if __name__ == "__main__":
    main()
