"""What the contracts need to arrange topics, whatever the broker."""

from __future__ import annotations

from typing import Protocol


class Arranger(Protocol):
    """Makes and fills topics behind the back of the adapters."""

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic of at least that many partitions."""
        ...

    def produce(
        self,
        topic: str,
        *records: tuple[bytes | None, bytes | None],
        partition: int = 0,
    ) -> None:
        """Append (key, value) *records*; topic and partition are made if need be."""
        ...


class DeletingArranger(Arranger, Protocol):
    """Deletes records as well."""

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Delete the records before an offset, as retention does."""
        ...
