"""Where state is kept, as users say it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from attrs import Attribute, field, frozen, validators

VARIABLE = "STREAMFIT_STATE_DIR"


def _can_be_used(_: object, __: Attribute[Path | None], folder: Path | None) -> None:
    """Look whether *folder* takes files, or can be made: now, not after the wait."""
    if folder is None:
        return
    for place in (folder, *folder.parents):
        try:
            mode = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if place.is_symlink():
                raise ValueError(f"{_which(folder, place)} leads nowhere") from None
            continue
        except OSError as reason:
            raise ValueError(f"{str(folder)!r}: {reason.strerror}") from reason
        break
    if not stat.S_ISDIR(mode):
        raise ValueError(f"{_which(folder, place)} is no folder")
    if not os.access(place, os.W_OK | os.X_OK):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        why = "is on a read-only file system" if read_only else "may not be written to"
        raise ValueError(f"{_which(folder, place)} {why}")


def _which(folder: Path, place: Path) -> str:
    """Name *place*, and *folder* if that is another one."""
    if place == folder:
        return repr(str(folder))
    return f"{str(folder)!r} cannot be made: {str(place)!r}"


@frozen
class StateSettings:
    """
    Where state is kept.

    Attributes:
        streamfit_state_dir: The folder, made if it is not there, best on a volume:
            examples, checkpoints, the trained model until it is delivered, and the note
            that it was.  Without one, a job that dies starts over.

        streamfit_checkpoint_seconds: After how long a training is kept within an epoch.
            It is at ends of epochs, too, as often as that takes no more than 2 % of the
            time; 0 for every opportunity, whatever it costs.
    """

    streamfit_state_dir: Path | None = field(default=None, validator=_can_be_used)
    streamfit_checkpoint_seconds: float = field(
        default=60.0, validator=validators.ge(0)
    )
