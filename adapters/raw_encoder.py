"""RAW, written: contiguous little-endian elements, one array per record."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import frozen

from adapters.wire.tensors import DTYPES
from domain.batches import Array, BinaryColumn, ElementSpec, TensorSpec
from domain.request import DecoderSpec
from domain.sending import DataInvalid
from ports import Encoder

KNOWN: Mapping[str, str] = {"float16": "half", "float64": "double"}
"""What the platform's own job calls a type; it does not know NumPy's name for these."""


@frozen
class RawEncoder(Encoder):
    """
    Lays whole batches end to end.

    Attributes:
        spec: What every example looks like.
    """

    spec: ElementSpec

    @classmethod
    def for_examples(cls, spec: ElementSpec) -> RawEncoder:
        """
        Make the encoder of such examples.

        Raises:
            DataInvalid: They are not of numbers, or hold none.
        """
        _check("features", spec.features)
        _check("label", spec.label)
        return cls(spec)

    @property
    def decoder(self) -> DecoderSpec:
        """See Encoder; the order is that of the platform's sink."""
        features, label = self.spec.features, self.spec.label
        return DecoderSpec(
            "RAW",
            {
                "data_type": KNOWN.get(features.dtype, features.dtype),
                "label_type": KNOWN.get(label.dtype, label.dtype),
                "data_reshape": _shape(features),
                "label_reshape": _shape(label),
            },
        )

    def values(self, features: Array) -> BinaryColumn:
        """Encode features; see Encoder."""
        return _column(features, self.spec.features)

    def keys(self, labels: Array) -> BinaryColumn:
        """Encode labels; see Encoder."""
        return _column(labels, self.spec.label)


def _check(name: str, spec: TensorSpec) -> None:
    if spec.dtype not in DTYPES:
        raise DataInvalid(
            f"{name}: {spec.dtype} is no type of RAW, only {', '.join(sorted(DTYPES))}"
        )
    if 0 in spec.shape:
        raise DataInvalid(f"{name}: shape {spec.shape} holds no elements")


def _shape(spec: TensorSpec) -> str:
    """Return the shape as the sink writes it: ``1`` for a scalar."""
    return " ".join(map(str, spec.shape)) or "1"


def _column(array: Array, spec: TensorSpec) -> BinaryColumn:
    dtype = np.dtype(DTYPES[spec.dtype])
    elements = np.ascontiguousarray(array, dtype)
    width = int(np.prod(spec.shape, dtype=np.int64)) * dtype.itemsize
    data = memoryview(elements.tobytes())
    return BinaryColumn(data, range(width, len(data) + 1, width), width)
