"""The room that a job has for what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from domain.batches import ElementSpec


@frozen
class Room:
    """
    A place, and what a job would put there.

    Attributes:
        subject: What is kept there, for people.

        place: Where that is.

        need: Bytes that the job needs, by estimate; None if nobody can tell.

        free: Bytes that it may have.

        variable: What names another place.

        needed: Whether the job ends where there is too little; else it does without.
    """

    subject: str
    place: str
    need: int | None
    free: int
    variable: str
    needed: bool = True


class Storage(Protocol):
    """Knows where a job keeps things, without keeping any."""

    def rooms(
        self, spec: ElementSpec | None, examples: int, model: int
    ) -> Sequence[Room]:
        """
        Return the places of a job.

        Args:
            spec: What every example looks like; None if that is not known.

            examples: How many there are.

            model: Bytes of the model.
        """
        ...
