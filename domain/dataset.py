"""The examples of a stream, decoded once, and the parts they are shared out in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from domain.batches import ElementSpec, ExampleBatch, RecordBatch
from ports import Decoder, Spool


def fill(spool: Spool, records: Iterable[RecordBatch], decoder: Decoder) -> None:
    """Decode *records* batch by batch into *spool*."""
    for batch in records:
        spool.append(decoder.decode(batch))


@frozen
class Part:
    """
    A contiguous part of a spool: the Dataset that trainers read.

    Attributes:
        spool: Where the examples are.

        rows: Their positions in it.
    """

    spool: Spool
    rows: range

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like."""
        return self.spool.element_spec

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.rows)

    def batches(self, size: int) -> Iterator[ExampleBatch]:
        """Read the examples afresh, *size* at a time; the last batch may be short."""
        for start in range(self.rows.start, self.rows.stop, size):
            yield self.spool.read(start, min(start + size, self.rows.stop))
