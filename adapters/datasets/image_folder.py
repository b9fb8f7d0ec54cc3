"""Folders of images, one folder for each class, as Keras takes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from attrs import define
from PIL import Image

from adapters.datasets.options import DataOptions, Numbers, fitted
from domain.batches import ElementSpec, ExampleBatch
from domain.sending import DataInvalid
from ports import ExampleSource

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png"}
"""Those that ``keras.utils.image_dataset_from_directory`` takes."""

MODES = {"rgb": "RGB", "grayscale": "L"}
SEED = 0


def open_image_folder(path: Path, options: DataOptions) -> ImageFolder:
    """
    Open a folder of images.

    Classes are numbered in the order of their folders' names.  Without labels, all
    images below the folder count.  They are mixed, the same way every time: parts of a
    stream follow each other, and each needs all classes.

    Raises:
        DataInvalid: There are no images in it.
    """
    classes = sorted(each.name for each in path.iterdir() if _is_class(each))
    if options.labelled and not classes:
        raise DataInvalid(
            f"{path}: has no folders: the images of each class are in one of its name"
        )
    found = [
        (each, label)
        for label, name in enumerate(classes)
        for each in _images(path / name)
    ]
    if not options.labelled:
        found = [(each, 0) for each in _images(path)]
    if not found:
        raise DataInvalid(f"{path}: no images ({', '.join(sorted(SUFFIXES))}) in there")
    order = np.random.default_rng(SEED).permutation(len(found)).tolist()
    images = [found[position] for position in order]
    return ImageFolder(
        [image for image, _ in images],
        np.array([label for _, label in images], np.min_scalar_type(len(classes))),
        options,
    )


@define(eq=False)
class ImageFolder(ExampleSource):
    """
    Images that are read as they are needed.

    Attributes:
        files: One for each example.

        labels: The number of its class.

        options: Size, channels and types.
    """

    files: list[Path]
    labels: Numbers
    options: DataOptions

    @property
    def total(self) -> int:
        """How many images there are."""
        return len(self.files)

    @cached_property
    def element_spec(self) -> ElementSpec:
        """What every example looks like: the first one tells."""
        return next(self.batches(1)).element_spec

    def batches(self, size: int) -> Iterator[ExampleBatch]:
        """Read the examples; see the port."""
        first: Numbers | None = None
        labels = fitted(self.labels, self.options.label_dtype)
        for start in range(0, self.total, size):
            images = [self._read(each) for each in self.files[start : start + size]]
            first = images[0] if first is None else first
            for index, image in enumerate(images):
                if image.shape != first.shape:
                    raise DataInvalid(
                        f"{self.place(start + index)}: has {_size(image)} pixels, but "
                        f"{self.place(0)} has {_size(first)}: choose with --image-size"
                    )
            features = fitted(np.stack(images), self.options.dtype)
            yield ExampleBatch(features, labels[start : start + size])

    def place(self, index: int) -> str:
        """Name an image by its path."""
        return str(self.files[index])

    def _read(self, path: Path) -> Numbers:
        size = self.options.image_size
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path) as image:
                    converted = image.convert(MODES[self.options.color])
        except (
            OSError,
            ValueError,
            SyntaxError,  # Pillow's, of a broken PNG
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise DataInvalid(f"{path}: no image: {error}") from error
        if size is not None:
            height, width = size
            converted = converted.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(converted, np.uint8)
        return pixels[..., None] if pixels.ndim == 2 else pixels


def _is_class(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _images(folder: Path) -> list[Path]:
    return sorted(
        each
        for each in folder.rglob("*")
        if each.suffix.lower() in SUFFIXES and each.is_file()
    )


def _size(image: Numbers) -> str:
    return f"{image.shape[0]} x {image.shape[1]}"
