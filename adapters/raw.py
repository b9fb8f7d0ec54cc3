"""RAW: contiguous little-endian elements, one array per record (contract, 6.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from attrs import define, frozen

from adapters.wire.strict import structure
from domain.batches import BinaryColumn, ExampleBatch, RecordBatch
from domain.errors import MalformedRequest, StreamUnreadable
from ports import Decoder

DTYPES = {
    "half": "<f2",
    "float": "<f4",
    "double": "<f8",
    "bool": "?",
    "bool_": "?",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "int8": "<i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "<u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
}
"""Both spellings of the platform: its job's own, and NumPy's, which its sinks send."""


@frozen
class RawOptions:
    """
    The ``input_config`` of a RAW stream.

    Attributes:
        data_type: Element type of the values, a name in DTYPES.

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
    """Views whole batches as arrays; nothing is copied."""

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

    def decode(self, records: RecordBatch) -> ExampleBatch:
        """See Decoder."""
        return ExampleBatch(
            self._features.decode(records.values, records),
            self._labels.decode(records.keys, records),
        )


@define
class _RawTensor:
    """
    One side of the records: the values or the keys.

    Attributes:
        name: ``data`` or ``label``, for messages.

        dtype: Type of the elements.

        shape: Shape of one record; -1 where the first record settles it.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @classmethod
    def parse(cls, name: str, type_name: str, reshape: str | None) -> _RawTensor:
        if type_name not in DTYPES:
            raise MalformedRequest(
                f"input_config.{name}_type: {type_name!r} is none of "
                f"{', '.join(sorted(DTYPES))}"
            )
        return cls(name, np.dtype(DTYPES[type_name]), _parse_shape(name, reshape))

    def decode(
        self, column: BinaryColumn, records: RecordBatch
    ) -> npt.NDArray[np.generic]:
        """
        View *column* as one array of shape (records, *shape).

        Raises:
            StreamUnreadable: A record has another size.
        """
        if len(column) and -1 in self.shape:
            self.shape = self._settle(column, records)
        width = math.prod(self.shape) * self.dtype.itemsize
        if len(column) and column.width != width:
            raise self._misfit(column, records, f"{width} bytes")
        if self.dtype.kind == "b":  # any byte but 0 is true
            elements = np.frombuffer(column.data, np.uint8) != 0
        else:
            elements = np.frombuffer(column.data, self.dtype)
        return np.reshape(elements, (len(column), *self.shape))

    def _settle(self, column: BinaryColumn, records: RecordBatch) -> tuple[int, ...]:
        """Fill in the open axis from the first record."""
        known = math.prod(axis for axis in self.shape if axis != -1)
        unit = known * self.dtype.itemsize
        if len(column[0]) == 0 or len(column[0]) % unit:
            raise self._misfit(column, records, f"a multiple of {unit} bytes", 0)
        return tuple(
            len(column[0]) // unit if axis == -1 else axis for axis in self.shape
        )

    def _misfit(
        self,
        column: BinaryColumn,
        records: RecordBatch,
        wanted: str,
        index: int | None = None,
    ) -> StreamUnreadable:
        """Name the first record that does not fit."""
        if index is None:
            width = math.prod(self.shape) * self.dtype.itemsize
            index = next(i for i in range(len(column)) if len(column[i]) != width)
        return StreamUnreadable(
            f"{records.place(index)}: {self.name} has {len(column[index])} bytes, "
            f"wanted {wanted} for {self.dtype.name} of shape {self.shape}"
        )


def _parse_shape(name: str, reshape: str | None) -> tuple[int, ...]:
    if reshape is None:
        return (-1,)
    axes = reshape.split()
    if not all(re.fullmatch(r"-1|[1-9][0-9]{0,17}", axis) for axis in axes):
        raise MalformedRequest(
            f"input_config.{name}_reshape: want positive numbers, or one -1, separated "
            f"by blanks, got {reshape!r}"
        )
    if axes.count("-1") > 1:
        raise MalformedRequest(
            f"input_config.{name}_reshape: only one -1 can be filled, got {reshape!r}"
        )
    return tuple(map(int, axes))
