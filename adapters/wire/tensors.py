"""The platform's names of element types, and shapes as it writes them."""

from __future__ import annotations

import re

import numpy as np

from domain.errors import MalformedRequest

DTYPES = {
    "half": "<f2",
    "float": "<f4",
    "double": "<f8",
    "bool": "?",
    "bool_": "?",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "int8": "<i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "<u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
}
"""Both spellings of the platform: its job's own, and NumPy's, which its sinks send."""

LARGEST = 1 << 62
"""Elements that a shape may have: a product that NumPy can still count."""


def parse_dtype(place: str, name: str) -> np.dtype[np.generic]:
    """
    Return the element type that *name* stands for.

    Raises:
        MalformedRequest: It is no name of DTYPES; the message begins with *place*.
    """
    if name not in DTYPES:
        raise MalformedRequest(
            f"{place}: {name!r:.40} is none of {', '.join(sorted(DTYPES))}"
        )
    return np.dtype(DTYPES[name])


def parse_shape(place: str, reshape: str) -> tuple[int, ...]:
    """
    Return the shape that *reshape* stands for; -1 for an axis to be filled in.

    Raises:
        MalformedRequest: It is no shape; the message begins with *place*.
    """
    axes = reshape.split()
    if not all(re.fullmatch(r"-1|[1-9][0-9]{0,17}", axis) for axis in axes):
        raise MalformedRequest(
            f"{place}: want positive numbers, or one -1, separated by blanks, "
            f"got {reshape!r:.80}"
        )
    if axes.count("-1") > 1:
        raise MalformedRequest(
            f"{place}: only one -1 can be filled, got {reshape!r:.80}"
        )
    shape = tuple(map(int, axes))
    if abs(np.prod(shape, dtype=np.float64)) > LARGEST or len(shape) > 32:
        raise MalformedRequest(f"{place}: too large, got {reshape!r:.80}")
    return shape
