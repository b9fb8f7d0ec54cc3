"""Everybody who wants to know what happens."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from attrs import define, field

from domain.events import Event, Listener

log = logging.getLogger(__name__)


@define(eq=False)
class Listeners:
    """
    Listeners, none of which can end the job.

    Attributes:
        listeners: Who is told, in this order; one that fails is told no more.
    """

    listeners: Sequence[Listener]
    _failed: set[int] = field(factory=set, init=False)

    def __call__(self, event: Event) -> None:
        """Tell all of them of *event*."""
        for number, listener in enumerate(self.listeners):
            if number in self._failed:
                continue
            try:
                listener(event)
            except Exception:  # whatever a display stumbles over
                self._failed.add(number)
                log.warning(
                    "listener failed",
                    extra={"listener": type(listener).__qualname__},
                    exc_info=True,
                )
