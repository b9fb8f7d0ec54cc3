"""Keras 2's model files in HDF5: looked into, and written, without TensorFlow."""

from __future__ import annotations

import codecs
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from domain.errors import ModelInvalid

Weights = Sequence[np.ndarray]
"""The weights of one layer in Keras's order: trainable ones, then the others."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def inspect(path: Path) -> None:
    """
    Look whether *path* holds a Keras 2 model that can be loaded safely and trained.

    Raises:
        ModelInvalid: It does not; one sentence says why.
    """
    training_config(path)


def training_config(path: Path) -> dict[str, Any]:
    """
    Return how the model in *path* was compiled, in Keras's own form.

    Raises:
        ModelInvalid: The file holds no model that `inspect` lets pass.
    """
    _require_signature(path)
    try:
        with h5py.File(path) as file:
            _refuse_links(file)
            model = _json(file, "model_config")
            if model is None:
                raise ModelInvalid("the HDF5 file holds no model (no model_config)")
            _require_keras_2(_text(file.attrs.get("keras_version")))
            training: dict[str, Any] | None = _json(file, "training_config")
            if training is None:
                raise ModelInvalid("the model is not compiled (no training_config)")
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelInvalid(f"the HDF5 file is damaged: {error}") from error
    for layer in _code([model, training]):
        raise ModelInvalid(f"the model holds Python code, which is not run: {layer}")
    return training


def graft(untrained: Path, layers: Sequence[Weights], destination: Path) -> None:
    """
    Write *destination*: a copy of *untrained* with other weights.

    Keras 2.7 cannot read the model descriptions that later versions write, whatever the
    model.  So the description stays the one that came with the file, and only arrays
    change.  The optimizer's state belongs to the old weights and is left out.

    Args:
        untrained: A Keras 2 model file.

        layers: New weights of every layer that has some, in the model's order.

        destination: The file to write.

    Raises:
        ValueError: The weights do not fit those in the file one by one.
    """
    shutil.copyfile(untrained, destination)
    with h5py.File(destination, "r+") as file:
        group = file["model_weights"]
        stored = [
            [group[layer][name] for name in names]
            for layer in _names(group, "layer_names")
            if (names := _names(group[layer], "weight_names"))
        ]
        for targets, weights in zip(stored, layers, strict=True):
            for target, weight in zip(targets, weights, strict=True):
                _overwrite(target, weight)
        if "optimizer_weights" in file:
            del file["optimizer_weights"]


def _require_signature(path: Path) -> None:
    """Refuse a file that is not HDF5, and say what it looks like."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise ModelInvalid(f"the model file cannot be read: {error}") from error
    if start.startswith(_SIGNATURE):
        return
    if not start:
        kind = "empty: the platform could not build the model"
    elif start.startswith(b"PK\x03\x04"):
        kind = "a zip archive, as Keras 3 writes (.keras): save the model as .h5"
    elif start.lstrip()[:1] == b"<":
        kind = "a web page, perhaps an error of a server in between"
    elif text := _first_line(start):
        kind = f"text: {text[:60]!r}"
    else:
        kind = f"something else, which begins with {start[:8].hex(' ')}"
    raise ModelInvalid(f"the model file is not HDF5 but {kind}")


def _first_line(start: bytes) -> str | None:
    """Return the first line of a text that begins with *start*; None if it is none."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return None
    line, _, _ = text.partition("\n")
    return line.rstrip() if line.rstrip().isprintable() else None


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


def _require_keras_2(version: str | None) -> None:
    if version is None or not version.startswith("2."):
        writer = f"Keras {version}" if version else "an unknown version of Keras"
        raise ModelInvalid(
            f"the model was written by {writer}, and only Keras 2 is supported"
        )


def _code(config: object) -> Iterator[str]:
    """Yield what in *config* would make Keras run code of the file, or import some."""
    if isinstance(config, dict):
        kind = config.get("class_name")
        if kind in ("Lambda", "__lambda__"):
            inner = config.get("config")
            name = inner.get("name") if isinstance(inner, dict) else None
            yield f"the Lambda layer {name!r}" if name else "a lambda"
        module = config.get("module")
        if isinstance(module, str) and kind and not re.match(r"(tf_)?keras\b", module):
            yield f"{kind!r} from the module {module!r}"
        for value in config.values():
            yield from _code(value)
    elif isinstance(config, list):
        for value in config:
            yield from _code(value)


def _json(file: h5py.File, name: str) -> Any:
    """Return the attribute *name*, which holds JSON; None if it is not there."""
    text = _text(file.attrs.get(name))
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelInvalid(f"the model's {name} is not JSON: {error}") from error


def _text(attribute: object) -> str | None:
    """Return an attribute as text: Keras writes str or bytes, depending on h5py."""
    if isinstance(attribute, bytes):
        return attribute.decode(errors="replace")
    return attribute if isinstance(attribute, str) else None


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


def _overwrite(target: h5py.Dataset, weight: np.ndarray) -> None:
    """Put *weight* in the place of *target*; HDF5 itself would stretch and round."""
    if target.shape != weight.shape or target.dtype != weight.dtype:
        raise ValueError(
            f"{target.name} is {target.dtype}{target.shape}, "
            f"not {weight.dtype}{weight.shape}"
        )
    target[...] = weight
