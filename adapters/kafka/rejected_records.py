"""A dead-letter topic in Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from attrs import define

from adapters.kafka.producer import Publisher
from adapters.kafka.settings import KafkaSettings
from domain.batches import RecordBatch, RejectedRecord
from ports import RejectedRecords


@define
class KafkaRejectedRecords(RejectedRecords):
    """
    Appends the records to a topic, with headers that tell their origin.

    ``streamfit.topic``, ``streamfit.partition``, ``streamfit.offset``,
    ``streamfit.fault`` and ``streamfit.reason`` are text in UTF-8.  A batch knows
    neither the headers of a record nor whether its key or value was null: the former
    are left out, the latter are empty.

    Attributes:
        topic: The topic's name; it is not made here.
    """

    settings: KafkaSettings
    topic: str

    @cached_property
    def _publisher(self) -> Publisher:
        settings = self.settings
        return Publisher(
            settings.bootstrap_servers,
            settings.librdkafka,
            settings.streamfit_broker_deadline,
        )

    def divert(self, records: RecordBatch, rejected: Sequence[RejectedRecord]) -> None:
        """Keep the *rejected* ones among *records*; see the port."""
        for record in rejected:
            index = record.index
            origin = {
                "topic": records.topic,
                "partition": str(records.partition),
                "offset": str(records.offsets[index]),
                "fault": record.fault,
                "reason": record.reason,
            }
            self._publisher.send(
                self.topic,
                (bytes(records.keys[index]), bytes(records.values[index])),
                headers={f"streamfit.{k}": text.encode() for k, text in origin.items()},
            )
        self._publisher.flush(self.topic)
