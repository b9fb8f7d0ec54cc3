"""A stream that one process begins and another one goes on with."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import pytest
from attrs import define, field

from adapters.json import JsonDecoder
from adapters.kafka import KafkaSettings, KafkaStreamSource, publish
from adapters.memory.broker import MemoryBroker
from adapters.raw import RawDecoder
from adapters.spool import SpoolFor, SpoolSettings
from domain.bad_records import BadRecordPolicy
from domain.errors import StreamUnreadable, Unavailable
from domain.intake import Intake
from domain.offsets import RequestedRange
from domain.reading import open_stream
from domain.report import StreamCounts
from domain.request import DecoderSpec, TrainingRequest
from ports import Spool, StreamSource
from tests.broker.topics import KafkaTopics, unique
from tests.contracts.spool import examples
from tests.unit.test_spool_disk import files_in

BYTES = {"data_type": "uint8", "label_type": "uint8", "data_reshape": "1"}


@define
class Watched:
    """
    A source that notes what is read, and breaks off if told to.

    Attributes:
        broker: Where the records are.

        batches: How many of them it hands out.
    """

    broker: StreamSource
    batches: int | None = None
    offsets: list[int] = field(factory=list)

    def resolve(self, ranges):
        return self.broker.resolve(ranges)

    def read(self, ranges):
        for number, batch in enumerate(self.broker.read(ranges)):
            if number == self.batches:
                raise Unavailable("the broker is away")
            self.offsets += batch.offsets
            yield batch


class Unasked:
    """A source that is not there."""

    def resolve(self, ranges):
        raise AssertionError("asked where the stream is")

    read = resolve


@define
class Noting:
    """Makes and opens spools, and notes them."""

    spool_for: SpoolFor
    spools: list[Spool] = field(factory=list)

    def __call__(self, expected, folder=None):
        self.spools.append(self.spool_for(expected, folder))
        return self.spools[-1]

    def reopen(self, folder):
        if (left := self.spool_for.reopen(folder)) is not None:
            self.spools.append(left[0])
        return left


@pytest.fixture
def broker():
    """Ten records that are their offset, in two partitions."""
    broker = MemoryBroker(batch_size=3)
    for partition in range(2):
        records = [(bytes([i]), bytes([i])) for i in range(10)]
        broker.produce("automl", *records, partition=partition)
    return broker


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "spool"


def request(*ends: int | None, topic: str = "automl") -> TrainingRequest:
    """Ask for a partition up to each of *ends*, from offset 1 on."""
    ranges = [RequestedRange(topic, i, 1, end) for i, end in enumerate(ends)]
    return TrainingRequest(tuple(ranges), DecoderSpec("RAW", BYTES))


@pytest.fixture
def read(tmp_path, folder):
    """Yield a function that does what a job does, and returns examples and counts."""
    spool_for = Noting(SpoolFor(SpoolSettings("1MB", tmp_path)))

    def job(wanted, source, decoder=None, lasting=folder):
        spool, progress = open_stream(wanted, source, spool_for, lasting)
        with Intake(
            read=partial(source.read, progress.rest),
            progress=progress,
            decoder=decoder or RawDecoder.from_options(BYTES),
            spool=spool,
            bad_records=BadRecordPolicy(limit=3),
        ) as stream:
            rows = stream.finish()
            kept = spool.read(0, rows).features if rows else []
            return np.asarray(kept).reshape(rows, -1).tolist(), stream.counts

    yield job
    for spool in spool_for.spools:
        with pytest.raises(ValueError, match="the spool is closed"):
            spool.append(examples(0, 1))


def columns(rows: list[list[int]]) -> list[int]:
    return [value for (value,) in rows]


class TestTakenUp:
    def test_in_the_middle(self, read, broker, caplog):
        """What was kept is not read again; what settled the format is, and no more."""
        caplog.set_level(logging.INFO)
        first, second = Watched(broker, 4), Watched(broker)
        with pytest.raises(Unavailable):
            read(request(10, 8), first)

        rows, counts = read(request(10, 8), second)

        assert [*range(1, 10), *range(1, 8)] == columns(rows)
        assert StreamCounts(16, 16, 0) == counts
        assert [*range(1, 10), 1, 2, 3] == first.offsets
        assert [1, 2, 3, 4, 5, 6, 7] == second.offsets
        (line,) = [r for r in caplog.records if "goes on" in r.message]
        assert (12, ["automl[1]@4..8"]) == (line.examples, line.rest)

    def test_again_and_again(self, read, broker):
        """However often it breaks off, a stream comes to its end."""
        sources = [Watched(broker, 2) for _ in range(4)]
        for source in sources:
            with pytest.raises(Unavailable):
                read(request(10, 10), source)

        rows, _ = read(request(10, 10), Watched(broker))

        assert [*range(1, 10), *range(1, 10)] == columns(rows)
        # The first one reads two batches, each of the others the opening and another.
        assert [6] * 4 == [len(source.offsets) for source in sources]

    def test_complete(self, read, broker, folder, caplog):
        """A stream that was read to its end is not asked for."""
        before = read(request(10, 8), broker)
        caplog.set_level(logging.INFO)

        assert before == read(request(10, 8), Unasked())
        assert [] == files_in(folder)
        assert "stream goes on where it was" in caplog.messages

    def test_open_end(self, read, broker):
        """An open end stays where it was when the stream was begun."""
        with pytest.raises(Unavailable):
            read(request(None), Watched(broker, 1))
        broker.produce("automl", (b"\x63", b"\x63"))

        rows, counts = read(request(None), broker)

        assert [*range(1, 10)] == columns(rows)
        assert 9 == counts.offsets

    def test_nothing_lasts(self, read, broker):
        """Without a folder every job reads for itself."""
        read(request(10), broker, lasting=None)
        again = Watched(broker)

        read(request(10), again, lasting=None)

        assert [*range(1, 10)] == again.offsets

    def test_counts(self, read, broker):
        """Bad records before count as well, and are not counted twice."""
        records = [(b"k", v) for v in (b"?!", b"1", b"2", b"3!", b"4", b"5")]
        broker.produce("bad", *records, (b"k", b"6!"), (b"k", b"7"))
        with pytest.raises(Unavailable):
            read(request(8, topic="bad"), Watched(broker, 2))

        rows, counts = read(request(8, topic="bad"), broker)

        assert StreamCounts(7, 5, 2) == counts
        assert list(map(ord, "12457")) == columns(rows)

    def test_only_bad_records(self, read, broker):
        """Nor are those of a stream that has not given an example yet."""
        broker.produce("bad", *[(b"k", b"many")] * 4, *[(b"k", b"1")] * 3)
        with pytest.raises(Unavailable):
            read(request(7, topic="bad"), Watched(broker, 1))

        rows, counts = read(request(7, topic="bad"), again := Watched(broker))

        assert StreamCounts(6, 3, 3) == counts
        assert [4, 5, 6] == again.offsets
        assert [ord("1")] * 3 == columns(rows)


class TestFormat:
    def test_settled_before(self, read, broker):
        """The first record settles the order of members, also for the next process."""
        records = [(b"0", b'{"a": %d, "b": 0}' % i) for i in range(4)]
        others = [(b"0.0", b'{"b": 0, "a": %d}' % i) for i in range(4, 8)]
        broker.produce("json", *records, *others)
        wanted = request(8, topic="json")
        with pytest.raises(Unavailable):
            read(wanted, Watched(broker, 1), JsonDecoder.from_options({}))

        rows, _ = read(wanted, broker, JsonDecoder.from_options({}))

        assert [[i, 0] for i in range(1, 8)] == rows


class TestReadAgain:
    @pytest.fixture
    def begun(self, read, broker):
        """Six of the first partition's nine records are kept."""
        with pytest.raises(Unavailable):
            read(request(10, 10), Watched(broker, 2))

    @pytest.mark.usefixtures("begun")
    def test_topic_made_again(self, read, broker, caplog):
        """The records of two topics of one name are never mixed."""
        broker.delete("automl")
        for partition in range(2):
            records = [(b"\x00", bytes([100 + i])) for i in range(10)]
            broker.produce("automl", *records, partition=partition)

        rows, _ = read(request(10, 10), broker)

        assert [*range(101, 110), *range(101, 110)] == columns(rows)
        (line,) = [r for r in caplog.records if r.levelname == "WARNING"]
        assert "stream is read again" == line.message
        assert "automl: made again since" == line.reason

    def test_shorter_topic_made_again(self, read, broker):
        """Up to its end, a later topic is read though it is shorter."""
        with pytest.raises(Unavailable):
            read(request(None), Watched(broker, 2))
        broker.delete("automl")
        broker.produce("automl", *[(b"\x00", b"\x07")] * 4)

        rows, counts = read(request(None), broker)

        assert [7, 7, 7] == columns(rows)
        assert StreamCounts(3, 3, 0) == counts

    @pytest.mark.usefixtures("begun")
    def test_rest_is_gone(self, read, broker, folder):
        """What retention took before it was read is missed as ever."""
        broker.delete_records("automl", 8)

        with pytest.raises(StreamUnreadable, match=r"automl\[0\]@1\.\.10"):
            read(request(10, 10), broker)
        assert [] == files_in(folder)

    @pytest.mark.usefixtures("begun")
    def test_broker_is_away(self, read, folder, broker):
        """If nobody can tell, what was kept stays for the next process."""

        class Away(Watched):
            def resolve(self, ranges):
                raise Unavailable("away")

        with pytest.raises(Unavailable, match="away"):
            read(request(10, 10), Away(broker))
        assert [] == files_in(folder)
        read(request(10, 10), again := Watched(broker))

        assert [1, 2, 3, 7, 8, 9] == again.offsets[:6]

    @pytest.mark.usefixtures("begun")
    @pytest.mark.parametrize("name", ["marks", "features", "labels"])
    def test_damaged(self, read, broker, folder, caplog, name):
        """Examples that are not what was kept are read again, from the start."""
        content = (folder / name).read_bytes()
        wrong = bytes(byte if byte == ord("\n") else byte ^ 1 for byte in content)
        (folder / name).write_bytes(wrong)

        rows, counts = read(request(10, 10), again := Watched(broker))

        assert [*range(1, 10), *range(1, 10)] == columns(rows)
        assert StreamCounts(18, 18, 0) == counts
        assert rows == [[value] for value in again.offsets]
        assert "state not used" in caplog.messages

    @pytest.mark.usefixtures("begun")
    def test_removed(self, read, broker, folder):
        """So are those that somebody removed."""
        (folder / "marks").unlink()

        rows, _ = read(request(10, 10), broker)

        assert [*range(1, 10), *range(1, 10)] == columns(rows)


@pytest.mark.kafka
class TestKafka:
    """What was begun with one client goes on with another one."""

    @pytest.fixture
    def topic(self, kafka):
        """A topic of which more than one batch was read, by another process."""
        topic = unique("data")
        self.fill(kafka, topic)
        return topic

    def fill(self, kafka, topic):
        KafkaTopics(kafka).ensure(topic)
        publish(kafka, topic, ((b"k", bytes([i % 251])) for i in range(30_000)))

    def source(self, kafka):
        return KafkaStreamSource(KafkaSettings(kafka, "control"))

    def test_in_the_middle(self, read, kafka, topic):
        """What was kept is not fetched again."""
        first, second = (Watched(self.source(kafka), n) for n in (2, None))
        with pytest.raises(Unavailable):
            read(request(30_000, topic=topic), first)

        rows, _ = read(request(30_000, topic=topic), second)

        assert [i % 251 for i in range(1, 30_000)] == columns(rows)
        rest = range(first.offsets[-1] + 1, 30_000)
        assert [*rest] == second.offsets[-len(rest) :]
        assert len(second.offsets) < 30_000

    @pytest.mark.real_kafka
    def test_topic_made_again(self, read, kafka, topic, caplog):
        """A later topic of the same name is read from its start."""
        with pytest.raises(Unavailable):
            read(request(30_000, topic=topic), Watched(self.source(kafka), 2))
        KafkaTopics(kafka).delete(topic)
        self.fill(kafka, topic)

        rows, _ = read(
            request(30_000, topic=topic), again := Watched(self.source(kafka))
        )

        assert [*range(1, 30_000)] == again.offsets
        assert 29_999 == len(rows)
        assert [f"{topic}: made again since"] == [
            r.reason for r in caplog.records if "stream is read again" == r.message
        ]
