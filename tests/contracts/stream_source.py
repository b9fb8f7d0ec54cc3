"""What every stream source does."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from domain.batches import RecordBatch
from domain.errors import StreamUnreadable
from domain.offsets import OffsetRange, RequestedRange
from ports import StreamSource
from tests.broker.arranger import Arranger, DeletingArranger
from tests.broker.topics import Record
from tests.contracts.logged import PATIENCE, logged


def numbered(count: int) -> list[Record]:
    """Return records with the key ``k`` and the values ``0``, ``1``, ..."""
    return [(b"k", b"%d" % number) for number in range(count)]


def values(batches: Iterable[RecordBatch]) -> list[bytes]:
    """Return the values of *batches*, each as bytes."""
    return [bytes(b.values[i]) for b in batches for i in range(len(b))]


def offsets(batches: Iterable[RecordBatch]) -> list[int]:
    """Return the offsets of *batches*."""
    return [offset for batch in batches for offset in batch.offsets]


class StreamSourceContract:
    """
    What every stream source does.

    Subclasses provide *topic* and *other_topic*, names of topics that do not exist yet,
    *broker*, to make and fill them, *source*, which reads them in small batches if it
    can and waits for nothing, and *patient_source*, which waits for records.
    """

    def test_reads_range_after_range(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """Ranges come in the order asked for, records in offset order."""
        broker.produce(topic, *numbered(10))

        batches = source.read(
            [OffsetRange(topic, 0, 6, 8), OffsetRange(topic, 0, 1, 3)]
        )

        assert [b"6", b"7", b"1", b"2"] == values(batches)

    def test_batches(self, broker: Arranger, source: StreamSource, topic: str) -> None:
        """A batch knows its place and is never part of two ranges."""
        broker.produce(topic, *numbered(10))

        ranges = [OffsetRange(topic, 0, 0, 5), OffsetRange(topic, 0, 5, 10)]
        batches = [batch for batch in source.read(ranges) if len(batch)]

        assert {(topic, 0)} == {(b.topic, b.partition) for b in batches}
        assert list(range(10)) == offsets(batches)
        assert all((b.offsets[0] < 5) == (b.offsets[-1] < 5) for b in batches)
        assert f"{topic}[0]@0" == batches[0].place(0)

    def test_afresh(self, broker: Arranger, source: StreamSource, topic: str) -> None:
        """Each call reads from the first record on, beside others."""
        broker.produce(topic, *numbered(4))
        ranges = [OffsetRange(topic, 0, 0, 4)]

        one = source.read(ranges)
        first = values([next(one)])
        other = values(source.read(ranges))
        rest = values(one)

        assert [b"0", b"1", b"2", b"3"] == other
        assert other == first + rest

    def test_early_close(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """A reader may leave at any time."""
        broker.produce(topic, *numbered(10))
        ranges = [OffsetRange(topic, 0, 0, 10), OffsetRange(topic, 0, 0, 10)]
        batches = source.read(ranges)

        next(batches)
        batches.close()  # type: ignore[attr-defined]

        assert [] == list(batches)
        assert 20 == len(values(source.read(ranges)))

    def test_nulls(self, broker: Arranger, source: StreamSource, topic: str) -> None:
        """A null key and a null value count as empty."""
        broker.produce(topic, (None, b"v"), (b"k", None), (None, None), (b"", b""))

        batches = list(source.read([OffsetRange(topic, 0, 0, 4)]))
        keys = [bytes(b.keys[i]) for b in batches for i in range(len(b))]

        assert [b"", b"k", b"", b""] == keys
        assert [b"v", b"", b"", b""] == values(batches)

    def test_later_records(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """The end is exclusive, and what lies behind it is not read."""
        broker.produce(topic, *numbered(500))

        assert [b"3"] == values(source.read([OffsetRange(topic, 0, 3, 4)]))
        assert 299 == len(values(source.read([OffsetRange(topic, 0, 1, 300)])))

    def test_empty_ranges(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """Empty ranges yield nothing, wherever they lie."""
        broker.produce(topic, *numbered(3))
        empty = [OffsetRange(topic, 0, offset, offset) for offset in range(4)]

        assert [] == list(source.read(empty))
        assert [] == list(source.read([]))
        assert 3 == len(values(source.read([*empty, OffsetRange(topic, 0, 0, 3)])))

    def test_partitions_and_topics(
        self, broker: Arranger, source: StreamSource, topic: str, other_topic: str
    ) -> None:
        """Ranges may be of any partition of any topic."""
        broker.create(topic, 3)
        broker.produce(topic, (b"", b"a"), (b"", b"b"), partition=2)
        broker.produce(topic, (b"", b"c"), partition=0)
        broker.produce(other_topic, (b"", b"d"))
        ranges = [
            OffsetRange(topic, 2, 0, 2),
            OffsetRange(other_topic, 0, 0, 1),
            OffsetRange(topic, 1, 0, 0),
            OffsetRange(topic, 0, 0, 1),
        ]

        assert [b"a", b"b", b"d", b"c"] == values(source.read(ranges))

    def test_resolve(
        self, broker: Arranger, source: StreamSource, topic: str, other_topic: str
    ) -> None:
        """Ranges stay as they are, in their order; an open end is closed."""
        broker.produce(topic, *numbered(5))
        broker.produce(other_topic, *numbered(2))
        wanted = [
            RequestedRange(topic, 0, 3, 5),
            RequestedRange(other_topic, 0, 1, None),
            RequestedRange(topic, 0, 0, 2),
            RequestedRange(other_topic, 0, 1, 1),
        ]

        assert (
            OffsetRange(topic, 0, 3, 5),
            OffsetRange(other_topic, 0, 1, 2),
            OffsetRange(topic, 0, 0, 2),
            OffsetRange(other_topic, 0, 1, 1),
        ) == source.resolve(wanted)

    def test_same_log(self, broker: Arranger, source: StreamSource, topic: str) -> None:
        """A topic is the same one however many records and partitions join it."""
        broker.produce(topic, *numbered(3))
        (before,) = source.resolve([RequestedRange(topic, 0, 0, 3)])
        broker.produce(topic, *numbered(3))
        broker.produce(topic, *numbered(3), partition=1)

        after = source.resolve(
            [RequestedRange(topic, 0, 3, None), RequestedRange(topic, 1, 0, 0)]
        )

        assert [before.log] * 2 == [r.log for r in after]

    def test_open_end(self, broker: Arranger, source: StreamSource, topic: str) -> None:
        """An open end is that of the moment; what comes later is not part of it."""
        broker.produce(topic, *numbered(3))

        resolved = source.resolve([RequestedRange(topic, 0, 3, None)])
        broker.produce(topic, *numbered(2))

        assert (OffsetRange(topic, 0, 3, 3),) == resolved
        assert [] == list(source.read(resolved))

    def test_unknown_topic(self, source: StreamSource, topic: str) -> None:
        """A topic that does not exist is a reason to skip the request."""
        with pytest.raises(StreamUnreadable, match=topic):
            source.resolve([RequestedRange(topic, 0, 0, 1)])
        with pytest.raises(StreamUnreadable, match=topic):
            list(source.read([OffsetRange(topic, 0, 0, 1)]))

    def test_unknown_partition(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """A partition that does not exist is a reason to skip the request."""
        broker.produce(topic, *numbered(1))

        with pytest.raises(StreamUnreadable, match=rf"{topic}\[99\]@0\.\.1"):
            source.resolve([RequestedRange(topic, 99, 0, 1)])
        with pytest.raises(StreamUnreadable, match=rf"{topic}\[99\]@0\.\.1"):
            list(source.read([OffsetRange(topic, 99, 0, 1)]))

    def test_not_there_yet(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """Offsets that do not come are an error, never a shorter stream."""
        broker.produce(topic, *numbered(3))

        with pytest.raises(StreamUnreadable, match=rf"{topic}\[0\]@1\.\.5.* ends at 3"):
            source.resolve([RequestedRange(topic, 0, 1, 5)])
        with pytest.raises(
            StreamUnreadable, match=rf"{topic}\[0\]@.*\.\.5.* ends at 3"
        ):
            list(source.read([OffsetRange(topic, 0, 1, 5)]))

    def test_start_behind_the_end(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """A range that starts behind the partition's end is an error, open or not."""
        broker.produce(topic, *numbered(3))

        for end in (4, 7, None):
            with pytest.raises(StreamUnreadable, match=rf"{topic}\[0\]@4\.\..*3"):
                source.resolve([RequestedRange(topic, 0, 4, end)])

    def test_start_behind_its_own_end(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """A range that ends before it starts is an error."""
        broker.produce(topic, *numbered(5))

        with pytest.raises(StreamUnreadable, match=rf"{topic}\[0\]@4\.\.2"):
            source.resolve([RequestedRange(topic, 0, 4, 2)])

    def test_waits(
        self,
        broker: Arranger,
        patient_source: StreamSource,
        topic: str,
    ) -> None:
        """Offsets that are not there yet are waited for."""
        broker.produce(topic, *numbered(3))
        wanted = [RequestedRange(topic, 0, 1, 5)]

        with logged("waiting for records") as waiting, ThreadPoolExecutor(1) as thread:
            resolved = thread.submit(patient_source.resolve, wanted)
            assert waiting.wait(PATIENCE)
            broker.produce(topic, *numbered(2))

            assert (OffsetRange(topic, 0, 1, 5),) == resolved.result(PATIENCE)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ((0, 3), (2, 5)),
            ((2, 5), (0, 3)),
            ((0, 3), (0, 3)),
            ((0, 5), (1, 2)),
            ((1, None), (0, 2)),
            ((1, None), (3, 4)),
        ],
    )
    def test_overlap(
        self,
        broker: Arranger,
        source: StreamSource,
        topic: str,
        one: tuple[int, int | None],
        other: tuple[int, int | None],
    ) -> None:
        """Ranges that share records are refused, naming both."""
        broker.produce(topic, *numbered(5))
        wanted = [RequestedRange(topic, 0, *one), RequestedRange(topic, 0, *other)]

        with pytest.raises(StreamUnreadable, match="overlap") as refusal:
            source.resolve(wanted)

        assert all(str(r) in str(refusal.value) for r in wanted)

    def test_neighbours(
        self, broker: Arranger, source: StreamSource, topic: str
    ) -> None:
        """Neighbouring ranges, and equal ones of two partitions, do not overlap."""
        broker.create(topic, 2)
        broker.produce(topic, *numbered(5))
        broker.produce(topic, *numbered(5), partition=1)
        wanted = [(0, 2, 4), (0, 3, 3), (0, 0, 2), (0, 4, None), (1, 2, 4), (1, 2, 2)]

        resolved = source.resolve([RequestedRange(topic, *place) for place in wanted])

        assert 2 + 0 + 2 + 1 + 2 + 0 == sum(map(len, resolved))

    def test_every_fault(
        self, broker: Arranger, source: StreamSource, topic: str, other_topic: str
    ) -> None:
        """All that is wrong is said at once."""
        broker.produce(topic, *numbered(5))
        wanted = [
            RequestedRange(topic, 0, 0, 3),
            RequestedRange(topic, 0, 2, 4),
            RequestedRange(topic, 0, 4, 9),
            RequestedRange(topic, 99, 0, 1),
            RequestedRange(other_topic, 0, 0, 1),
        ]

        with pytest.raises(StreamUnreadable) as refusal:
            source.resolve(wanted)

        assert all(str(r) in str(refusal.value) for r in wanted)


class Deleting(DeletingArranger, Protocol):
    """Deletes whole topics as well."""

    def delete(self, topic: str) -> None:
        """Delete a topic with all that is in it."""
        ...


class DeletionContract:
    """What every stream source does whose broker deletes records and topics."""

    def test_other_log(
        self, broker: Deleting, source: StreamSource, topic: str, other_topic: str
    ) -> None:
        """A topic that is made again is another one, and so is its neighbour."""
        wanted = [RequestedRange(name, 0, 0, 3) for name in (topic, other_topic)]
        logs: set[str] = set()

        for count in (2, 3):  # the neighbour stays
            broker.produce(topic, *numbered(3))
            broker.produce(other_topic, *numbered(3))
            logs |= {resolved.log for resolved in source.resolve(wanted)}
            assert count == len(logs - {""})
            broker.delete(topic)

    def test_resolve_deleted(
        self, broker: DeletingArranger, source: StreamSource, topic: str
    ) -> None:
        """Deleted offsets are an error that says what is left."""
        broker.produce(topic, *numbered(5))
        broker.delete_records(topic, 3)

        for end in (2, 4, None):
            wanted = RequestedRange(topic, 0, 1, end)
            with pytest.raises(StreamUnreadable, match="starts at 3") as refusal:
                source.resolve([wanted])
            assert str(wanted) in str(refusal.value)

    def test_resolve_what_is_left(
        self, broker: DeletingArranger, source: StreamSource, topic: str
    ) -> None:
        """What is left is there."""
        broker.produce(topic, *numbered(5))
        broker.delete_records(topic, 3)

        resolved = source.resolve([RequestedRange(topic, 0, 3, None)])

        assert [b"3", b"4"] == values(source.read(resolved))

    def test_read_deleted(
        self, broker: DeletingArranger, source: StreamSource, topic: str
    ) -> None:
        """Offsets that were deleted after they were resolved are an error."""
        broker.produce(topic, *numbered(5))
        wanted = source.resolve([RequestedRange(topic, 0, 1, 5)])
        broker.delete_records(topic, 3)

        with pytest.raises(
            StreamUnreadable, match=rf"{topic}\[0\]@1\.\.5.*starts at 3"
        ):
            list(source.read(wanted))
