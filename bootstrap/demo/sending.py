"""How data sources send: all before the job starts, or the rest while it runs."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from attrs import frozen

from adapters.kafka import publish
from bootstrap.demo.data import DataSet

DEPLOYMENT = 1

CONTROL_TOPIC = "control"
DATA_TOPIC = "data"
UNLABELLED_TOPIC = "unlabelled"


@frozen
class Sending(ABC):
    """
    A data source and its records.

    Attributes:
        data: What is to be sent.

        servers: Brokers, as ``host:port``.

        follows: Whether the job is to follow the stream before the rest is sent.

        validation_rate: Share of the records that validate.

        test_rate: Share of the records that test.
    """

    data: DataSet
    servers: str
    follows: ClassVar[bool] = False
    validation_rate: ClassVar[float] = 0.1
    test_rate: ClassVar[float] = 0.2

    @abstractmethod
    def begin(self) -> None:
        """Send what is there when the job starts, its announcement with it."""

    def go_on(self) -> None:  # noqa: B027  # mostly there is no rest
        """Send the rest; blocks until it is sent."""

    def send(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> str:
        """Append *records* to *topic*; returns where they are, as announced."""
        sent = publish(self.servers, topic, records)
        return f"{sent.topic}:{sent.partition}:{sent.start}:{sent.end}"

    def announce(
        self, topic: str, total: int | None, *, unsupervised_topic: str | None = None
    ) -> None:
        """Say what is on *topic*, as the platform's sinks do (contract, 3.2)."""
        message = {
            "topic": topic,
            "unsupervised_topic": unsupervised_topic,
            "input_format": self.data.input_format,
            "description": self.data.title,
            "dataset_restrictions": {},
            "input_config": self.data.input_config,
            "validation_rate": self.validation_rate,
            "test_rate": self.test_rate,
            "total_msg": total,
            "incremental": self.follows,
        }
        key, body = DEPLOYMENT.to_bytes(), json.dumps(message).encode()
        self.send(CONTROL_TOPIC, [(key, body)])


@frozen
class AllAtOnce(Sending):
    """A stream that is complete when it is announced."""

    def begin(self) -> None:
        """Send everything, then announce it."""
        ranges = self.send(DATA_TOPIC, self.data.records)
        self.announce(ranges, len(self.data.records))


@frozen
class PartlyLabelled(Sending):
    """
    A complete stream, of which somebody labelled only the first records.

    Attributes:
        labelled: How many.
    """

    labelled: ClassVar[int] = 400

    def begin(self) -> None:
        """Send all of them, then announce them."""
        known = self.data.records[: self.labelled]
        ranges = self.send(DATA_TOPIC, known)
        unlabelled = self.send(UNLABELLED_TOPIC, self.others())
        self.announce(ranges, len(known), unsupervised_topic=unlabelled)

    def others(self) -> Sequence[tuple[bytes, bytes]]:
        """Return the others, whose key is a null byte (contract, section 10.5)."""
        return [(b"\x00", value) for _, value in self.data.records[self.labelled :]]


@frozen
class LittleByLittle(Sending):
    """
    A stream that is announced before its first record (contract, section 10.2).

    A job finds the first record that belongs to an announcement by its time.  The
    embedded Kafka cannot look for times: there a job that comes late begins at the
    topic's end.  So nothing is sent before the job follows.

    Attributes:
        portion: Records that are sent in one go.

        pause: Seconds between two of them.
    """

    follows: ClassVar[bool] = True
    test_rate: ClassVar[float] = 0
    portion: ClassVar[int] = 150
    pause: ClassVar[float] = 0.2

    def begin(self) -> None:
        """Announce the topic by its bare name; nobody knows how much there will be."""
        self.announce(DATA_TOPIC, None)

    def go_on(self) -> None:
        """Send the records as a device would that measures something."""
        self.trickle(DATA_TOPIC, self.data.records)

    def trickle(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Append *records* to *topic*, some at a time."""
        for start in range(0, len(records), self.portion):
            self.send(topic, records[start : start + self.portion])
            time.sleep(self.pause)


@frozen
class LabelledBefore(LittleByLittle, PartlyLabelled):
    """A complete stream with labels, and another without that comes later."""

    test_rate: ClassVar[float] = Sending.test_rate

    def begin(self) -> None:
        """Send what has labels, then announce both."""
        known = self.data.records[: self.labelled]
        ranges = self.send(DATA_TOPIC, known)
        self.announce(ranges, len(known), unsupervised_topic=UNLABELLED_TOPIC)

    def go_on(self) -> None:
        """Send the others little by little."""
        self.trickle(UNLABELLED_TOPIC, self.others())
