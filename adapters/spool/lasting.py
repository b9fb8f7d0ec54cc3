"""A folder that outlives the process, as long as it takes the examples."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from attrs import define, field

from adapters.spool.columns import row_size
from adapters.spool.disk import free_bytes
from adapters.spool.kept import KeptSpool
from domain.batches import Array, ElementSpec, ExampleBatch
from domain.errors import Unavailable
from domain.progress import StreamProgress
from ports import Spool

log = logging.getLogger(__name__)


@define(eq=False)
class LastingSpool(Spool):
    """
    A spool that moves when its folder is full or fails: then nothing of it lasts.

    The job need not end for that; only a killed one begins anew.

    Attributes:
        instead: Makes the spool that there would be without a folder.
    """

    _spool: Spool
    instead: Callable[[int], Spool]
    _warned: bool = field(init=False, default=False)
    _changing: Lock = field(init=False, factory=Lock)

    def append(self, examples: ExampleBatch) -> None:
        """See Spool."""
        with self._changing:
            try:
                self._spool.append(examples)
            except Unavailable as reason:
                if not isinstance(self._spool, KeptSpool):
                    raise
                self._warn(self._spool, examples, reason)
                self._move(self._spool, examples)

    def __len__(self) -> int:
        """See Spool."""
        return len(self._spool)

    @property
    def element_spec(self) -> ElementSpec:
        """See Spool."""
        return self._spool.element_spec

    def read(self, start: int, stop: int) -> ExampleBatch:
        """See Spool."""
        return self._spool.read(start, stop)

    def take(self, positions: Array) -> ExampleBatch:
        """See Spool."""
        return self._spool.take(positions)

    def note(self, progress: StreamProgress) -> None:
        """See Spool; examples whose note cannot be taken are there nevertheless."""
        with self._changing:
            try:
                self._spool.note(progress)
            except Unavailable as reason:
                if isinstance(self._spool, KeptSpool):
                    self._warn(self._spool, None, reason)

    def close(self) -> None:
        """See Spool; waits for an append that is under way."""
        with self._changing:
            try:
                self._spool.close()
            except Unavailable as reason:
                if isinstance(self._spool, KeptSpool):
                    self._warn(self._spool, None, reason)

    def _move(self, kept: KeptSpool, examples: ExampleBatch) -> None:
        """
        Copy what there is, and *examples* behind it, to where there is room.

        Others may be reading: they keep the files for as long as they do.
        """
        other = self.instead(kept.expected)
        try:
            if len(kept):
                other.append(kept.read(0, len(kept)))
            other.append(examples)
        except BaseException:
            other.close()
            raise
        self._spool = other
        kept.discard()

    def _warn(
        self, kept: KeptSpool, examples: ExampleBatch | None, reason: Unavailable
    ) -> None:
        """Say once that a killed job will read the stream again."""
        if self._warned:
            return
        self._warned = True
        needed = None
        if examples is not None:
            rows = max(kept.expected, len(kept) + len(examples))
            needed = rows * row_size(examples)
        log.warning(
            "examples are not kept: a killed job reads them again",
            extra={
                "path": str(kept.folder),
                "reason": str(reason),
                "needed_bytes": needed,
                "free_bytes": _free_bytes(kept.folder),
            },
        )


def _free_bytes(folder: Path) -> int | None:
    """Return what is free in *folder*, or else above it."""
    for place in (folder, *folder.parents):
        try:
            return free_bytes(place)
        except OSError:
            continue
    return None
