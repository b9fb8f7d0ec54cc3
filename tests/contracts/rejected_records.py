"""What every place for bad records does."""

from __future__ import annotations

from collections.abc import Callable

from adapters.memory.rejected_records import DeadLetter
from domain.batches import BinaryColumn, RecordBatch, RejectedRecord
from ports import RejectedRecords

BATCH = RecordBatch(
    topic="data",
    partition=3,
    offsets=[7, 8, 12],
    keys=BinaryColumn.pack([b"\x01", None, b"\x02"]),
    values=BinaryColumn.pack([b"\x00\xff", b"good", b"long" * 1000]),
)


def letter(index: int, fault: str, reason: str) -> DeadLetter:
    """Return what is expected of a record of the batch."""
    return DeadLetter(
        bytes(BATCH.keys[index]),
        bytes(BATCH.values[index]),
        {
            "topic": "data",
            "partition": "3",
            "offset": str(BATCH.offsets[index]),
            "fault": fault,
            "reason": reason,
        },
    )


class RejectedRecordsContract:
    """
    What every place for bad records does.

    Subclasses provide *place*, and *letters*, which tells what arrived there.
    """

    def test_divert(
        self, place: RejectedRecords, letters: Callable[[], list[DeadLetter]]
    ) -> None:
        """Records are safe, with origin and fault, as soon as the call returns."""
        place.divert(
            BATCH,
            [
                RejectedRecord(0, "size", "2 bytes, want 4"),
                RejectedRecord(2, "schema", "größer"),
            ],
        )

        assert [
            letter(0, "size", "2 bytes, want 4"),
            letter(2, "schema", "größer"),
        ] == letters()

    def test_again(
        self, place: RejectedRecords, letters: Callable[[], list[DeadLetter]]
    ) -> None:
        """Later records come behind earlier ones; a null key counts as empty."""
        place.divert(BATCH, [RejectedRecord(2, "a", "")])
        place.divert(BATCH, [])
        place.divert(BATCH, [RejectedRecord(1, "b", "")])

        assert [letter(2, "a", ""), letter(1, "b", "")] == letters()
        assert b"" == letters()[1].key
