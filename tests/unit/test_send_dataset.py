"""The sender, with the fakes that ship."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import evolve

from adapters.avro import AvroEncoder
from adapters.datasets import ArraySource
from adapters.memory.broker import MemoryBroker
from adapters.memory.publisher import MemoryPublisher
from adapters.raw import RawDecoder
from adapters.raw_encoder import RawEncoder
from domain.errors import DeploymentInvalid, Unavailable
from domain.offsets import OffsetRange
from domain.request import DeploymentId
from domain.send_dataset import SendDataset, Unlabelled
from domain.sending import DataInvalid

FEATURES = np.arange(24, dtype=np.uint8).reshape(6, 4)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


@pytest.fixture
def broker():
    broker = MemoryBroker()
    for topic in ("data", "unlabelled", broker.control_topic):
        broker.create(topic)
    return broker


@pytest.fixture
def publisher(broker):
    return MemoryPublisher(broker)


@pytest.fixture
def sender(publisher):
    source = ArraySource.of(FEATURES, LABELS)
    return SendDataset(
        source=source,
        encoder=RawEncoder.for_examples(source.element_spec),
        publisher=publisher,
        topic="data",
        deployment_id=DeploymentId(300),
        batch_size=4,
    )


@pytest.fixture
def unlabelled():
    return Unlabelled(ArraySource.of(FEATURES[:3] + 100, None), "unlabelled")


def requests(broker):
    return [(each.deployment_id, each.open()) for each in broker.messages()]


def found(broker, ranges, decoder):
    """Decode what lies in *ranges*, as the job would."""
    decode = RawDecoder.from_options(decoder.options).decode
    batches = [decode(batch).examples for batch in broker.read(ranges)]
    return (
        np.concatenate([batch.features for batch in batches]),
        np.concatenate([batch.labels for batch in batches]),
    )


class TestRanges:
    def test_sent(self, sender, broker):
        """The deployment is told where the examples lie, and reads them."""
        announcement = evolve(
            sender, validation_rate=0.5, test_rate=0.25, description="numbers"
        ).run()

        ((deployment, request),) = requests(broker)
        assert 300 == deployment
        assert (OffsetRange("data", 0, 0, 6),) == announcement.stream
        assert announcement.stream == broker.resolve(request.ranges)
        assert (0.5, 0.25, 6, None) == (
            request.validation_rate,
            request.test_rate,
            request.total_msg,
            request.topic,
        )
        features, labels = found(broker, announcement.stream, request.decoder)
        np.testing.assert_array_equal(FEATURES, features)
        np.testing.assert_array_equal(LABELS[:, None], labels)

    def test_partitions(self, sender, broker):
        """Every partition has a range."""
        broker.create("data", 4)

        announcement = sender.run()

        assert [(0, 2), (0, 2), (0, 1), (0, 1)] == [
            (one.start, one.end) for one in announcement.stream
        ]
        assert 6 == announcement.total_msg

    def test_news(self, sender):
        """The listener is told how far it has got."""
        news = []

        evolve(sender, on_delivery=news.append).run()

        assert [(4, 20), (6, 30)] == [(each.records, each.size) for each in news]

    def test_unlabelled(self, sender, broker, unlabelled):
        """Records without labels have the key 0 and ranges of their own."""
        announcement = evolve(sender, unlabelled=unlabelled).run()

        ((_, request),) = requests(broker)
        assert (OffsetRange("unlabelled", 0, 0, 3),) == announcement.unlabelled
        assert announcement.unlabelled == broker.resolve(request.unlabelled)
        assert (6, False) == (request.total_msg, announcement.incremental)
        (batch,) = broker.read(announcement.unlabelled)
        assert b"\x00" * 3 == batch.keys.data
        features, _ = found(broker, announcement.unlabelled, request.decoder)
        np.testing.assert_array_equal(FEATURES[:3] + 100, features)


class TestIncremental:
    def test_order(self, sender, broker):
        """The announcement names the topic, and comes before the first record."""
        there = []
        sender = evolve(sender, incremental=True)
        announce = sender.publisher.announce

        class Watched(MemoryPublisher):
            def announce(self, deployment_id, announcement):
                there.append(broker.partitions("data") and end(broker, "data"))
                announce(deployment_id, announcement)

        announcement = evolve(sender, publisher=Watched(broker)).run()

        ((_, request),) = requests(broker)
        assert [0] == there
        assert 6 == end(broker, "data")
        assert ("data", None) == (request.topic, request.total_msg)
        assert ("data", True) == (announcement.stream, announcement.incremental)

    def test_unlabelled(self, sender, broker, unlabelled):
        """Labelled records are there, it is the others that come."""
        announcement = evolve(sender, unlabelled=unlabelled, incremental=True).run()

        assert (OffsetRange("data", 0, 0, 6),) == announcement.stream
        assert ("unlabelled", 6) == (announcement.unlabelled, announcement.total_msg)
        assert 3 == end(broker, "unlabelled")

    def test_broken_off(self, sender, publisher, broker):
        """It is told that the deployment waits for more."""
        publisher.room = 3

        with pytest.raises(Unavailable, match=r"2 records .* \(announced before"):
            evolve(sender, incremental=True).run()

        assert 1 == len(requests(broker))


class TestFaults:
    def test_broken_off(self, sender, publisher, broker):
        """Unless everything was delivered, there is no control message."""
        publisher.room = 5

        with pytest.raises(Unavailable, match=r"data: 5 records .* \(not announced\)"):
            sender.run()

        assert [] == requests(broker)

    def test_unlabelled_broken_off(self, sender, publisher, broker, unlabelled):
        """That counts for the unlabelled ones, too."""
        publisher.room = 8

        with pytest.raises(Unavailable, match=r"unlabelled: 2 .* \(not announced\)"):
            evolve(sender, unlabelled=unlabelled).run()

        assert [] == requests(broker)

    def test_not_announced(self, sender, publisher):
        """If only the announcement failed, it is said where the records are."""
        publisher.room = 6

        with pytest.raises(Unavailable, match=r"the records are there: data\[0\]@0..6"):
            sender.run()

    @pytest.mark.parametrize("missing", ["data", "unlabelled", "control"])
    def test_missing_topic(self, sender, broker, unlabelled, missing):
        """Nothing is sent before all topics are there."""
        broker.delete(missing)

        with pytest.raises(DeploymentInvalid, match=f"^{missing}: no such topic"):
            evolve(sender, unlabelled=unlabelled).run()

        for topic in {"data", "unlabelled", "control"} - {missing}:
            assert 0 == end(broker, topic)

    def test_empty(self, sender, broker):
        """No examples are an error, and nothing is announced."""
        nothing = ArraySource.of(FEATURES[:0], LABELS[:0])

        with pytest.raises(DataInvalid, match=r"features\[0\]: there is no such"):
            evolve(sender, source=nothing, incremental=True).run()

        assert [] == requests(broker)

    def test_misfit(self, sender, broker):
        """An example that cannot be encoded is named by its place in the data set."""
        labels = np.array([0, 1, 0, 1, 0, 2])
        source = ArraySource.of(FEATURES, labels, names=("x.npz: x", "x.npz: y"))
        scheme = (
            '{"type": "record", "name": "l", '
            '"fields": [{"name": "l", "type": "boolean"}]}'
        )
        encoder = AvroEncoder.for_examples(source.element_spec, None, scheme)

        with pytest.raises(DataInvalid, match=r"^x.npz: x\[5\]: 2 is no boolean"):
            evolve(sender, source=source, encoder=encoder).run()

        assert [] == requests(broker)

    def test_unlike(self, sender, broker):
        """Unlabelled examples must look like the labelled ones."""
        other = Unlabelled(ArraySource.of(FEATURES[:, :3], None), "unlabelled")

        with pytest.raises(DataInvalid, match=r"uint8 of shape \(3,\), labelled ones"):
            evolve(sender, unlabelled=other).run()

        assert 0 == end(broker, "data")


def end(broker, topic):
    """Count the records in a topic's only partition."""
    return sum(len(batch) for batch in read_all(broker, topic))


def read_all(broker, topic):
    position = broker.begin(topic, 0)
    for followed in broker.follow(position):
        if not len(followed.records):
            return
        yield followed.records
