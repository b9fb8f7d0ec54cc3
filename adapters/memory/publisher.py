"""A sender's topics in memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

from attrs import define

from adapters.memory.broker import MemoryBroker
from adapters.wire.announcement import announcement_key, announcement_text
from domain.errors import DeploymentInvalid, Unavailable
from domain.offsets import OffsetRange
from domain.request import DeploymentId
from domain.sending import (
    Announcement,
    Delivered,
    DeliveryListener,
    OutgoingRecords,
    Placements,
)
from ports import Publisher


@define
class MemoryPublisher(Publisher):
    """
    Writes to the topics of a MemoryBroker, which have to be there.

    Attributes:
        broker: Gets the records.

        room: How many more it takes before it stays away; None for any number.
    """

    broker: MemoryBroker
    room: int | None = None

    def require(self, *topics: str) -> None:
        """Make sure that topics are there; see the port."""
        wanted = dict.fromkeys([*topics, self.broker.control_topic])
        if missing := [each for each in wanted if not self.broker.partitions(each)]:
            raise DeploymentInvalid(f"{', '.join(missing)}: no such topic")

    def publish(
        self,
        topic: str,
        batches: Iterable[OutgoingRecords],
        on_delivery: DeliveryListener,
    ) -> tuple[OffsetRange, ...]:
        """Append records in turn to all partitions; see the port."""
        if not (partitions := self.broker.partitions(topic)):
            raise DeploymentInvalid(f"{topic}: no such topic")
        placements, turn = Placements(topic), cycle(range(partitions))
        count = size = 0
        for records in batches:
            for index in range(len(records)):
                key, value = bytes(records.keys[index]), bytes(records.values[index])
                self._take(f"{topic}: {count} records were delivered, and no more")
                partition = next(turn)
                offset = self.broker.produce(topic, (key, value), partition=partition)
                placements.add(partition, offset)
                count, size = count + 1, size + len(key) + len(value)
            on_delivery(Delivered(topic, count, size))
        return placements.ranges()

    def announce(self, deployment_id: DeploymentId, announcement: Announcement) -> None:
        """Write a control message; see the port."""
        topic = self.broker.control_topic
        if not self.broker.partitions(topic):
            raise DeploymentInvalid(f"{topic}: no such topic")
        self._take(f"{topic}: the control message was not accepted")
        key, text = announcement_key(deployment_id), announcement_text(announcement)
        self.broker.produce(topic, (key, text))

    def _take(self, otherwise: str) -> None:
        """Use up room for one record."""
        if self.room == 0:
            raise Unavailable(otherwise)
        if self.room is not None:
            self.room -= 1
