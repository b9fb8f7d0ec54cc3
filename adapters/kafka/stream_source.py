"""Records in Kafka, by offset."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice

from attrs import define

from adapters.kafka.client import PAUSE, Client, connect
from adapters.kafka.partition_log import Logs, find_logs
from adapters.kafka.range_reader import RangeReader
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topic_ids import TopicIds
from domain.batches import RecordBatch
from domain.errors import StreamUnreadable
from domain.offsets import OffsetRange, RequestedRange, overlaps
from ports import StreamSource

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Ranges that are fetched at the same time: the one that is read, and the next one."""


@define
class KafkaStreamSource(StreamSource):
    """Reads committed records, and none that were aborted."""

    settings: KafkaSettings

    @cached_property
    def _topic_ids(self) -> TopicIds:
        return TopicIds(self.settings)

    def resolve(self, ranges: Sequence[RequestedRange]) -> tuple[OffsetRange, ...]:
        """Return *ranges* with open ends closed; see the port."""
        self._topic_ids.note(wanted.topic for wanted in ranges)
        with connect(self.settings) as client:
            logs = find_logs(client, ranges)
            faults = [*overlaps(ranges), *_hopeless(ranges, logs)]
            if not faults:
                logs = self._wait(client, ranges, logs)
        faults += _missing(ranges, logs)
        if faults:
            raise StreamUnreadable("; ".join(faults))
        ids = self._topic_ids.known(wanted.topic for wanted in ranges)
        return tuple(logs[r.topic, r.partition].close(r, ids[r.topic]) for r in ranges)

    def _wait(
        self, client: Client, ranges: Sequence[RequestedRange], logs: Logs
    ) -> Logs:
        """Wait for offsets that are not there yet, and return what came of it."""
        give_up_at = time.monotonic() + self.settings.streamfit_stream_deadline
        if missing := _missing(ranges, logs):
            log.info("waiting for records", extra={"reason": "; ".join(missing)})
        while _missing(ranges, logs) and time.monotonic() < give_up_at:
            client.consumer.poll(PAUSE)
            logs = find_logs(client, ranges)
        return logs

    def read(self, ranges: Sequence[OffsetRange]) -> Iterator[RecordBatch]:
        """Read the records of *ranges*; see the port."""
        wanted = [offsets for offsets in ranges if len(offsets)]
        known = self._topic_ids.known(offsets.topic for offsets in wanted)
        rest, readers = iter(wanted), deque[RangeReader]()
        try:
            while True:
                # A consumer is made in no time; to give it another partition takes
                # longer, as that waits for the fetch on its way.
                for offsets in islice(rest, AT_ONCE - len(readers)):
                    readers.append(RangeReader(self.settings, offsets))
                if not readers:
                    break
                yield from readers[0].batches()
                readers.popleft().close()
        finally:
            for reader in readers:
                reader.close()
        self._topic_ids.require(known)


def _hopeless(ranges: Sequence[RequestedRange], logs: Logs) -> list[str]:
    return [
        reason for r in ranges if (reason := logs[r.topic, r.partition].hopeless(r))
    ]


def _missing(ranges: Sequence[RequestedRange], logs: Logs) -> list[str]:
    return [reason for r in ranges if (reason := logs[r.topic, r.partition].missing(r))]
