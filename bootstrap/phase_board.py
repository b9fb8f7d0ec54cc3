"""What the job is doing, for every log record of this process and of its retelling."""

from __future__ import annotations

import mmap
import os

from attrs import define, field

from domain.events import Event, StepsDone
from domain.phases import Phase

NAMES = tuple(phase.name.lower() for phase in Phase)
"""The phases' short names, by number."""

_NO_PHASE = 255

NONE = -1
"""In place of a descriptor."""


def _two_bytes() -> int:
    """Return a descriptor of so much memory, or none where no file may be so large."""
    descriptor = os.memfd_create("streamfit-phase")
    try:
        os.ftruncate(descriptor, 2)
    except OSError:  # this memory is our own then
        os.close(descriptor)
        return NONE
    return descriptor


@define(eq=False)
class PhaseBoard:
    """
    The phase's number, in memory that another process may look at.

    Behind it stands how many of a terminal's last lines a display holds.

    Attributes:
        descriptor: Of that memory, two bytes; NONE if nobody else can look at it.
    """

    descriptor: int = field(factory=_two_bytes)
    _memory: mmap.mmap = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._memory = mmap.mmap(self.descriptor, 2)
        self._memory[0] = _NO_PHASE

    def __call__(self, event: Event) -> None:
        """Listen for phases."""
        match event:
            case Phase():
                self._write(event)
            case StepsDone() if self.name == Phase.REPORTING.name.lower():
                self._write(Phase.TRAINING)  # the next epoch has begun

    def drawn(self, lines: int) -> None:
        """Note how many *lines* a display holds."""
        self._memory[1] = min(lines, 255)

    @property
    def name(self) -> str | None:
        """The phase's short name, if there is one yet."""
        number = self._memory[0]
        return NAMES[number] if number < len(NAMES) else None

    def _write(self, phase: Phase) -> None:
        self._memory[0] = NAMES.index(phase.name.lower())


BOARD = PhaseBoard()
"""That of this process, as its log is."""
