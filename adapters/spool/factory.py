"""Memory as long as the examples fit into it, else the disk; or a folder that lasts."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock

from attrs import define, field, frozen

from adapters.spool.columns import ColumnSpool, row_size
from adapters.spool.disk import DiskSpool
from adapters.spool.kept import KeptSpool
from adapters.spool.lasting import LastingSpool
from adapters.spool.memory import MemorySpool
from adapters.spool.reopening import reopen
from adapters.spool.settings import SpoolSettings
from domain.batches import Array, ElementSpec, ExampleBatch
from domain.progress import StreamProgress
from ports import Spool, SpoolFactory

log = logging.getLogger(__name__)


@frozen
class SpoolFor(SpoolFactory):
    """Makes spools that keep to the settings."""

    settings: SpoolSettings

    def __call__(self, expected: int, folder: Path | None = None) -> Spool:
        """See SpoolFactory."""
        if folder is None:
            return self._passing(expected)
        return LastingSpool(KeptSpool(expected, folder), self._passing)

    def reopen(self, folder: Path) -> tuple[Spool, StreamProgress] | None:
        """See SpoolFactory."""
        if (left := reopen(folder)) is None:
            return None
        kept, mark = left
        return LastingSpool(kept, self._passing), mark.progress

    def _passing(self, expected: int) -> Spool:
        """Make a spool that goes with the process."""
        return SpillingSpool(
            expected,
            self.settings.streamfit_spool_memory,
            self.settings.streamfit_spool_dir,
        )


@define(eq=False)
class SpillingSpool(Spool):
    """
    A spool in memory that moves to disk when its examples are too many.

    That is known when the first ones come, unless there are more than expected.

    Attributes:
        expected: How many examples are likely to come.

        memory: Bytes of them that may be in memory.

        folder: Where they go beyond that.
    """

    expected: int
    memory: int
    folder: Path
    _spool: ColumnSpool = field(init=False)
    _changing: Lock = field(init=False, factory=Lock)

    def __attrs_post_init__(self) -> None:
        self._spool = MemorySpool(self.expected)

    def append(self, examples: ExampleBatch) -> None:
        """See Spool."""
        if not len(examples):
            return
        with self._changing:
            self._spool.require_open()
            before = self._spool
            rows = max(self.expected, len(before) + len(examples))
            size = rows * row_size(examples)
            if isinstance(before, MemorySpool) and size > self.memory:
                self._spool = self._on_disk(before, rows)
            if not len(before) or before is not self._spool:
                self._report(size)
            self._spool.append(examples)

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
        """See Spool; nothing lasts."""

    def close(self) -> None:
        """See Spool; waits for an append that is under way."""
        with self._changing:
            self._spool.close()

    def _on_disk(self, spool: ColumnSpool, expected: int) -> ColumnSpool:
        """Copy *spool*, which is left as it is: others may be reading it."""
        disk = DiskSpool(expected, self.folder)
        if len(spool):
            disk.append(spool.read(0, len(spool)))
        return disk

    def _report(self, size: int) -> None:
        in_memory = isinstance(self._spool, MemorySpool)
        log.info(
            "examples are kept",
            extra={
                "where": "memory" if in_memory else str(self.folder),
                "expected_bytes": size,
                "memory_bytes": self.memory,
            },
        )
