"""What every live stream does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import cast

import pytest
from confluent_kafka import KafkaException

from domain.errors import StreamUnreadable
from domain.progress import LivePosition
from ports import Followed, LiveStream
from tests.broker.arranger import DeletingArranger
from tests.contracts.logged import PATIENCE

Record = tuple[bytes | None, bytes | None]


class LiveArranger(DeletingArranger):
    """Deletes topics, too."""

    def delete(self, topic: str) -> None:
        """Delete a topic with all that is in it."""


def numbered(start: int, stop: int) -> list[Record]:
    """Return records whose values are numbers."""
    return [(b"k", str(number).encode()) for number in range(start, stop)]


@contextmanager
def following(source: LiveStream, position: LivePosition) -> Iterator[Iterator]:
    """Follow a topic, and leave at the end."""
    stream = source.follow(position)
    try:
        yield stream
    finally:
        stream.close()  # type: ignore[attr-defined]  # a generator


def take(stream: Iterator[Followed], count: int) -> list[Followed]:
    """Return what comes until there are *count* records."""
    give_up_at = time.monotonic() + PATIENCE
    found: list[Followed] = []
    while sum(len(followed.records) for followed in found) < count:
        assert time.monotonic() < give_up_at, found
        found.append(next(stream))
    return found


def silence(stream: Iterator[Followed]) -> Followed:
    """Return the next news that nothing comes, and let no record come before."""
    followed = next(stream)
    assert not len(followed.records)
    return followed


def values(found: list[Followed], partition: int = 0) -> list[bytes]:
    """Return the values of a partition."""
    return [
        bytes(followed.records.values[index])
        for followed in found
        for index in range(len(followed.records))
        if followed.records.partition == partition
    ]


def numbers(start: int, stop: int) -> list[bytes]:
    return [str(number).encode() for number in range(start, stop)]


class LiveStreamContract:
    """
    What every live stream does.

    Subclasses provide *topic*, the name of a topic that does not exist yet, *broker*,
    to make and fill it, and *source*, which reads it.
    """

    def test_begin(self, broker: LiveArranger, source: LiveStream, topic: str) -> None:
        """It begins with the first record of a time, in every partition."""
        broker.create(topic, 3)
        broker.produce(topic, *numbered(0, 5))
        broker.produce(topic, *numbered(0, 2), partition=1)
        moment = a_moment()
        broker.produce(topic, *numbered(5, 8))

        position = source.begin(topic, moment)

        assert topic == position.topic
        assert {0: 5, 1: 2, 2: 0} == position.offsets

    def test_follow(self, broker: LiveArranger, source: LiveStream, topic: str) -> None:
        """What is there comes, then what is written, in the order of its partition."""
        broker.create(topic, 2)
        broker.produce(topic, *numbered(0, 5))
        with following(source, LivePosition(topic, {0: 2, 1: 0})) as stream:
            first = take(stream, 3)
            broker.produce(topic, *numbered(5, 9))
            broker.produce(topic, *numbered(0, 3), partition=1)
            second = take(stream, 7)

        assert numbers(2, 5) == values(first)
        assert numbers(5, 9) == values(second)
        assert numbers(0, 3) == values(second, partition=1)
        assert b"k" == bytes(first[0].records.keys[0])
        assert [2, 3, 4] == [o for f in first for o in f.records.offsets]
        assert {0: 9, 1: 3} == second[-1].position.offsets

    def test_end(self, broker: LiveArranger, source: LiveStream, topic: str) -> None:
        """With records comes how far their partition goes, as far as that is known."""
        broker.create(topic, 2)
        broker.produce(topic, *numbered(0, 5))
        broker.produce(topic, *numbered(0, 2), partition=1)
        with following(source, LivePosition(topic, {0: 1, 1: 0})) as stream:
            first = take(stream, 6)
            broker.produce(topic, *numbered(5, 9))
            second = take(stream, 4)

        ends = {followed.records.partition: followed.end for followed in first}
        assert {0: 5, 1: 2} == ends
        assert 9 == second[-1].end

    def test_position(
        self, broker: LiveArranger, source: LiveStream, topic: str
    ) -> None:
        """Whoever goes on from a position gets what lies behind it, once."""
        broker.create(topic, 2)
        broker.produce(topic, *numbered(0, 10))
        broker.produce(topic, *numbered(0, 10), partition=1)
        position = source.begin(topic, 0)
        seen: list[Followed] = []

        while sum(len(followed.records) for followed in seen) < 20:
            with following(source, position) as stream:
                seen.append(take(stream, 1)[-1])
            position = seen[-1].position

        assert numbers(0, 10) == values(seen)
        assert numbers(0, 10) == values(seen, partition=1)
        with following(source, position) as stream:
            silence(stream)

    def test_silence(
        self, broker: LiveArranger, source: LiveStream, topic: str
    ) -> None:
        """While nothing comes, that is said, again and again; then records come."""
        broker.produce(topic, *numbered(0, 3))
        with following(source, source.begin(topic, 0)) as stream:
            take(stream, 3)
            said = [silence(stream) for _ in range(2)]
            broker.produce(topic, *numbered(3, 4))
            found = take(stream, 1)

        assert [{0: 3}] * 2 == [followed.position.offsets for followed in said]
        assert numbers(3, 4) == values(found)

    def test_later_topic(
        self, broker: LiveArranger, source: LiveStream, topic: str
    ) -> None:
        """A topic that is made later is followed from its beginning."""
        position = source.begin(topic, a_moment())
        with following(source, position) as stream:
            silence(stream)
            broker.produce(topic, *numbered(0, 3))
            found = take(stream, 3)

        assert {} == position.offsets
        assert numbers(0, 3) == values(found)

    def test_retention(
        self, broker: LiveArranger, source: LiveStream, topic: str
    ) -> None:
        """Who was overtaken by retention is told which offsets are gone."""
        broker.produce(topic, *numbered(0, 9))
        broker.delete_records(topic, 6)

        with (
            following(source, LivePosition(topic, {0: 2})) as stream,
            pytest.raises(
                StreamUnreadable, match=rf"{topic}\[0\]@2.* 4 offsets .*gone"
            ),
        ):
            take(stream, 1)

    def test_topic_made_again_between(
        self, broker: LiveArranger, source: LiveStream, topic: str
    ) -> None:
        """A later topic of the same name is none to go on with."""
        broker.produce(topic, *numbered(0, 3))
        with following(source, source.begin(topic, 0)) as stream:
            position = take(stream, 3)[-1].position
        broker.delete(topic)
        self.made_again(broker, topic)

        with (
            following(source, position) as stream,
            pytest.raises(StreamUnreadable, match=f"{topic}: .*made again"),
        ):
            take(stream, 1)

    def test_topic_made_again_meanwhile(
        self, broker: LiveArranger, source: LiveStream, topic: str
    ) -> None:
        """Nor is it while it is followed."""
        broker.produce(topic, *numbered(0, 3))
        with following(source, source.begin(topic, 0)) as stream:
            take(stream, 3)
            broker.delete(topic)
            self.made_again(broker, topic)
            with ThreadPoolExecutor(1) as thread:
                found = thread.submit(take, stream, 10**9)
                with pytest.raises(StreamUnreadable, match=topic):
                    found.result(PATIENCE)

    @staticmethod
    def made_again(broker: LiveArranger, topic: str) -> None:
        """Make a topic once more, longer than before; brokers take their time."""
        give_up_at = time.monotonic() + PATIENCE
        while True:
            try:
                broker.produce(topic, *numbered(0, 20))
            except KafkaException:  # the old one is still being deleted
                assert time.monotonic() < give_up_at
                time.sleep(0.1)
            else:
                return

    def test_more_partitions(
        self, broker: LiveArranger, source: LiveStream, topic: str
    ) -> None:
        """A partition that is added is read from its beginning."""
        broker.produce(topic, *numbered(0, 3))
        with following(source, source.begin(topic, a_moment())) as stream:
            silence(stream)
            broker.produce(topic, *numbered(0, 4), partition=1)
            found = take(stream, 4)

        assert [] == values(found)
        assert numbers(0, 4) == values(found, partition=1)
        assert 4 == found[-1].position.offsets[1]


def a_moment() -> int:
    """Return a time, in milliseconds, that only lies between others."""
    time.sleep(0.005)
    moment = time.time_ns() // 1_000_000
    time.sleep(0.005)
    return cast("int", moment)
