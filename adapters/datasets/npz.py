"""NumPy's archives of arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from adapters.datasets.arrays import ArraySource
from adapters.datasets.options import DataOptions, Numbers
from domain.sending import DataInvalid

FEATURES = ("features", "x", "data", "images", "x_train")
LABELS = ("labels", "label", "y", "target", "y_train")
"""What people call their arrays; the first that is there is taken."""


def open_npz(path: Path, options: DataOptions) -> ArraySource:
    """
    Read the two arrays of a ``.npz``.

    Raises:
        DataInvalid: It is none, or has no such arrays; nothing in it is unpickled.
    """
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, NpzFile):
            raise DataInvalid(f"{path}: no archive of arrays: a single array")
        with found as archive:
            return _read(path, archive, options)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataInvalid(f"{path}: no archive of arrays: {error}") from error


def _read(path: Path, archive: NpzFile, options: DataOptions) -> ArraySource:
    there = list(archive.files)
    features = _choose(path, "features", options.features, FEATURES, there)
    labels: Numbers | None = None
    label = ""
    if options.labelled:
        label = _choose(path, "label", options.labels, LABELS, there)
        labels = archive[label]
    return ArraySource.of(
        archive[features],
        labels,
        dtype=options.dtype,
        label_dtype=options.label_dtype,
        names=(f"{path}: {features}", f"{path}: {label}"),
    )


def _choose(
    path: Path,
    option: str,
    wanted: Sequence[str],
    usual: Sequence[str],
    there: Sequence[str],
) -> str:
    """Return the name of one array."""
    if len(wanted) > 1:
        raise DataInvalid(f"{path}: --{option} names {len(wanted)} arrays, want one")
    found = [name for name in wanted or usual if name in there]
    if not found:
        missing = f"no array {wanted[0]}" if wanted else f"which array is the {option}?"
        raise DataInvalid(
            f"{path}: {missing}; there are {', '.join(there) or 'none'}: name one with "
            f"--{option}"
        )
    return found[0]
