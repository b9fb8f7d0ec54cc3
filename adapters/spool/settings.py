"""How much memory examples may take, and where they go beyond it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from attrs import Attribute, field, frozen

from adapters.spool.limits import usable_memory
from adapters.spool.sizes import parse_size


def _quarter() -> int:
    return usable_memory() // 4


def _size(value: str | int) -> int:
    return parse_size(value) if isinstance(value, str) else value


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _takes_files(_: object, __: Attribute[Path], folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"want a folder that exists, got {str(folder)!r}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"no permission to write to {str(folder)!r}")


@frozen
class SpoolSettings:
    """
    Environment variables of the spool, by their names in lower case.

    Attributes:
        streamfit_spool_memory: Bytes of examples that are kept in memory; a larger
            stream goes to disk.  ``2GiB``, ``500MB`` or a number; by default a quarter
            of what the container may use.

        streamfit_spool_dir: The folder for it; by default the system's for temporary
            files.  A file system in memory (tmpfs) would defeat the purpose.
    """

    streamfit_spool_memory: int = field(factory=_quarter, converter=_size)
    streamfit_spool_dir: Path = field(
        factory=_temporary, converter=Path, validator=_takes_files
    )
