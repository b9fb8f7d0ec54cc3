"""Zip archives, opened with care."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from domain.errors import ModelInvalid

_MEMBERS = 10_000
_READABLE = 64 << 20
"""The most that a member may take which is read as a whole."""

_PLAIN = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGES = (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError)
"""What Python's archives raise when something is wrong with the file."""


def holds(path: Path, name: str) -> bool:
    """
    Tell whether the archive at *path* has a member *name*.

    Raises:
        ModelInvalid: It is damaged.
    """
    with _damage_told(), zipfile.ZipFile(path) as archive:
        return name in archive.namelist()


@contextmanager
def opened(path: Path, limit: int) -> Iterator[zipfile.ZipFile]:
    """
    Open an archive for reading, once its table of contents has proved to be harmless.

    What a member really holds may still be another thing than the table says: Python
    reads no more of it than the table announces.

    Args:
        path: The archive.

        limit: The most that its members may take, in bytes, unpacked.

    Raises:
        ModelInvalid: The archive is damaged, too large, or a member's name or kind is
            none that a model needs.
    """
    with _damage_told(), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MEMBERS:
            raise ModelInvalid(f"the archive has more than {_MEMBERS} members")
        names: set[str] = set()
        total = 0
        for member in members:
            if fault := _fault(member):
                raise ModelInvalid(f"the archive's member {member.filename!r} {fault}")
            # On a disk that ignores case two names may be one; ours does not.
            if member.filename in names:
                raise ModelInvalid(f"the archive has two members {member.filename!r}")
            names.add(member.filename)
            total += member.file_size
            if total > limit:
                raise ModelInvalid(
                    f"the archive takes more than {limit} bytes unpacked "
                    f"(STREAMFIT_MAX_MODEL_BYTES): {member.filename!r}"
                )
        yield archive


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """
    Return the member *name*, a small one.

    Raises:
        ModelInvalid: It is missing or not small.
    """
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise ModelInvalid(f"the archive has no member {name!r}") from None
    if member.file_size > _READABLE:
        raise ModelInvalid(f"the archive's member {name!r} is too large")
    return archive.read(member)


def unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    """Unpack an archive that `opened` let pass."""
    for member in archive.infolist():
        target = folder / member.filename
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)


def pack(folder: Path, destination: Path) -> None:
    """Write the archive *destination* of all files in *folder*."""
    with zipfile.ZipFile(destination, "x", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))


def _fault(member: zipfile.ZipInfo) -> str | None:
    """Say what is wrong with a member, if anything."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
        return "leads out of the archive"
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is no file but a link or a device"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in _PLAIN:
        return "is packed in an unusual way"
    return None


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except _DAMAGES as error:
        raise ModelInvalid(f"the zip archive is damaged: {error}") from error
