"""Records in Kafka, by offset."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from functools import partial

from attrs import frozen

from adapters.kafka.client import Client, connect
from adapters.kafka.partition_log import PAUSE, Logs, find_logs, insist
from adapters.kafka.range_reader import RangeReader
from adapters.kafka.settings import KafkaSettings
from domain.batches import RecordBatch
from domain.errors import StreamUnreadable
from domain.offsets import OffsetRange, RequestedRange
from ports import StreamSource

log = logging.getLogger(__name__)


@frozen
class KafkaStreamSource(StreamSource):
    """
    Reads committed records, and none that were aborted.

    Besides what the port says, every method raises DeploymentInvalid if the brokers
    refuse to let us read a topic.
    """

    settings: KafkaSettings

    def resolve(self, ranges: Sequence[RequestedRange]) -> tuple[OffsetRange, ...]:
        """Return *ranges* with open ends closed; see the port."""
        with connect(self.settings) as client:
            logs = find_logs(client, ranges)
            faults = [*_overlaps(ranges), *_hopeless(ranges, logs)]
            if not faults:
                logs = self._wait(client, ranges, logs)
        faults += _missing(ranges, logs)
        if faults:
            raise StreamUnreadable("; ".join(faults))
        return tuple(logs[r.topic, r.partition].close(r) for r in ranges)

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
        if not wanted:
            return
        with connect(
            self.settings,
            enable_partition_eof=True,
            # An assignment waits for the fetch of the one before it, which waits for
            # new records if it is at the end: make that short.
            fetch_wait_max_ms=20,
            fetch_queue_backoff_ms=10,
            queued_max_messages_kbytes=32 * 1024,
        ) as client:
            if faults := _hopeless(wanted, find_logs(client, wanted)):
                raise StreamUnreadable("; ".join(faults))
            topics = _identify(client, wanted)
            for offsets in wanted:
                yield from RangeReader(client, self.settings, offsets).batches()
            # A topic that is deleted and made again is read on, offset by offset.
            client.consumer.unassign()
            now = _identify(client, wanted)
            made_again = [
                t for t in topics if topics[t] and now[t] not in {"", topics[t]}
            ]
            if made_again:
                raise StreamUnreadable(f"{', '.join(made_again)}: made again meanwhile")


def _identify(client: Client, ranges: Sequence[OffsetRange]) -> dict[str, str]:
    """Return the identity of each topic, as far as it is known."""
    topics = dict.fromkeys(wanted.topic for wanted in ranges)
    return {topic: insist(client, partial(client.topic_id, topic)) for topic in topics}


def _overlaps(ranges: Sequence[RequestedRange]) -> list[str]:
    """Name ranges that share offsets: no record is to count twice."""
    found = []
    reach: RequestedRange | None = None  # of those so far, the one that ends last
    for wanted in sorted(ranges, key=lambda r: (r.topic, r.partition, r.start)):
        if wanted.start == wanted.end:
            continue
        if reach and (reach.topic, reach.partition) == (wanted.topic, wanted.partition):
            if reach.end is None or wanted.start < reach.end:
                found.append(f"{reach} and {wanted}: overlap")
            if reach.end is None or (wanted.end and wanted.end <= reach.end):
                continue
        reach = wanted
    return found


def _hopeless(
    ranges: Sequence[RequestedRange] | Sequence[OffsetRange], logs: Logs
) -> list[str]:
    return [
        reason for r in ranges if (reason := logs[r.topic, r.partition].hopeless(r))
    ]


def _missing(ranges: Sequence[RequestedRange], logs: Logs) -> list[str]:
    return [reason for r in ranges if (reason := logs[r.topic, r.partition].missing(r))]
