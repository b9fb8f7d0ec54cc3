"""Ours: read alone, read and decoded, or as arrays ready to train."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import attrs

from adapters.avro import AvroDecoder
from adapters.kafka import KafkaSettings, KafkaStreamSource
from adapters.raw import RawDecoder
from adapters.spool import DiskSpool, MemorySpool
from benchmarks.checksum import Checksum
from benchmarks.contenders.job import Job, Meter, report
from bootstrap.main import GC_THRESHOLDS
from domain.bad_records import BadRecordPolicy
from domain.batches import RecordBatch
from domain.intake import Intake
from domain.offsets import OffsetRange
from domain.progress import StreamProgress
from ports import Decoder, Spool, StreamSource

DECODERS = {"RAW": RawDecoder.from_options, "AVRO": AvroDecoder.from_options}


def main() -> None:
    """Read the ranges."""
    gc.set_threshold(*GC_THRESHOLDS)
    job = Job()
    source = KafkaStreamSource(KafkaSettings(job.servers, "control"))
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
