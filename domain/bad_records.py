"""How many records may be bad before a stream is given up."""

from __future__ import annotations

from attrs import frozen

from domain.errors import StreamUnreadable


@frozen
class BadRecordPolicy:
    """
    What is borne; by default no bad record at all.

    Attributes:
        limit: Number of bad records that may be passed over; None for any number.

        share: Share of all records that may be bad, 0 to 1; None for any share.

        divert: Whether they are kept elsewhere.
    """

    limit: int | None = 0
    share: float | None = None
    divert: bool = False

    def bear(self, bad: int, total: int, example: str) -> None:
        """
        Return if *bad* records out of *total* are within the limits.

        Args:
            bad: How many records were rejected.

            total: How many there are at most.

            example: The first one's place and what is wrong with it.

        Raises:
            StreamUnreadable: There are too many.
        """
        if self.limit == 0 and bad:
            raise StreamUnreadable(example)
        if self.limit is not None and bad > self.limit:
            raise StreamUnreadable(
                f"{bad} bad records, {self.limit} may be skipped; the first: {example}"
            )
        if self.share is not None and bad > self.share * total:
            raise StreamUnreadable(
                f"{bad} bad records of {total}, {self.share:.2%} may be skipped; "
                f"the first: {example}"
            )
