"""Untrained models that real TensorFlows wrote, and examples that suit them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from attrs import define, field

from domain.batches import ElementSpec, ExampleBatch

TRAINABLE = (
    "digits",
    "cnn",
    "lstm",
    "binary",
    "regression",
    "two_outputs",
    "bidirectional",
    "nested",
    "operations",
    "mixed",
    "older",
)
IN_2020 = (
    "digits",
    "cnn",
    "regression",
    "two_outputs",
    "bidirectional",
    "operations",
)


_LIKE = {
    "nested": "regression",
    "operations": "two_outputs",
    "mixed": "regression",
    "older": "regression",
    "chain": "digits",
}
"""Models that take the examples of another."""


def model_file(name: str, tensorflow: str = "2.7") -> Path:
    """Return the model that *tensorflow* (2.7 or 2.2) wrote; see make_models.py."""
    return Path(__file__).parent / f"tensorflow-{tensorflow}" / f"{name}.h5"


def chain_files(count: int) -> list[Path]:
    """Return *count* sub-models, 2 or 3, that make a chain; none is compiled."""
    numbers = {2: (1, 3), 3: (1, 2, 3)}[count]
    return [model_file(f"chain_{number}") for number in numbers]


def chain_folder(folder: Path, files: Sequence[Path]) -> Path:
    """Copy *files* into *folder*, under the names that a chain's files have."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(files, 1):
        shutil.copyfile(path, folder / f"{number}.h5")
    return folder


def examples(name: str, count: int = 70, seed: int = 0) -> ExampleBatch:
    """Return made-up examples that suit the model *name*, in a stream's dtypes."""
    name = _LIKE.get(name, name)
    random = np.random.default_rng(seed)
    classes = random.integers(0, 10, count)
    few = classes % 3
    noise = random.normal(size=(count, 30))
    features, labels = {
        "digits": lambda: (
            (random.integers(0, 100, (count, 8, 8)) + 15 * few[:, None, None]).astype(
                np.uint8
            ),
            classes.astype(np.uint8)[:, None],
        ),
        "cnn": lambda: (
            # Of float64, and without the last axis, which Keras 2 adds.
            random.normal(size=(count, 8, 8)) + few[:, None, None],
            classes.astype(np.int64),
        ),
        "lstm": lambda: (
            random.integers(0, 20, (count, 6)).astype(np.int32),
            np.eye(3, dtype=np.float32)[few],
        ),
        "binary": lambda: ((noise + few[:, None]).astype(np.float32), few > 0),
        "regression": lambda: (
            noise[:, :5].astype(np.float16),
            noise[:, :5].sum(axis=1, keepdims=True),
        ),
        "two_outputs": lambda: (
            noise[:, :4].astype(np.float32) + few[:, None],
            few.astype(np.int32),
        ),
        "bidirectional": lambda: (
            random.integers(0, 20, (count, 6)).astype(np.int32),
            few.astype(np.int32),
        ),
    }[name]()
    return ExampleBatch(features, labels)


@define
class ArrayDataset:
    """Examples in arrays; counts how often they were read, and for which epochs."""

    examples: ExampleBatch
    passes: int = 0
    epochs: list[int] = field(factory=list)

    @property
    def element_spec(self) -> ElementSpec:
        return self.examples.element_spec

    def __len__(self) -> int:
        return len(self.examples)

    def batches(
        self, size: int, epoch: int = 0, start: int = 0
    ) -> Iterator[ExampleBatch]:
        self.passes += 1
        self.epochs.append(epoch)
        for first in range(start, len(self), size):
            yield self.examples[first : first + size]
