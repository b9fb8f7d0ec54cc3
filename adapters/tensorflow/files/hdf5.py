"""Files in HDF5, opened with care; weights put into the places of others."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from adapters.tensorflow.files.configuration import parsed
from domain.errors import ModelInvalid

Weights = Sequence[np.ndarray]
"""The weights of one layer in Keras's order: trainable ones, then the others."""

_DESCRIPTION = 64 << 20
"""The most that an attribute may take; Keras keeps the model's description in one."""


@contextmanager
def opened(source: Path | BinaryIO, limit: int) -> Iterator[h5py.File]:
    """
    Open a file for reading, once it has proved to be harmless.

    Args:
        source: The file.

        limit: The most that its arrays may take, in bytes, unpacked.

    Raises:
        ModelInvalid: The file is damaged, points to others or is too large.
    """
    try:
        with h5py.File(source) as file:
            _refuse_links(file)
            _refuse_bombs(file, limit)
            yield file
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelInvalid(f"the HDF5 file is damaged: {error}") from error


def json_attribute(file: h5py.File, name: str) -> Any:
    """
    Return the attribute *name*, which holds JSON; None if it is not there.

    Raises:
        ModelInvalid: It is no JSON.
    """
    text = text_attribute(file, name)
    return None if text is None else parsed(text, name)


def text_attribute(file: h5py.File, name: str) -> str | None:
    """Return an attribute as text: Keras writes str or bytes, depending on h5py."""
    if name not in file.attrs:
        return None
    if file.attrs.get_id(name).get_storage_size() > _DESCRIPTION:
        raise ModelInvalid(f"the model's {name} is too long")
    attribute = file.attrs[name]
    if isinstance(attribute, bytes):
        return attribute.decode(errors="replace")
    return attribute if isinstance(attribute, str) else None


def graft(untrained: Path, layers: Sequence[Weights], destination: Path) -> None:
    """
    Write *destination*: a copy of *untrained* with other weights.

    Keras 2.7 cannot read the model descriptions that later versions write, whatever the
    model.  So the description stays the one that came with the file, and only arrays
    change.  The optimizer's state belongs to the old weights and is left out.

    Args:
        untrained: A model file that Keras wrote in HDF5.

        layers: New weights of every layer that has some, in the model's order.

        destination: The file to write.

    Raises:
        ValueError: The weights do not fit those in the file one by one.
    """
    shutil.copyfile(untrained, destination)
    with h5py.File(destination, "r+") as file:
        for place, weight in _places(file, layers):
            place[...] = weight
        if "optimizer_weights" in file:
            del file["optimizer_weights"]


def require_places(untrained: Path, layers: Sequence[Weights]) -> None:
    """
    See to it that `graft` will succeed, before there are hours of training to lose.

    Raises:
        ValueError: The weights do not fit those in the file one by one.
    """
    with h5py.File(untrained) as file:
        for _ in _places(file, layers):
            pass


def optimizer_state(file: h5py.File) -> list[np.ndarray]:
    """Return what *file* knows of the optimizer, in Keras's order."""
    if "optimizer_weights" not in file:
        return []
    group = file["optimizer_weights"]
    return [np.asarray(group[name]) for name in _names(group, "weight_names")]


def shapes(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array by its name."""
    found: dict[str, tuple[int, ...]] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = tuple(item.shape)

    file.visititems(keep)
    return found


def _refuse_links(file: h5py.File) -> None:
    """Refuse a file that would make us read other files."""
    # The visitors return what they find: h5py cannot bear it if they raise.

    def link(name: str, item: object) -> str | None:
        return None if isinstance(item, h5py.HardLink) else name

    def elsewhere(name: str, item: object) -> str | None:
        outside = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
        return name if outside else None

    if name := file.visititems_links(link):
        raise ModelInvalid(f"the HDF5 file holds a link: {name}")
    if name := file.visititems(elsewhere):
        raise ModelInvalid(f"the HDF5 file refers to another file: {name}")


def _refuse_bombs(file: h5py.File, limit: int) -> None:
    """Refuse arrays that a small file may declare and memory could not hold."""

    def text(name: str, item: object) -> str | None:
        # Of any length: a thousand elements may be the same megabyte.
        any_length = isinstance(item, h5py.Dataset) and item.dtype.hasobject
        return name if any_length else None

    if name := file.visititems(text):
        raise ModelInvalid(f"the HDF5 file holds an array that is no numbers: {name}")
    total = 0

    def add(name: str, item: object) -> str | None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            # In Python's whole numbers, which have no end.
            total += math.prod(map(int, item.shape or ())) * int(item.dtype.itemsize)
        return name if total > limit else None

    if name := file.visititems(add):
        raise ModelInvalid(
            f"the arrays of the HDF5 file take more than {limit} bytes "
            f"(STREAMFIT_MAX_MODEL_BYTES): {name}"
        )


def _names(group: h5py.Group, name: str) -> list[str]:
    """Return a list of names; Keras cuts a long one: ``name0``, ``name1``, ..."""
    if name in group.attrs:
        names = list(group.attrs[name])
    else:
        names, chunk = [], 0
        while (part := f"{name}{chunk}") in group.attrs:
            names += list(group.attrs[part])
            chunk += 1
    return [n.decode() if isinstance(n, bytes) else str(n) for n in names]


def _places(
    file: h5py.File, layers: Sequence[Weights]
) -> Iterator[tuple[h5py.Dataset, np.ndarray]]:
    """Yield every weight with its place; HDF5 itself would stretch and round."""
    group = file["model_weights"]
    stored = [
        [group[layer][name] for name in names]
        for layer in _names(group, "layer_names")
        if (names := _names(group[layer], "weight_names"))
    ]
    for places, weights in zip(stored, layers, strict=True):
        for place, weight in zip(places, weights, strict=True):
            if place.shape != weight.shape or place.dtype != weight.dtype:
                raise ValueError(
                    f"{place.name} is {place.dtype}{place.shape}, "
                    f"not {weight.dtype}{weight.shape}"
                )
            yield place, weight
