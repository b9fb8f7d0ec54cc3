"""What becomes of records that do not decode, and are borne."""

from __future__ import annotations

import logging

from domain.bad_records import BadRecordPolicy
from domain.batches import Decoded, RecordBatch
from ports import RejectedRecords

log = logging.getLogger(__name__)


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
