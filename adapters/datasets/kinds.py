"""Which reader a file needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from adapters.datasets.options import DataOptions
from domain.sending import DataInvalid
from ports import ExampleSource

Opener = Callable[[Path, DataOptions], ExampleSource]

FOLDER = ("image_folder", "open_image_folder")
KINDS: Mapping[str, tuple[str, str]] = {
    ".avro": ("avro_container", "open_avro_container"),
    ".csv": ("csv", "open_csv"),
    ".npz": ("npz", "open_npz"),
    ".parquet": ("parquet", "open_parquet"),
    ".tsv": ("csv", "open_csv"),
}
"""By suffix, module and function: what a file does not need is not imported."""


def open_data(path: Path, options: DataOptions) -> ExampleSource:
    """
    Open a data set.

    Args:
        path: A file, whose suffix tells what it is, or a folder of images.

        options: What it does not say of itself.

    Raises:
        DataInvalid: It is not there, or not what its suffix says.

        ModuleNotFoundError: It needs a library that is not installed.
    """
    if path.is_dir():
        return _opener(*FOLDER)(path, options)
    if not path.is_file():
        raise DataInvalid(f"{path}: there is no such file")
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataInvalid(
            f"{path}: want {', '.join(KINDS)} or a folder of images, got "
            f"{path.suffix or 'no suffix'}"
        )
    return _opener(*kind)(path, options)


def _opener(module: str, name: str) -> Opener:
    found = importlib.import_module(f"adapters.datasets.{module}")
    return cast("Opener", getattr(found, name))
