"""AVRO without a broker: our decoder, or fastavro record by record."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable

import fastavro

from adapters.avro import AvroDecoder
from adapters.kafka.range_reader import BATCH_RECORDS
from adapters.kafka.records import column
from benchmarks.checksum import Checksum
from benchmarks.contenders.job import Job, max_rss, report
from benchmarks.streams import STREAMS
from domain.batches import RecordBatch


def main() -> None:
    """Decode what is in memory, batch by batch."""
    job = Job()
    stream = STREAMS[job.stream]
    batches = []
    for start in range(0, job.records, BATCH_RECORDS):
        chunk = stream.chunk(start, min(start + BATCH_RECORDS, job.records))
        batches.append((chunk.keys, chunk.values))
    decode = {"columns": by_columns, "fastavro": by_record}[job.how](stream.options)
    packed = decode(batches)
    startup = time.time() - job.started
    started, cpu = time.perf_counter(), time.process_time()
    decoded = [one() for one in packed]
    measured = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "startup_seconds": startup,
        "records": job.records,
        "max_rss": max_rss(),
    }
    checksum = Checksum()
    for features, labels in decoded:
        checksum.add(*stream.arrays(features, labels))
    report(measured, checksum)


Batches = Iterable[tuple[list[bytes], list[bytes]]]
Decodings = list[Callable[[], tuple[object, object]]]


def by_columns(options: dict[str, str]) -> Callable[[Batches], Decodings]:
    """Decode as the service does: a batch at once, packed beforehand."""
    decoder = AvroDecoder.from_options(options)

    def decode(batch: RecordBatch) -> tuple[object, object]:
        decoded = decoder.decode(batch)
        return decoded.examples.features, decoded.examples.labels

    def pack(batches: Batches) -> Decodings:
        packed = [
            RecordBatch(
                "bench",
                0,
                range(len(keys)),
                column(keys),
                column(values),
            )
            for keys, values in batches
        ]
        decode(packed[0])  # whatever is made once per stream
        return [lambda batch=batch: decode(batch) for batch in packed]

    return pack


def by_record(options: dict[str, str]) -> Callable[[Batches], Decodings]:
    """Decode with fastavro, into dictionaries."""
    value_schema = fastavro.parse_schema(json.loads(options["data_scheme"]))
    key_schema = fastavro.parse_schema(json.loads(options["label_scheme"]))

    def decode(keys: list[bytes], values: list[bytes]) -> tuple[object, object]:
        read, stream = fastavro.schemaless_reader, io.BytesIO
        return (
            [read(stream(value), value_schema, None) for value in values],
            [read(stream(key), key_schema, None) for key in keys],
        )

    return lambda batches: [
        lambda keys=keys, values=values: decode(keys, values)
        for keys, values in batches
    ]


if __name__ == "__main__":
    main()
