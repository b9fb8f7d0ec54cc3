"""Tables: rows are examples, and columns are features and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from attrs import define, frozen

from adapters.datasets.options import DataOptions, Numbers, fitted
from domain.batches import ElementSpec, ExampleBatch
from domain.sending import DataInvalid, InvalidExample
from ports import ExampleSource

Block = Mapping[str, Numbers]
"""Some rows, column by column; a column may hold several numbers for each row."""


@frozen
class Columns:
    """
    Which columns are what.

    Attributes:
        features: Those that make up the features, in this order.

        labels: Those that make up the label.
    """

    features: tuple[str, ...]
    labels: tuple[str, ...]

    @classmethod
    def choose(cls, path: Path, there: Sequence[str], options: DataOptions) -> Columns:
        """
        Return what *options* mean for a table whose columns are *there*.

        Raises:
            DataInvalid: A column is missing, or nothing says which the label is.
        """
        if twice := {name for name in there if there.count(name) > 1}:
            raise DataInvalid(f"{path}: several columns {', '.join(sorted(twice))}")
        wanted = [*options.features, *(options.labels if options.labelled else ())]
        if missing := [name for name in wanted if name not in there]:
            raise DataInvalid(
                f"{path}: no column {', '.join(missing)}; there are {_listed(there)}"
            )
        labels = options.labels or tuple(name for name in there if name == "label")
        if options.labelled and not labels:
            raise DataInvalid(
                f"{path}: which column is the label? name it with --label; there are "
                f"{_listed(there)}"
            )
        features = options.features or tuple(n for n in there if n not in labels)
        if not features:
            raise DataInvalid(f"{path}: there is no column besides the label")
        return cls(features, labels if options.labelled else ())

    @property
    def all(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.features, *self.labels]))


@define(eq=False)
class TableSource(ExampleSource):
    """
    A table that is read in blocks of rows.

    Attributes:
        path: The file.

        row: What its rows are called, and the number of the first one.

        columns: Which columns are what.

        read: Yields all rows, in blocks of about as many as wanted; an InvalidExample
            says which of the rows that would come next is bad.

        total: How many there are; None if only reading can tell.

        dtypes: Element types of features and labels, if not the columns' own.
    """

    path: Path
    row: tuple[str, int]
    columns: Columns
    read: Callable[[int], Iterator[Block]]
    total: int | None
    dtypes: tuple[str | None, str | None]

    @cached_property
    def element_spec(self) -> ElementSpec:
        """What every example looks like: the first one tells."""
        for examples in self.batches(1):
            return examples.element_spec
        raise DataInvalid(f"{self.path}: holds no {self.row[0]}")

    def batches(self, size: int) -> Iterator[ExampleBatch]:
        """Read the examples; see the port."""
        before, spec = 0, None
        try:
            for block in self.read(size):
                examples = self._examples(block)
                spec = spec or examples.element_spec
                _require_like(examples, spec)
                for start in range(0, len(examples), size):
                    yield examples[start : start + size]
                before += len(examples)
        except InvalidExample as error:
            place = self.place(before + error.index)
            raise DataInvalid(f"{place}: {error.reason}") from error

    def place(self, index: int) -> str:
        """Name a row as whoever opens the file would."""
        name, first = self.row
        return f"{self.path}: {name} {first + index}"

    def _examples(self, block: Block) -> ExampleBatch:
        features, labels = self.columns.features, self.columns.labels
        rows = _matrix(block, features, self.dtypes[0])
        if not labels:
            return ExampleBatch(rows, np.zeros(len(rows), np.uint8))
        targets = _matrix(block, labels, self.dtypes[1])
        single = len(labels) == 1 and block[labels[0]].ndim == 1
        return ExampleBatch(rows, targets[:, 0] if single else targets)


def _require_like(examples: ExampleBatch, spec: ElementSpec) -> None:
    """Find lists of another length than those of the blocks before."""
    if examples.element_spec != spec:
        raise InvalidExample(0, "holds not as many numbers as those before")


def _matrix(block: Block, names: Sequence[str], dtype: str | None) -> Numbers:
    """Put columns side by side."""
    parts = [np.reshape(block[name], (len(block[name]), -1)) for name in names]
    return fitted(np.concatenate(parts, axis=1), dtype)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown}, ..." if len(names) > 20 else shown or "none"
