"""Where the examples come from that are to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from domain.batches import ElementSpec, ExampleBatch


class ExampleSource(Protocol):
    """
    A data set as its owner has it: a file, a folder, arrays.

    Without labels, the label of every example is a 0 of one byte.
    """

    @property
    def element_spec(self) -> ElementSpec:
        """
        What every example looks like.

        Raises:
            DataInvalid: That cannot be told.
        """
        ...

    @property
    def total(self) -> int | None:
        """How many examples there are; None if only reading can tell."""
        ...

    def batches(self, size: int) -> Iterator[ExampleBatch]:
        """
        Read the examples afresh, in their order, up to *size* at a time.

        Memory holds a few batches, however long the data set is, unless the file's
        format wants it whole.

        Raises:
            DataInvalid: The data set does not hold what it should; the message names
                the place.
        """
        ...

    def place(self, index: int) -> str:
        """Name the example at *index* (from 0) as its owner would find it."""
        ...
