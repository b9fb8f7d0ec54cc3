"""How often something may be done that costs time, and is not the work itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field

_SHARE = 0.02
"""Of the time, at most, goes into it."""

_FIRST_COST = 0.05
"""Seconds that it is thought to take before it was done once."""


@define(eq=False)
class Allowance:
    """
    A small share of the time.

    Attributes:
        clock: Seconds from any fixed point.

        cost: Seconds that it took the last time.
    """

    clock: Callable[[], float]
    cost: float = field(default=_FIRST_COST, init=False)
    _spent_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._spent_at = self.clock()

    def lasts(self, seconds: float = 0.0) -> bool:
        """Whether it will do by now, and so many *seconds* have passed."""
        since = self.clock() - self._spent_at
        return since >= self.cost / _SHARE and since >= seconds

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Do it, while entered: the next time depends on how long it takes."""
        began = self.clock()
        try:
            yield
        finally:
            self._spent_at = self.clock()
            self.cost = self._spent_at - began
