"""A stream whose every record is known, to be read under all kinds of faults."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from domain.batches import RecordBatch
from tests.broker.topics import Record


def record(number: int, size: int = 1000) -> Record:
    """Return the record with a *number*: no two are alike, and they do not compress."""
    value = hashlib.shake_128(b"%d" % number).digest(size)
    return b"%d" % number, value


def stream(count: int, size: int = 1000) -> list[Record]:
    """Return the first records."""
    return [record(number, size) for number in range(count)]


def content(batches: Iterable[RecordBatch]) -> list[Record]:
    """Return the records of *batches*."""
    return [
        (bytes(batch.keys[index]), bytes(batch.values[index]))
        for batch in batches
        for index in range(len(batch))
    ]
