"""Records as they come from a broker, and examples as a model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from attrs import field, frozen


@frozen
class BinaryColumn:
    """
    Byte strings end to end in one buffer (Arrow's variable-size binary layout).

    One buffer per column, not one object per record, is what lets a decoder view a
    whole batch as one array.

    Attributes:
        data: The bytes of all records.

        ends: Position in *data* after each record.

        width: Length in bytes shared by every record, or None if they differ.
    """

    data: memoryview = field(repr=False)
    ends: Sequence[int] = field(repr=False)
    width: int | None

    @classmethod
    def pack(cls, records: Sequence[bytes | None]) -> BinaryColumn:
        """Copy *records* end to end; None (a null key or value) counts as empty."""
        packed = [record or b"" for record in records]
        lengths = list(map(len, packed))
        width = lengths[0] if len(set(lengths)) == 1 else None
        return cls(memoryview(b"".join(packed)), list(accumulate(lengths)), width)

    def __len__(self) -> int:
        """Count the records."""
        return len(self.ends)

    def __getitem__(self, index: int) -> memoryview:
        """Return the bytes of the record at *index* (from 0)."""
        start = self.ends[index - 1] if index else 0
        return self.data[start : self.ends[index]]


@frozen
class RecordBatch:
    """
    Undecoded records of one partition, in offset order.

    Attributes:
        topic: The topic they come from.

        partition: The partition they come from.

        offsets: The offset of each record.

        keys: The labels, encoded.

        values: The features, encoded.
    """

    topic: str
    partition: int
    offsets: Sequence[int] = field(repr=False)
    keys: BinaryColumn
    values: BinaryColumn

    def __len__(self) -> int:
        """Count the records."""
        return len(self.offsets)

    def place(self, index: int) -> str:
        """Name the record at *index* as log and error messages do."""
        return f"{self.topic}[{self.partition}]@{self.offsets[index]}"


@frozen
class RejectedRecord:
    """
    A record that is not of its stream's encoding.

    Attributes:
        index: Its position in the batch.

        fault: What kind of fault it is, in one word for statistics: ``size``,
            ``truncated``, ``trailing``, ``value``, ``schema``.

        reason: What is wrong, with sizes found and wanted, but nothing of the content.
    """

    index: int
    fault: str
    reason: str


class Array(Protocol):
    """What the domain knows of a NumPy array: it can be cut along its first axis."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> object:
        """Type of the elements; its ``str()`` is NumPy's name for it."""
        ...

    def __len__(self) -> int:
        """Length of the first axis."""
        ...

    def __getitem__(self, rows: slice, /) -> Array:
        """Return a view of *rows*."""
        ...


@frozen
class TensorSpec:
    """
    Type of a tensor, as in tf.data.

    Attributes:
        dtype: NumPy's name of the element type.

        shape: Length of each axis, without the batch axis.
    """

    dtype: str
    shape: tuple[int, ...]


@frozen
class ElementSpec:
    """Type of one example, as in tf.data."""

    features: TensorSpec
    label: TensorSpec


@frozen(eq=False)
class ExampleBatch:
    """
    Decoded examples.

    Memory that was handed on in a batch is never written again: readers keep views.

    Attributes:
        features: Model input; the first axis counts the examples.

        labels: What the model is to predict; the first axis counts the examples.
    """

    features: Array
    labels: Array

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.features)

    def __getitem__(self, rows: slice) -> ExampleBatch:
        """Return the examples of *rows*, as views."""
        return ExampleBatch(self.features[rows], self.labels[rows])

    @property
    def element_spec(self) -> ElementSpec:
        """What every example of the batch looks like."""
        return ElementSpec(_spec(self.features), _spec(self.labels))


@frozen(eq=False)
class Guesses:
    """
    The classes that a model sees in some examples.

    Attributes:
        classes: The number of one class for each example, from 0.

        scores: How sure the model is of it, usually 0 to 1.
    """

    classes: Array
    scores: Array


@frozen(eq=False)
class Decoded:
    """
    What became of a batch of records.

    Attributes:
        examples: The good ones, in the order of the records; may be none.

        rejected: The bad ones, in the order of the records.
    """

    examples: ExampleBatch
    rejected: tuple[RejectedRecord, ...] = ()


def _spec(array: Array) -> TensorSpec:
    return TensorSpec(str(array.dtype), array.shape[1:])
