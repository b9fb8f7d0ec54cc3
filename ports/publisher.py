"""Where a sender's records and control messages go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from domain.offsets import OffsetRange
from domain.request import DeploymentId
from domain.sending import Announcement, DeliveryListener, OutgoingRecords


class Publisher(Protocol):
    """A broker's topics, to be written to, and its control topic."""

    def require(self, *topics: str) -> None:
        """
        Make sure that *topics* and the control topic are there.

        Raises:
            DeploymentInvalid: One is not; every such topic is named.

            Unavailable: The broker stayed away.
        """
        ...

    def publish(
        self,
        topic: str,
        batches: Iterable[OutgoingRecords],
        on_delivery: DeliveryListener,
    ) -> tuple[OffsetRange, ...]:
        """
        Append the records of *batches*, once each, and wait until all are safe.

        They go to the partitions in turn, so that each partition has its share of
        whatever comes one after the other, in order.  Batches are asked for at the pace
        of the broker.  Nothing is written any more once it has returned or raised.

        Args:
            topic: The topic's name.

            batches: What to write; an error that it raises ends everything.

            on_delivery: Is told how far it has got.

        Returns:
            The offsets of these records and of no others, whoever else wrote to the
            topic meanwhile: in the order of partitions and offsets, as few ranges as
            can be.

        Raises:
            Unavailable: Not every record was accepted; the message says how many were.

            DeploymentInvalid: The broker refuses the records, or there is no such
                topic.
        """
        ...

    def announce(self, deployment_id: DeploymentId, announcement: Announcement) -> None:
        """
        Tell the deployment of a data set; safe once it returns.

        Raises:
            Unavailable: The broker stayed away.

            DeploymentInvalid: The broker refuses it, or there is no control topic.
        """
        ...
