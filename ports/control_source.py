"""Where control messages come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from domain.request import ControlMessage


class ControlSource(Protocol):
    """The control topic, read by one job for itself."""

    def messages(self) -> Iterator[ControlMessage]:
        """
        Yield every control message, oldest first, and wait for more.

        Each call starts again at the beginning of the topic and commits nothing, so
        that a restarted job finds its message again.  Messages for other deployments
        are yielded too, and so are those with a broken body: only `open` reads it.  A
        topic that does not exist yet is waited for.  Closing the iterator early
        releases what it holds.

        Raises:
            Unavailable: The broker stayed away.

            DeploymentInvalid: The broker refuses to let us read.
        """
        ...

    def present(self) -> Iterator[ControlMessage] | None:
        """
        Return the control messages that are there when it is called, and no others.

        They come as from `messages`, but nothing is waited for: neither more of them
        nor the topic.  Closing the iterator early releases what it holds.

        Returns:
            None if there is no such topic.

        Raises:
            Unavailable: The broker stayed away; iterating may raise it, too.

            DeploymentInvalid: The broker refuses to let us read; likewise.
        """
        ...
