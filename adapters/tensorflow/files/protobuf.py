"""The little of Google's protocol buffers that is needed to look into a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator


def fields(message: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """
    Yield the number and content of every field of *message* that is text or a message.

    Raises:
        ValueError: These are no protocol buffers.
    """
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        match key & 7:
            case 0:
                _, at = _varint(view, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                length, at = _varint(view, at)
                if at + length > len(view):
                    raise ValueError("a field is longer than its message")
                yield key >> 3, view[at : at + length]
                at += length
            case _:
                raise ValueError("a field is of an unknown type")


def inside(message: bytes | memoryview, *path: int) -> Iterator[memoryview]:
    """
    Yield what is in *message* at *path*: field numbers, from the outside in.

    Raises:
        ValueError: These are no protocol buffers.
    """
    first, *rest = path
    for number, content in fields(message):
        if number == first:
            if rest:
                yield from inside(content, *rest)
            else:
                yield content


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return the number at *at*, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            break
        byte = view[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number does not end")
