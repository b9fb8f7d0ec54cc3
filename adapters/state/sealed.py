"""
Folders that are there as a whole or not at all.

Files are written beside the place, forced to the disk, listed with their digests, and
moved into place by one rename.  Whoever finds the folder checks the list, which has a
digest of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define

_LIST = "sealed.json"
_CHUNK = 1 << 20
_DIGEST = 16  # bytes


@define
class Damaged(Exception):
    """
    A folder is not what was sealed.

    Attributes:
        reason: One sentence that says why.
    """

    reason: str


def seal(
    folder: Path, write: Callable[[Path], None], note: Mapping[str, object]
) -> None:
    """
    Write *folder*; what was there before is replaced once the new one is safe.

    Args:
        folder: Its parent exists.

        write: Fills an empty folder; subfolders are fine.

        note: Facts to keep with it, JSON.

    Raises:
        OSError: There is no room, or no right to write.
    """
    beside, old = (folder.with_name(f"{folder.name}.{end}") for end in ("new", "old"))
    remove(beside)
    beside.mkdir()
    try:
        write(beside)
        files = {name: _sync(path) for name, path in _named(beside).items()}
        text = json.dumps({"files": files, "note": dict(note)})
        (beside / _LIST).write_text(f"{_digest_of(text)}\n{text}")
        _sync(beside / _LIST)
        for below in (beside, *(path for path in beside.rglob("*") if path.is_dir())):
            _sync_folder(below)
    except BaseException:
        remove(beside)
        raise
    remove(old)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    _sync_folder(folder.parent)
    remove(old)


def unseal(folder: Path) -> Mapping[str, object] | None:
    """
    Return the note of *folder*, or of the one that it was about to replace.

    Returns:
        None if there is no such folder.

    Raises:
        Damaged: Files are missing, or not what they were.
    """
    old = folder.with_name(f"{folder.name}.old")
    try:
        if not folder.exists() and old.exists():  # it broke off between the two renames
            old.rename(folder)
        if not folder.exists():
            return None
        digest, _, text = (folder / _LIST).read_text().partition("\n")
        if digest != _digest_of(text):
            raise Damaged(f"{folder / _LIST}: not what was sealed")
        told = json.loads(text)
        files, note = dict(told["files"]), dict(told["note"])
        found = _named(folder)
        found.pop(_LIST)
        if found.keys() != files.keys():
            raise Damaged(f"{folder}: other files than were sealed")
        for name, path in found.items():
            if _digest(path) != files[name]:
                raise Damaged(f"{path}: not the bytes that were sealed")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{folder}: {error!r:.200}") from error
    return note


def remove(path: Path) -> None:
    """Remove *path*, a folder or a file, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def files_of(path: Path) -> list[Path]:
    """Return the files in *path*, or *path* itself if it is one."""
    if not path.is_dir():
        return [path]
    return sorted(below for below in path.rglob("*") if below.is_file())


def _named(folder: Path) -> dict[str, Path]:
    """Return the files in *folder* by their names there."""
    return {str(path.relative_to(folder)): path for path in files_of(folder)}


def _sync(path: Path) -> str:
    """Force a file to the disk and return its digest."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return _digest(path)


def _digest_of(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST).hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
