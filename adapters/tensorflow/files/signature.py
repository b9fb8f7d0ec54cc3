"""What a file is, by its first bytes."""

from __future__ import annotations

import codecs
from enum import Enum, auto
from pathlib import Path

from domain.errors import ModelInvalid


class Signature(Enum):
    """What may hold a model."""

    HDF5 = auto()
    ZIP = auto()
    FOLDER = auto()


def signature(path: Path) -> Signature:
    """
    Tell what *path* is.

    Raises:
        ModelInvalid: It holds no model; the message says what it looks like.
    """
    if path.is_dir():
        return Signature.FOLDER
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise ModelInvalid(f"the model file cannot be read: {error}") from error
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return Signature.HDF5
    if start.startswith(b"PK\x03\x04"):
        return Signature.ZIP
    raise ModelInvalid(f"the model file is neither HDF5 nor zip but {_looks(start)}")


def _looks(start: bytes) -> str:
    """Say what a file looks like that begins with *start*."""
    if not start:
        return "empty: the platform could not build the model"
    if start.lstrip()[:1] == b"<":
        return "a web page, perhaps an error of a server in between"
    if text := _first_line(start):
        return f"text: {text[:60]!r}"
    return f"something else, which begins with {start[:8].hex(' ')}"


def _first_line(start: bytes) -> str | None:
    """Return the first line of a text that begins with *start*; None if it is none."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return None
    line, _, _ = text.partition("\n")
    return line.rstrip() if line.rstrip().isprintable() else None
