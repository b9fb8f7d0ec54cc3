"""What decoders say of bad records."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from domain.batches import RejectedRecord


@frozen
class Fault:
    """
    What is wrong with a record.

    Attributes:
        kind: One word, as in RejectedRecord.

        reason: Sizes found and wanted, but nothing of the content.
    """

    kind: str
    reason: str


class BadRecord(ValueError):
    """
    A record is not of its encoding.

    Attributes:
        fault: What is wrong with it.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.fault = Fault(kind, reason)


def rejected(faults: Mapping[int, Fault]) -> tuple[RejectedRecord, ...]:
    """Return *faults*, by position in the batch, as the port wants them."""
    return tuple(
        RejectedRecord(index, fault.kind, fault.reason)
        for index, fault in sorted(faults.items())
    )
