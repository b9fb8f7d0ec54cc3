"""What became of records: some decoded, others did not and are borne."""

from __future__ import annotations

import logging

from domain.bad_records import BadRecordPolicy
from domain.batches import Decoded, RecordBatch
from domain.events import RecordsRead
from ports import RejectedRecords

log = logging.getLogger(__name__)


def records_read(
    batch: RecordBatch, decoded: Decoded, end: int | None = None
) -> RecordsRead:
    """Return what there is to tell of a *batch* that was decoded; see the event."""
    return RecordsRead(
        topic=batch.topic,
        partition=batch.partition,
        first=batch.offsets[0],
        last=batch.offsets[-1],
        records=len(batch),
        rejected=len(decoded.rejected),
        size=len(batch.keys.data) + len(batch.values.data),
        end=end,
    )


def told(batch: RecordBatch, decoded: Decoded) -> str:
    """Return where the first bad record of *batch* is, and what is wrong with it."""
    first = decoded.rejected[0]
    return f"{batch.place(first.index)}: {first.reason}"


def set_aside(
    batch: RecordBatch,
    decoded: Decoded,
    policy: BadRecordPolicy,
    rejected_records: RejectedRecords | None,
) -> None:
    """Log that *batch* has bad records, and keep them elsewhere if *policy* says so."""
    first = decoded.rejected[0]
    log.warning(
        "bad records",
        extra={
            "count": len(decoded.rejected),
            "position": batch.place(first.index),
            "fault": first.fault,
            "reason": first.reason,
        },
    )
    if policy.divert and rejected_records is not None:
        rejected_records.divert(batch, decoded.rejected)
