"""What came of streams, and when: spans have a beginning and an end."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from domain.events import RecordsRead, StreamOpened
from domain.story import PartitionRead

Place = tuple[str, int]
"""A topic's name, and the number of one of its partitions."""


@define(eq=False)
class PartOfStream:
    """
    What was read of one partition.

    Attributes:
        begun: When the job began to wait for it, in nanoseconds since 1970.

        ended: When the last record had come and was decoded.

        read: What it was.
    """

    begun: int
    ended: int
    read: PartitionRead


@define(eq=False)
class StreamOnItsWay:
    """
    What was read of a stream up to now.

    Attributes:
        places: Where it lies; None if that shows when it comes.

        begun: When it was opened.

        told: When anything of it came last.

        parts: What was read, in the order in which it began to come.
    """

    places: frozenset[Place] | None
    begun: int
    told: int
    parts: dict[Place, PartOfStream] = field(factory=dict)
    _behind: dict[Place, int] = field(factory=dict)

    def add(self, event: RecordsRead, now: int) -> None:
        """Count the records of *event*, which took since the last ones."""
        place = event.topic, event.partition
        part = self.parts.get(place)
        if part is None:
            behind = self._behind.get(place, event.first)
            read = PartitionRead(*place, first=event.first, next=behind)
            part = self.parts[place] = PartOfStream(self.told, now, read)
        part.read = part.read.and_then(event)
        part.ended = self.told = now
        self._behind[place] = part.read.next

    def take(self) -> Iterator[PartOfStream]:
        """Yield what was read, and begin anew."""
        yield from self.parts.values()
        self.parts.clear()


@define(eq=False)
class Streams:
    """
    The streams of a job: those with an end, in the order of their opening, and one that
    is followed as long as it goes.
    """

    _opened: list[StreamOnItsWay] = field(factory=list)
    _followed: StreamOnItsWay = field(factory=lambda: StreamOnItsWay(None, 0, 0))

    def open(self, event: StreamOpened, now: int) -> None:
        """Expect a stream that has an end."""
        places = frozenset((one.topic, one.partition) for one in event.rest)
        self._opened.append(StreamOnItsWay(places, now, now))

    def wait(self, now: int) -> None:
        """Begin to wait for records of the stream that is followed."""
        self._followed.told = now

    def add(self, event: RecordsRead, now: int) -> None:
        """Count the records of *event* where they belong."""
        place = event.topic, event.partition
        for stream in self._opened:
            if stream.places is not None and place in stream.places:
                stream.add(event, now)
                return
        self._followed.add(event, now)

    def close(self) -> StreamOnItsWay | None:
        """Return the stream that is at its end: the one that was opened first."""
        return self._opened.pop(0) if self._opened else None

    def latest(self) -> Iterator[PartOfStream]:
        """Yield what came of the stream that is followed, since this was asked last."""
        return self._followed.take()

    def rest(self) -> Iterator[PartOfStream]:
        """Yield what nobody has asked for, and begin anew."""
        while stream := self.close():
            yield from stream.take()
        yield from self.latest()
