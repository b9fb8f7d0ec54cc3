"""Where decoded examples are kept."""

from __future__ import annotations

from typing import Protocol

from domain.batches import Array, ElementSpec, ExampleBatch


class Spool(Protocol):
    """
    The decoded examples of one stream: filled once, read by position.

    One thread appends while others read what is there.
    """

    def append(self, examples: ExampleBatch) -> None:
        """
        Keep a copy of *examples* behind those that are there.

        Raises:
            SpoolFull: There is no room for them.

            Unavailable: The disk fails.

            SettingsInvalid: The folder for them cannot be used.
        """
        ...

    def __len__(self) -> int:
        """Count the examples so far."""
        ...

    @property
    def element_spec(self) -> ElementSpec:
        """What every example looks like; known once the first ones are there."""
        ...

    def read(self, start: int, stop: int) -> ExampleBatch:
        """
        Return the examples from *start* up to *stop* (exclusive), as read-only views.

        Views stay as they are, whatever is appended or closed later.
        """
        ...

    def take(self, positions: Array) -> ExampleBatch:
        """
        Return copies of the examples at *positions*, in that order.

        Raises:
            IndexError: There is no such example, or not yet.
        """
        ...

    def close(self) -> None:
        """Give back memory and disk; nothing is read afterwards."""
        ...


class SpoolFactory(Protocol):
    """Makes the spool of one stream."""

    def __call__(self, expected: int) -> Spool:
        """
        Make an empty spool.

        Args:
            expected: How many examples are likely to come; others may.
        """
        ...
