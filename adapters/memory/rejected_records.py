"""Bad records, kept in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from domain.batches import RecordBatch, RejectedRecord
from ports import RejectedRecords


@frozen
class DeadLetter:
    """
    A record that was diverted.

    Attributes:
        key: Its key; empty if it was null.

        value: Its value; empty if it was null.

        origin: Its ``topic``, ``partition`` and ``offset``, and the ``fault`` and the
            ``reason``, as text.
    """

    key: bytes
    value: bytes
    origin: Mapping[str, str]


@define
class MemoryRejectedRecords(RejectedRecords):
    """
    A list, oldest first.

    Attributes:
        letters: What was diverted.
    """

    letters: list[DeadLetter] = field(factory=list)

    def divert(self, records: RecordBatch, rejected: Sequence[RejectedRecord]) -> None:
        """Keep the *rejected* ones among *records*; see the port."""
        self.letters += [
            DeadLetter(
                bytes(records.keys[record.index]),
                bytes(records.values[record.index]),
                {
                    "topic": records.topic,
                    "partition": str(records.partition),
                    "offset": str(records.offsets[record.index]),
                    "fault": record.fault,
                    "reason": record.reason,
                },
            )
            for record in rejected
        ]
