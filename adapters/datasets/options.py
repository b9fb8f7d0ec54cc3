"""What a file does not say of itself."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from adapters.wire.tensors import DTYPES
from domain.sending import DataInvalid, InvalidExample

Numbers = npt.NDArray[np.number | np.bool_]


def _is_type(_: object, __: object, name: str | None) -> None:
    if name is not None and name not in DTYPES:
        raise ValueError(f"{name!r:.40} is none of {', '.join(sorted(DTYPES))}")


@frozen
class DataOptions:
    """
    How to read a data set.

    Attributes:
        features: Names of columns; of a single array.  Without any, all columns but the
            labels', or an array of one of the usual names.

        labels: Names of columns; of a single array.  Without any, ``label``, or an
            array of one of the usual names.

        labelled: Whether labels are wanted.

        dtype: Element type of the features; as the file has it without one.

        label_dtype: Element type of the labels.

        header: Whether the first line of a text file names the columns; else they are
            ``f0``, ``f1``, ...

        image_size: Height and width of all images in pixels; None if they are alike.

        color: Channels of all images.
    """

    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    labelled: bool = True
    dtype: str | None = field(default=None, validator=_is_type)
    label_dtype: str | None = field(default=None, validator=_is_type)
    header: bool = True
    image_size: tuple[int, int] | None = None
    color: Literal["rgb", "grayscale"] = "rgb"


def numbers(array: npt.ArrayLike, place: str) -> Numbers:
    """
    Return *array* as numbers in this machine's byte order.

    Raises:
        DataInvalid: It holds something else.
    """
    try:
        found = np.asarray(array)
    except ValueError as error:  # rows of different lengths
        raise DataInvalid(f"{place}: {error}") from error
    native = found.dtype.newbyteorder("=")
    if native.name not in DTYPES:
        raise DataInvalid(f"{place}: holds {found.dtype}, want numbers")
    return found.astype(native, copy=False)


def fitted(array: Numbers, wanted: str | None) -> Numbers:
    """
    Return *array* in the *wanted* type, if there is one.

    Digits of a fraction may be lost by it, and nothing else.

    Raises:
        InvalidExample: A number would become another one.
    """
    if wanted is None or DTYPES[wanted] == array.dtype.newbyteorder("<").str:
        return array
    dtype = np.dtype(DTYPES[wanted]).newbyteorder("=")
    with np.errstate(invalid="ignore", over="ignore"):
        found = array.astype(dtype)
    if dtype.kind == "f":
        lost = np.isinf(found) & ~np.isinf(array)
    else:
        lost = (found != array) | ((found < 0) != (array < 0))
    if lost.any():
        where = tuple(map(int, np.argwhere(lost)[0]))
        raise InvalidExample(where[0], f"{array[where]} is no {wanted}")
    return found
