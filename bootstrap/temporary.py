"""The folder for files that go with the process."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from domain.errors import SettingsInvalid, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def require_temporary_folder(environ: Mapping[str, str]) -> None:
    """
    Look whether any of the folders takes files that Python tries.

    Raises:
        SettingsInvalid: None does, and only another folder or other permissions help.

        Unavailable: None has room.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        folder = Path(environ.get("TMPDIR", "").strip() or "/tmp")  # noqa: S108
        reason = _refusal(folder)
        kind = Unavailable if reason.errno in _FULL else SettingsInvalid
        raise kind(
            "TMPDIR: want a folder that takes temporary files, "
            f"{folder}: {reason.strerror}"
        ) from reason


def _refusal(folder: Path) -> OSError:
    """Return why *folder* takes no files."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"something")
    except OSError as reason:
        return reason
    return OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))  # it does by now
