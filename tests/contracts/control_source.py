"""What every control source does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from threading import Event

import pytest

from domain.errors import MalformedRequest
from domain.request import ControlMessage
from ports import ControlSource
from tests.broker.arranger import Arranger
from tests.builders import control_message
from tests.contracts.logged import PATIENCE, logged


def take(source: ControlSource, count: int) -> list[ControlMessage]:
    """Return the first messages, and leave."""
    with closing(source.messages()) as messages:
        return list(islice(messages, count))


class ControlSourceContract:
    """
    What every control source does.

    Subclasses provide *topic*, the name of a control topic that does not exist yet,
    *broker*, to make and fill it, and *source*, which reads it and waits for more.
    """

    def test_messages(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """A message is addressed by its key, and opened by whom it is for."""
        broker.produce(topic, (b"\x07", control_message(topic="automl:0:2:6")))

        (message,) = take(source, 1)

        assert 7 == message.deployment_id
        assert f"{topic}[0]@0" == message.position
        assert ["automl[0]@2..6"] == [str(r) for r in message.open().ranges]

    def test_timestamp(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """A message tells when it was sent, in milliseconds."""
        before = time.time_ns() // 1_000_000
        broker.produce(topic, (b"\x07", control_message()))
        after = time.time_ns() // 1_000_000

        (message,) = take(source, 1)

        assert before <= message.timestamp <= after

    def test_everybodys_messages(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """Messages for other deployments come too, oldest first."""
        broker.produce(topic, (b"\x07", b"a"), (b"\x01\x00", b"b"), (b"\x07", b"c"))

        assert [7, 256, 7] == [m.deployment_id for m in take(source, 3)]
        assert [f"{topic}[0]@{i}" for i in range(3)] == [
            m.position for m in take(source, 3)
        ]

    def test_from_the_beginning(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """Each call starts again at the beginning; nothing is remembered."""
        broker.produce(topic, (b"\x01", b""), (b"\x02", b""))

        first = take(source, 2)
        second = take(source, 2)

        assert [1, 2] == [m.deployment_id for m in first]
        assert [1, 2] == [m.deployment_id for m in second]

    def test_null_key(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """A null key names nobody; an empty one is deployment 0."""
        broker.produce(topic, (None, b""), (b"", b""))

        assert [None, 0] == [m.deployment_id for m in take(source, 2)]

    @pytest.mark.parametrize("body", [None, b"", b"{", b"\xff", b"[]"])
    def test_broken_body(
        self, broker: Arranger, source: ControlSource, topic: str, body: bytes | None
    ) -> None:
        """A broken body breaks `open`, and nothing before it."""
        broker.produce(topic, (b"\x07", body), (b"\x07", control_message()))

        broken, whole = take(source, 2)

        assert 7 == broken.deployment_id
        with pytest.raises(MalformedRequest):
            broken.open()
        assert "RAW" == whole.open().decoder.format

    def test_partitions(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """All partitions are read, each in its order."""
        broker.create(topic, 3)
        broker.produce(topic, (b"\x01", b""), (b"\x02", b""), partition=2)
        broker.produce(topic, (b"\x03", b""), (b"\x04", b""), partition=0)

        found = [m.deployment_id for m in take(source, 4)]

        assert [1, 2] == [i for i in found if i in {1, 2}]
        assert [3, 4] == [i for i in found if i in {3, 4}]

    def test_later_message(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """A message that comes while the topic is read is yielded."""
        broker.produce(topic, (b"\x01", b""))

        with closing(source.messages()) as messages:
            first = next(messages)
            broker.produce(topic, (b"\x02", b""))
            second = next(messages)

        assert [1, 2] == [first.deployment_id, second.deployment_id]

    def test_later_topic(
        self,
        broker: Arranger,
        source: ControlSource,
        topic: str,
        waiting: Event,
    ) -> None:
        """A topic that does not exist yet is waited for."""
        with (
            closing(source.messages()) as messages,
            ThreadPoolExecutor(1) as thread,
        ):
            first = thread.submit(next, messages)
            assert waiting.wait(PATIENCE)
            broker.produce(topic, (b"\x07", b""))

            assert 7 == first.result(PATIENCE).deployment_id

    def test_present(self, broker: Arranger, source: ControlSource, topic: str) -> None:
        """What is there is told, of all partitions and deployments; then it ends."""
        broker.create(topic, 3)
        broker.produce(topic, (b"\x07", control_message()), (None, b"{"), partition=2)
        broker.produce(topic, (b"\x01", b""), partition=0)

        found = list(source.present() or ())

        assert {7, None, 1} == {message.deployment_id for message in found}
        assert [f"{topic}[2]@0", f"{topic}[2]@1"] == [
            m.position for m in found if m.position.startswith(f"{topic}[2]")
        ]
        (ours,) = [message for message in found if message.deployment_id == 7]
        assert "RAW" == ours.open().decoder.format
        assert ours.timestamp > 0

    def test_present_in_an_empty_topic(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """A topic without messages is not waited for."""
        broker.create(topic)

        messages = source.present()

        assert messages is not None
        assert [] == list(messages)

    def test_present_without_a_topic(self, source: ControlSource, topic: str) -> None:
        """A topic that does not exist is told, and not waited for."""
        assert source.present() is None

    def test_present_is_a_moment(
        self, broker: Arranger, source: ControlSource, topic: str
    ) -> None:
        """What comes later is not told."""
        broker.produce(topic, (b"\x01", b""), (b"\x02", b""))

        messages = source.present()
        assert messages is not None
        broker.produce(topic, (b"\x03", b""))

        assert [1, 2] == [message.deployment_id for message in messages]

    @pytest.fixture
    def waiting(self) -> Iterator[Event]:
        """Give the moment at which the topic is waited for."""
        with logged("waiting for the control topic") as moment:
            yield moment
