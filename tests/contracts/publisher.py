"""What every publisher does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter

import pytest

from domain.batches import BinaryColumn
from domain.errors import DeploymentInvalid
from domain.offsets import OffsetRange, RequestedRange
from domain.request import DecoderSpec, DeploymentId
from domain.sending import Announcement, DataInvalid, Delivered, OutgoingRecords
from ports import ControlSource, Publisher, StreamSource
from tests.broker.arranger import Arranger
from tests.broker.topics import Record

FOREIGN = (b"foreign", b"not ours")


def outgoing(*numbers: int) -> OutgoingRecords:
    """Return records that are told apart by their *numbers*."""
    return OutgoingRecords(
        BinaryColumn.pack([b"%d" % (number % 10) for number in numbers]),
        BinaryColumn.pack([b"value %d" % number for number in numbers]),
    )


def pairs(records: OutgoingRecords) -> list[Record]:
    """Return keys and values."""
    return [
        (bytes(records.keys[index]), bytes(records.values[index]))
        for index in range(len(records))
    ]


def ignore(_: Delivered) -> None:
    """Do without the news."""


def content(source: StreamSource, ranges: Sequence[OffsetRange]) -> list[Record]:
    """Return what lies in *ranges*."""
    return [
        (bytes(batch.keys[index]), bytes(batch.values[index]))
        for batch in source.read(ranges)
        for index in range(len(batch))
    ]


class PublisherContract:
    """
    What every publisher does.

    Subclasses provide *publisher*, *topic* (of at least two partitions), *source* and
    *control* to read with, and *broker* to arrange with.
    """

    def test_published(
        self, publisher: Publisher, topic: str, source: StreamSource
    ) -> None:
        """The ranges hold what was sent, once each, in order within each partition."""
        sent = outgoing(*range(1000))

        ranges = publisher.publish(topic, [sent], ignore)

        assert sorted(pairs(sent)) == sorted(content(source, ranges))
        assert 1000 == sum(map(len, ranges))
        for one in ranges:
            numbers = [int(value.split()[1]) for _, value in content(source, [one])]
            assert sorted(numbers) == numbers

    def test_partitions(self, publisher: Publisher, topic: str) -> None:
        """Every partition gets its share of whatever comes one after the other."""
        ranges = publisher.publish(topic, [outgoing(*range(800))], ignore)

        assert {topic} == {one.topic for one in ranges}
        assert 2 <= len(ranges)
        assert sorted(ranges, key=attrgetter("partition")) == list(ranges)
        assert {800 // len(ranges)} == set(map(len, ranges))

    def test_again(
        self, publisher: Publisher, topic: str, source: StreamSource
    ) -> None:
        """What is sent later lies behind what was sent before."""
        before = publisher.publish(topic, [outgoing(*range(100))], ignore)
        more = [outgoing(*range(100, 150)), outgoing(*range(150, 200))]

        after = publisher.publish(topic, more, ignore)

        assert sorted(pairs(outgoing(*range(100, 200)))) == sorted(
            content(source, after)
        )
        ends = {one.partition: one.end for one in before}
        assert ends == {one.partition: one.start for one in after}

    def test_others(
        self,
        publisher: Publisher,
        topic: str,
        source: StreamSource,
        broker: Arranger,
    ) -> None:
        """Records of other writers in between are in no range."""
        batches = [outgoing(*range(start, start + 40)) for start in range(0, 400, 40)]
        before = publisher.publish(topic, [outgoing(*range(40))], ignore)

        def interleaved() -> Iterator[OutgoingRecords]:
            end = before[0].end
            for records in batches:
                for partition in range(2):
                    broker.produce(topic, FOREIGN, FOREIGN, partition=partition)
                yield records
                end += 2 + 40 // len(before)
                source.resolve([RequestedRange(topic, 0, 0, end)])  # waits for it

        ranges = publisher.publish(topic, interleaved(), ignore)

        expected = [pair for records in batches for pair in pairs(records)]
        assert sorted(expected) == sorted(content(source, ranges))
        runs = defaultdict(list)
        for one in ranges:
            runs[one.partition].append(one)
        assert [10, 10] == [len(runs[partition]) for partition in range(2)]
        for several in runs.values():
            assert all(one.end < other.start for one, other in pairwise(several))

    def test_news(self, publisher: Publisher, topic: str) -> None:
        """The listener is told of ever more records, and of all at the end."""
        news: list[Delivered] = []
        batches = [outgoing(*range(10)), outgoing(*range(10, 30))]

        publisher.publish(topic, batches, news.append)

        counts = [delivered.records for delivered in news]
        assert sorted(counts) == counts
        size = sum(len(k) + len(v) for batch in batches for k, v in pairs(batch))
        assert Delivered(topic, 30, size) == news[-1]

    def test_broken_data(self, publisher: Publisher, topic: str) -> None:
        """An error of what is sent comes out as it is."""

        def broken() -> Iterator[OutgoingRecords]:
            yield outgoing(1, 2)
            raise DataInvalid("data.csv: line 4")

        with pytest.raises(DataInvalid, match=r"^data\.csv: line 4$"):
            publisher.publish(topic, broken(), ignore)

    def test_nothing(self, publisher: Publisher, topic: str) -> None:
        """Nothing to send lies nowhere."""
        assert () == publisher.publish(topic, [], ignore)

    @pytest.mark.parametrize("number", [0, 1, 255, 256, 70_000])
    def test_announced(
        self, publisher: Publisher, control: ControlSource, number: int
    ) -> None:
        """The deployment reads what was announced, whatever its number."""
        config = {"data_type": "uint8", "label_type": "uint8"}
        ranges = (OffsetRange("data", 0, 5, 9), OffsetRange("data", 1, 1, 5))
        announcement = Announcement(ranges, DecoderSpec("RAW", config), 8, 0.25, 0.125)

        publisher.announce(DeploymentId(number), announcement)

        message = next(iter(control.messages()))
        request = message.open()
        assert number == message.deployment_id
        assert announcement.decoder == request.decoder
        assert [("data", 0, 5, 9), ("data", 1, 1, 5)] == [
            (one.topic, one.partition, one.start, one.end) for one in request.ranges
        ]
        assert (8, 0.25, 0.125) == (
            request.total_msg,
            request.validation_rate,
            request.test_rate,
        )

    def test_required(self, publisher: Publisher, topic: str) -> None:
        """Topics that are there are enough."""
        publisher.require(topic)


class MissingTopicContract:
    """What publishers do of which the broker makes no topics by itself."""

    def test_missing(self, publisher: Publisher, topic: str) -> None:
        """A topic that is not there is named."""
        missing = f"{topic}-missing"

        with pytest.raises(DeploymentInvalid, match=f"^{missing}: no such topic"):
            publisher.require(topic, missing)
        with pytest.raises(DeploymentInvalid, match=f"{missing}: no such topic"):
            publisher.publish(missing, [outgoing(1)], ignore)
