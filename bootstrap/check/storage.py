"""Where a job keeps things, and what room there is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from adapters.spool import SpoolSettings
from adapters.spool.columns import RowType
from adapters.state import StateSettings
from domain.batches import ElementSpec
from ports import Room, Storage

_COPIES = 2
"""Of the model: the untrained one, and the trained one until it is delivered."""


@frozen
class JobStorage(Storage):
    """The spool, the folder for state, and that for temporary files."""

    spool: SpoolSettings
    state: StateSettings

    def rooms(
        self, spec: ElementSpec | None, examples: int, model: int
    ) -> Sequence[Room]:
        """Return the places of a job; see the port."""
        need = None if spec is None else examples * _row_size(spec)
        models = _COPIES * model if model else None
        temporary = Path(tempfile.gettempdir())
        rooms = [
            self._spool(need),
            Room("temporary files", str(temporary), models, _free(temporary), "TMPDIR"),
        ]
        if (folder := self.state.streamfit_state_dir) is not None:
            both = None if need is None or models is None else need + models
            rooms.append(
                Room(
                    "state folder",
                    str(folder),
                    both,
                    _free(folder),
                    "STREAMFIT_STATE_DIR",
                    needed=False,
                )
            )
        return rooms

    def _spool(self, need: int | None) -> Room:
        memory, folder = (
            self.spool.streamfit_spool_memory,
            self.spool.streamfit_spool_dir,
        )
        if need is not None and need <= memory:
            return Room("spool", "memory", need, memory, "STREAMFIT_SPOOL_MEMORY")
        return Room("spool", str(folder), need, _free(folder), "STREAMFIT_SPOOL_DIR")


def _row_size(spec: ElementSpec) -> int:
    return sum(row.size for row in RowType.of_examples(spec))


def _free(folder: Path) -> int:
    """Return the bytes free in *folder*, or above it if it is not there yet."""
    for place in (folder, *folder.parents):
        if place.exists():
            return shutil.disk_usage(place).free
    return 0
