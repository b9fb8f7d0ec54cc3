"""Where decoded examples are kept."""

from __future__ import annotations

from typing import Protocol

from domain.batches import ElementSpec, ExampleBatch


class Spool(Protocol):
    """The decoded examples of one stream: filled once, read by position."""

    def append(self, examples: ExampleBatch) -> None:
        """Keep a copy of *examples* behind those that are there."""
        ...

    def __len__(self) -> int:
        """Count the examples so far."""
        ...

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like; known once the first ones are there."""
        ...

    def read(self, start: int, stop: int) -> ExampleBatch:
        """Return the examples from *start* up to *stop* (exclusive), as views."""
        ...


class SpoolFactory(Protocol):
    """Makes the spool of one stream."""

    def __call__(self, capacity: int) -> Spool:
        """Make an empty spool for *capacity* examples at most."""
        ...
