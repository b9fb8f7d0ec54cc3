"""The first records of a stream, decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence

from attrs import evolve, field, frozen

from domain.batches import Array, ElementSpec
from domain.offsets import OffsetRange
from ports import Decoder, StreamSource

RECORDS = 1000
"""As many are looked at, at most."""

SIZE = 32 << 20
"""Bytes of records after which no more are looked at."""

TOLD = 3
"""As many bad records are named."""


@frozen
class Sample:
    """
    What became of the first records.

    Attributes:
        records: How many there are.

        rejected: How many of them are bad.

        told: Of the first bad ones, the place and what is wrong.

        spec: What every example looks like; None if there is none.

        labels: Of the examples, batch by batch.
    """

    records: int = 0
    rejected: int = 0
    told: tuple[str, ...] = ()
    spec: ElementSpec | None = None
    labels: tuple[Array, ...] = field(default=(), repr=False)


@frozen
class Sampling:
    """
    Reads the first records of streams.

    Attributes:
        source: Where they are.

        patience: Seconds that one stream may take.

        clock: Seconds from any fixed point.
    """

    source: StreamSource
    patience: float
    clock: Callable[[], float] = time.monotonic

    def take(self, ranges: Sequence[OffsetRange], decoder: Decoder) -> Sample:
        """
        Decode the first records of *ranges*, as many as come in time.

        Raises:
            StreamUnreadable: They are not there any more.

            Unavailable: The broker stayed away.

            DeploymentInvalid: The broker refuses to let us read.
        """
        sample, size = Sample(), 0
        give_up_at = self.clock() + self.patience
        batches = self.source.read(list(_first(ranges)))
        try:
            for batch in batches:
                if len(batch):
                    decoded = decoder.decode(batch)
                    bad = [
                        f"{batch.place(r.index)}: {r.reason}" for r in decoded.rejected
                    ]
                    good = decoded.examples
                    sample = Sample(
                        records=sample.records + len(batch),
                        rejected=sample.rejected + len(bad),
                        told=(*sample.told, *bad)[:TOLD],
                        spec=good.element_spec if len(good) else sample.spec,
                        labels=(*sample.labels, good.labels)
                        if len(good)
                        else sample.labels,
                    )
                    size += len(batch.keys.data) + len(batch.values.data)
                if size > SIZE or self.clock() > give_up_at:
                    break
        finally:
            if isinstance(batches, Generator):  # which holds connections
                batches.close()
        return sample


def _first(ranges: Sequence[OffsetRange]) -> Iterator[OffsetRange]:
    """Cut *ranges* so that they hold no more offsets than are looked at."""
    left = RECORDS
    for wanted in ranges:
        cut = evolve(wanted, end=min(wanted.end, wanted.start + left))
        if len(cut):
            yield cut
        left -= len(cut)
