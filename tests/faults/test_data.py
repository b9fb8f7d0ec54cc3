"""What is gone, missing or large in the log itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adapters.kafka import KafkaSettings, KafkaStreamSource
from domain.errors import StreamUnreadable
from domain.offsets import OffsetRange, RequestedRange
from tests.broker.apache_kafka import ApacheKafka
from tests.broker.topics import KafkaTopics, Record, unique
from tests.contracts.stream_source import numbered, offsets, values
from tests.faults.stream import content, record, stream

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]

SMALL_QUEUE = {
    "queued.max.messages.kbytes": "1000",
    "fetch.message.max.bytes": "100000",
}
"""What is fetched ahead ends soon, so that the broker's log matters."""


@pytest.fixture
def topics(apache: ApacheKafka) -> KafkaTopics:
    return KafkaTopics(apache.servers)


@pytest.fixture
def source(apache: ApacheKafka) -> KafkaStreamSource:
    """Return a source that fetches little ahead."""
    return KafkaStreamSource(
        KafkaSettings(
            apache.servers,
            "control",
            streamfit_broker_deadline=3.0,
            streamfit_stream_deadline=3.0,
            librdkafka=SMALL_QUEUE,
        )
    )


def test_compacted(topics: KafkaTopics, source: KafkaStreamSource) -> None:
    """Gaps that compaction left are passed over, wherever a range begins or ends."""
    topic = unique("compacted")
    topics.create(
        topic,
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
    )
    keys = [b"a", b"a", b"b", b"a", b"c", b"a", b"a", b"d", b"e", b"e", b"a", b"b"]
    records: list[Record] = [(key, b"%d" % i) for i, key in enumerate(keys)]
    topics.produce(topic, *records)
    left = [4, 7, 9, 10, 11]
    compact(topics, topic, left)

    for start in range(13):
        for end in range(start, 13):
            found = list(source.read([OffsetRange(topic, 0, start, end)]))
            expected = [offset for offset in left if start <= offset < end]
            assert expected == offsets(found)
            assert [b"%d" % offset for offset in expected] == values(found)


def compact(topics: KafkaTopics, topic: str, left: list[int]) -> None:
    """Wait until nothing but *left* is there of the records before the last ones."""
    give_up_at = time.monotonic() + 60
    while True:
        # A segment is closed, and so compacted, when a record comes after its time.
        topics.produce(topic, (b"later", b""))
        time.sleep(0.2)
        found = [message.offset() for message in topics.messages(topic)]
        if left == [offset for offset in found if offset is not None and offset < 12]:
            return
        assert time.monotonic() < give_up_at


def test_large_records(topics: KafkaTopics, source: KafkaStreamSource) -> None:
    """Records of 10 MB are read like others, between small ones too."""
    topic = unique("large")
    topics.create(topic, max_message_bytes="20000000")
    records = [record(n, 10_000_000 if n % 3 == 1 else 10) for n in range(7)]
    topics.produce(topic, *records)

    assert records == content(source.read([OffsetRange(topic, 0, 0, 7)]))


def test_small_records(topics: KafkaTopics, source: KafkaStreamSource) -> None:
    """Many records of a byte each are read like others."""
    topic = unique("small")
    topics.produce(topic, *[(None, b"%d" % (n % 10)) for n in range(50_000)])

    batches = list(source.read([OffsetRange(topic, 0, 0, 50_000)]))

    assert b"0123456789" * 5_000 == b"".join(bytes(b.values.data) for b in batches)
    assert list(range(50_000)) == offsets(batches)


def test_deleted_while_read(topics: KafkaTopics, source: KafkaStreamSource) -> None:
    """Records that are deleted while others are read are named, with their number."""
    topic = unique("deleted")
    records = stream(20_000)
    topics.produce(topic, *records)
    batches = source.read([OffsetRange(topic, 0, 0, 20_000)])
    found = content([next(batches)])

    topics.delete_records(topic, 19_000)

    gone = rf"{topic}.* offsets are gone.* starts at 19000"
    with pytest.raises(StreamUnreadable, match=gone):
        found.extend(one for batch in batches for one in content([batch]))
    assert records[: len(found)] == found


def test_topic_deleted(topics: KafkaTopics, source: KafkaStreamSource) -> None:
    """A topic that is deleted while it is read is an error."""
    topic = unique("deleted")
    topics.produce(topic, *stream(20_000))
    batches = source.read([OffsetRange(topic, 0, 0, 20_000)])
    next(batches)

    topics.delete(topic)

    with pytest.raises(StreamUnreadable, match=topic):
        list(batches)


@pytest.mark.parametrize(
    ("resolved", "begun"), [(True, True), (True, False), (False, True)]
)
def test_topic_made_again(
    topics: KafkaTopics, source: KafkaStreamSource, resolved: bool, begun: bool
) -> None:
    """The records of two topics of one name are never mixed or exchanged."""
    topic = unique("again")
    topics.produce(topic, *stream(20_000))
    ranges = [OffsetRange(topic, 0, 0, 20_000)]
    if resolved:
        assert tuple(ranges) == source.resolve([RequestedRange(topic, 0, 0, None)])
    batches = source.read(ranges)
    if begun:
        next(batches)

    topics.delete(topic)
    topics.produce(topic, *stream(20_000))

    with pytest.raises(StreamUnreadable, match=topic):
        list(batches)


def test_gap_at_a_partitions_end(
    topics: KafkaTopics, source: KafkaStreamSource
) -> None:
    """A record that comes after the partition's end was seen is not passed over."""
    topic = unique("tail")
    topics.produce(topic, *numbered(3))
    batches = source.read([OffsetRange(topic, 0, 0, 6)])
    found = offsets([next(batches)])
    with topics.transaction(topic, *numbered(1)):
        pass
    topics.produce(topic, *numbered(1))

    assert [0, 1, 2, 3, 5] == found + offsets(batches)


def test_corrupt(
    apache: ApacheKafka, topics: KafkaTopics, source: KafkaStreamSource
) -> None:
    """A batch that was damaged on the broker's disk is named, and not trained on."""
    topic = unique("corrupt")
    records = stream(15, 100)
    for first in (0, 5, 10):
        topics.produce(topic, *records[first : first + 5])
    damage(apache.data / f"{topic}-0", records[7][1])

    with pytest.raises(StreamUnreadable, match=rf"{topic}.*at 5\b"):
        list(source.read([OffsetRange(topic, 0, 0, 15)]))


def damage(folder: Path, value: bytes) -> None:
    """Flip a bit of a record's value."""
    (segment,) = folder.glob("*.log")
    data = segment.read_bytes()
    assert 1 == data.count(value)
    with segment.open("r+b") as file:
        file.seek(data.index(value))
        file.write(bytes([value[0] ^ 1]))
