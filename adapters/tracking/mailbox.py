"""What waits to be sent, and what of it is dropped if it waits too long."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable

from attrs import define, field

from adapters.tracking.items import Begin, End, Item, Model, Points

PACE = 1.0
"""Seconds between two batches of metrics."""

MOST = 2000
"""Moments whose metrics wait; older ones are dropped."""

MOST_POINTS = 1000
"""Values that MLflow takes in one request."""


@define(eq=False)
class Mailbox:
    """
    Things to send, in the order in which they came; for any number of threads.

    Of models the latest is kept, and it lets the end of the run go ahead: it may take
    long, and whether it arrives says nothing about the training.

    Attributes:
        clock: Seconds from any fixed point.

        dropped: Moments whose metrics were dropped.
    """

    clock: Callable[[], float] = time.monotonic
    dropped: int = field(default=0, init=False)
    _items: deque[Item] = field(factory=deque, init=False)
    _moments: int = field(default=0, init=False)
    _due: float = field(default=0.0, init=False)
    _closed: bool = field(default=False, init=False)
    _skipping: bool = field(default=False, init=False)
    _shut: bool = field(default=False, init=False)
    _news: threading.Condition = field(factory=threading.Condition, init=False)

    def put(self, item: Item) -> None:
        """Have *item* sent."""
        with self._news:
            self._skipping = self._skipping and not isinstance(item, Begin)
            match item:
                case _ if self._shut or self._skipping:
                    self._moments += isinstance(item, Points)
                    self._drop(item)
                case Points():
                    self._make_room()
                    self._items.append(item)
                case Model():
                    self._discard_models()
                    self._items.append(item)
                    self._due = max(self._due, self.clock() + PACE)
                case End() if self._items and isinstance(self._items[-1], Model):
                    self._items.insert(len(self._items) - 1, item)
                case _:
                    self._items.append(item)
            self._news.notify_all()

    def take(self) -> Item | None:
        """
        Wait for the next thing to send, and return it; None once there is no more.

        Metrics of several moments come as one, and not too often.
        """
        with self._news:
            while not self._closed and (rest := self._early()) != 0:
                self._news.wait(rest)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Points):
                return self._with_following(item)
            return item

    def pause(self, seconds: float) -> bool:
        """Wait so long, or until it is closed; returns whether it is."""
        with self._news:
            return self._news.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        """Let nothing wait any more: what is there is to be sent, and that is all."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def skip_run(self) -> None:
        """Drop everything up to the next run."""
        with self._news:
            self._skipping = True
            while self._items and not isinstance(self._items[0], Begin):
                self._drop(self._items.popleft())

    def shut(self) -> None:
        """Drop everything, now and from now on."""
        with self._news:
            self._shut = True
            while self._items:
                self._drop(self._items.popleft())

    def _early(self) -> float | None:
        """Return how many seconds too early it is; None if nobody knows."""
        if not self._items:
            return None
        if not isinstance(self._items[0], Points | Model):
            return 0
        return max(self._due - self.clock(), 0)

    def _with_following(self, first: Points) -> Points:
        self._moments -= 1
        self._due = self.clock() + PACE
        points = list(first.points)
        while (
            self._items
            and isinstance(follower := self._items[0], Points)
            and len(points) + len(follower.points) <= MOST_POINTS
        ):
            self._items.popleft()
            self._moments -= 1
            points += follower.points
        return Points(tuple(points))

    def _make_room(self) -> None:
        self._moments += 1
        if self._moments > MOST:
            oldest = next(n for n, i in enumerate(self._items) if isinstance(i, Points))
            self._drop(self._items[oldest])
            del self._items[oldest]

    def _discard_models(self) -> None:
        kept = deque[Item]()
        for item in self._items:
            if isinstance(item, Model):
                self._drop(item)
            else:
                kept.append(item)
        self._items = kept

    def _drop(self, item: Item) -> None:
        if isinstance(item, Points):
            self._moments -= 1
            self.dropped += 1
        elif isinstance(item, Model):
            shutil.rmtree(item.folder, ignore_errors=True)
