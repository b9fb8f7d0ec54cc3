"""RAW: contiguous little-endian elements, one array per record (contract, 6.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from attrs import define, frozen

from adapters.wire.faults import Fault, rejected
from adapters.wire.strict import structure
from adapters.wire.tensors import parse_dtype, parse_shape
from domain.batches import BinaryColumn, Decoded, ExampleBatch, RecordBatch
from ports import Decoder


@frozen
class RawOptions:
    """
    The ``input_config`` of a RAW stream.

    Attributes:
        data_type: Element type of the values, a name in wire.tensors.DTYPES.

        label_type: Element type of the keys.

        data_reshape: Shape of a value, numbers separated by blanks, one of which may be
            -1; empty for a scalar, None for a flat vector.

        label_reshape: Shape of a key.
    """

    data_type: str
    label_type: str
    data_reshape: str | None = None
    label_reshape: str | None = None


@define
class RawDecoder(Decoder):
    """
    Views whole batches as arrays; nothing is copied unless records are bad.

    A record of another size than the others is bad, and costs only itself.
    """

    _features: _RawTensor
    _labels: _RawTensor

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> RawDecoder:
        """
        Make the decoder that *options* describe, see RawOptions.

        Raises:
            MalformedRequest: An option is missing or makes no sense.
        """
        raw = structure(options, RawOptions, "input_config")
        return cls(
            _RawTensor.parse("data", raw.data_type, raw.data_reshape),
            _RawTensor.parse("label", raw.label_type, raw.label_reshape),
        )

    def decode(self, records: RecordBatch) -> Decoded:
        """See Decoder."""
        sides = (self._features, records.values), (self._labels, records.keys)
        if any(-1 in tensor.shape for tensor, _ in sides):
            self._settle(records)
        faults: dict[int, Fault] = {}
        for tensor, column in sides:
            tensor.check(column, faults)
        features, labels = (tensor.view(column, faults) for tensor, column in sides)
        return Decoded(ExampleBatch(features, labels), rejected(faults))

    def _settle(self, records: RecordBatch) -> None:
        """Fill in open axes from the first record of which both sides fit."""
        for index in range(len(records)):
            value = self._features.fit(len(records.values[index]))
            label = self._labels.fit(len(records.keys[index]))
            if value is not None and label is not None:
                self._features.shape, self._labels.shape = value, label
                return


@define
class _RawTensor:
    """
    One side of the records: the values or the keys.

    Attributes:
        name: ``data`` or ``label``, for messages.

        dtype: Type of the elements.

        shape: Shape of one record; -1 where the first good record settles it.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @classmethod
    def parse(cls, name: str, type_name: str, reshape: str | None) -> _RawTensor:
        place = f"input_config.{name}"
        return cls(
            name,
            parse_dtype(f"{place}_type", type_name),
            (-1,) if reshape is None else parse_shape(f"{place}_reshape", reshape),
        )

    @property
    def unit(self) -> int:
        """Bytes of a record, or what they must be a multiple of."""
        known = math.prod(axis for axis in self.shape if axis != -1)
        return known * self.dtype.itemsize

    def fit(self, size: int) -> tuple[int, ...] | None:
        """Return the shape of a record of *size* bytes; None if there is none."""
        if -1 not in self.shape:
            return self.shape if size == self.unit else None
        if size == 0 or size % self.unit:
            return None
        return tuple(size // self.unit if axis == -1 else axis for axis in self.shape)

    def check(self, column: BinaryColumn, faults: dict[int, Fault]) -> None:
        """Add to *faults* the records that do not fit, and are not in there."""
        if not len(column) or self.fit(column.width or 0) == self.shape:
            return
        wanted = f"{self.unit} bytes for {self.dtype.name} of shape {self.shape}"
        sizes = np.diff(np.asarray(column.ends, np.int64), prepend=0)
        bad = sizes != self.unit
        if -1 in self.shape:  # no record has settled it
            wanted = f"a multiple of {wanted}"
            bad = (sizes == 0) | (np.mod(sizes, self.unit) != 0)
        for index in np.flatnonzero(bad).tolist():
            reason = f"{self.name} has {sizes[index]} bytes, wanted {wanted}"
            faults.setdefault(index, Fault("size", reason))

    def view(
        self, column: BinaryColumn, faults: Mapping[int, Fault]
    ) -> npt.NDArray[np.generic]:
        """Return the records without *faults* as one array: (records, *shape)."""
        data: memoryview | bytes = column.data
        if faults:
            good = [index for index in range(len(column)) if index not in faults]
            data = b"".join(column[index] for index in good)
        count = len(column) - len(faults)
        if not count and -1 in self.shape:
            return np.empty((0,), self.dtype)
        if self.dtype.kind == "b":  # any byte but 0 is true
            elements = np.frombuffer(data, np.uint8) != 0
        else:
            elements = np.frombuffer(data, self.dtype)
        return np.reshape(elements, (count, *self.shape))
