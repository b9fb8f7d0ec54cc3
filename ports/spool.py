"""Where decoded examples are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from domain.batches import Array, ElementSpec, ExampleBatch
from domain.progress import StreamProgress


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

    def note(self, progress: StreamProgress) -> None:
        """
        Note that the examples so far are those of a stream read up to *progress*.

        A spool in a folder that lasts can be opened again with what was noted last; the
        examples behind it are forgotten then.  Other spools have nothing to note.
        Notes are cheap, but a spool need not take every one of them, as long as it
        takes that of the stream's end.
        """
        ...

    def close(self) -> None:
        """
        Give back memory, and disk but for a folder that lasts.

        Nothing is read afterwards.
        """
        ...


class SpoolFactory(Protocol):
    """Makes the spool of one stream."""

    def __call__(self, expected: int, folder: Path | None = None) -> Spool:
        """
        Make an empty spool.

        Args:
            expected: How many examples are likely to come; others may.

            folder: Where to keep them for another process; made if it is not there, and
                emptied if it is.  If it cannot be used, or runs full, they are kept as
                without one, and a warning says so.  None to keep them as long as the
                spool is open.
        """
        ...

    def reopen(self, folder: Path) -> tuple[Spool, StreamProgress] | None:
        """
        Open what a spool left in *folder*, to read it and to append to it.

        Returns:
            The spool as it was when a progress was last noted, and that progress.  None
            if there is no such thing, or it is not what was written.
        """
        ...
