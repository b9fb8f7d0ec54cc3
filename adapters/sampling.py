"""Fair parts and a new order every epoch, by NumPy."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from domain.batches import Array
from domain.errors import TrainingFailed
from domain.split import Split
from ports import Sampler

Positions = npt.NDArray[np.int64]

_SPLIT = "STREAMFIT_SPLIT=stratified"
_PARTS, _ORDER = 0, 1
"""What random numbers are drawn for; each use has a sequence of its own."""


def _seed(value: str | int | None) -> int | None:
    try:
        seed = None if value is None else int(value)
    except ValueError:
        seed = -1
    if seed is not None and seed < 0:
        raise ValueError(f"want a whole number from 0 on, got {value!r}")
    return seed


@frozen
class SamplingSettings:
    """
    Which examples a part gets, and in which order they are trained on.

    Attributes:
        streamfit_shuffle: Seed of a shuffle before the stream is shared out, and of
            another one before every epoch; training then waits for the whole stream.
            None for the order of the stream.

        streamfit_split: ``stream`` for parts that follow each other in the stream,
            ``stratified`` for parts with the same share of every class, wherever it
            lies; training then waits for the whole stream.
    """

    streamfit_shuffle: int | None = field(default=None, converter=_seed)
    streamfit_split: Literal["stream", "stratified"] = "stream"


def sampler_for(settings: SamplingSettings) -> Sampler | None:
    """Return what the *settings* ask for; None if that is the stream as it comes."""
    stratified = settings.streamfit_split == "stratified"
    if settings.streamfit_shuffle is None and not stratified:
        return None
    return NumpySampler(settings.streamfit_shuffle, stratified=stratified)


@frozen
class NumpySampler(Sampler):
    """
    Shuffles, stratifies, or both; orders follow from seed and epoch alone.

    Attributes:
        seed: Seed of all orders; None to keep that of the stream within each part.

        stratified: Whether every part gets the same share of every class.
    """

    seed: int | None
    stratified: bool = field(kw_only=True)

    def arrange(self, split: Split, labels: Array) -> Array:
        """See Sampler."""
        positions = np.arange(len(labels))
        if self.seed is not None:
            self._random(_PARTS).shuffle(positions)
        if self.stratified:
            classes = _classes(np.asarray(labels))
            positions = positions[_interleaved(classes[positions])]
        if self.seed is None:
            for part in (split.training, split.test, split.validation):
                if part:
                    positions[part.start : part.stop].sort()
        return positions

    def order(self, positions: Array, epoch: int) -> Array:
        """See Sampler."""
        if self.seed is None:
            return positions
        return self._random(_ORDER, epoch).permutation(np.asarray(positions))

    def _random(self, *use: int) -> np.random.Generator:
        # A generator by its name: NumPy's default may become another one.
        return np.random.Generator(np.random.PCG64([self.seed or 0, *use]))


def _classes(labels: npt.NDArray[np.generic]) -> Positions:
    """
    Number the classes that *labels* name, and return that of each.

    Raises:
        TrainingFailed: These are no classes.
    """
    flat = labels.reshape(len(labels), -1)
    if labels.ndim > 2 or labels.dtype.kind not in "biuf":
        raise TrainingFailed(
            f"{_SPLIT}: labels of {labels.dtype} and shape {labels.shape[1:]} are no "
            "classes"
        )
    if labels.dtype.kind == "f" and not (np.floor(flat) == flat).all():  # nor for NaN
        raise TrainingFailed(f"{_SPLIT}: labels with fractions are no classes")
    if flat.shape[1] != 1:
        if not (np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all()):
            raise TrainingFailed(f"{_SPLIT}: labels of several numbers must be one-hot")
        return np.asarray(np.argmax(flat, axis=1))
    numbers: Positions = np.unique(flat[:, 0], return_inverse=True)[1]
    return numbers


def _interleaved(classes: Positions) -> Positions:
    """
    Return positions in an order that spreads every class evenly.

    Wherever it is cut, each piece has each class in proportion, to within one example.
    """
    by_class = np.argsort(classes, kind="stable")
    counts = np.bincount(classes)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    places = (np.arange(len(classes)) - starts + 0.5) / np.repeat(counts, counts)
    order: Positions = by_class[np.argsort(places, kind="stable")]
    return order
