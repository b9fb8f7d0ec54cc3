"""AVRO, written: one bare record each for features and label."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from attrs import field, frozen

from adapters.avro.schema import parse_schema
from adapters.avro.writing import Column, columns, encode
from domain.batches import Array, BinaryColumn, ElementSpec, TensorSpec
from domain.errors import MalformedRequest
from domain.request import DecoderSpec
from domain.sending import DataInvalid
from ports import Encoder

TYPES: Mapping[str, str] = {
    "bool": "boolean",
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "long",
    "uint8": "int",
    "uint16": "int",
    "uint32": "long",
    "uint64": "long",
    "float16": "float",
    "float32": "float",
    "float64": "double",
}
"""By NumPy's name, the smallest type of Avro that holds it."""

MOST_FIELDS = 10_000
"""Fields of a schema that is made here: each is named in the control message."""


@frozen
class AvroEncoder(Encoder):
    """
    Writes whole batches, column by column.

    Avro has no shapes: an example's numbers are the fields of a record, in order.

    Attributes:
        data_scheme: The schema of the features, as text.

        label_scheme: The schema of the label, as text.
    """

    data_scheme: str
    label_scheme: str
    _features: tuple[Column, ...] = field(repr=False)
    _label: tuple[Column, ...] = field(repr=False)

    @classmethod
    def for_examples(
        cls,
        spec: ElementSpec,
        data_scheme: str | None = None,
        label_scheme: str | None = None,
    ) -> AvroEncoder:
        """
        Make the encoder of such examples.

        Args:
            spec: What every example looks like.

            data_scheme: The schema of the features; made from *spec* if there is none.

            label_scheme: The schema of the label.

        Raises:
            DataInvalid: A schema is none, is not of numbers, or does not suit *spec*.
        """
        features = data_scheme or _scheme("data", "features", "x", spec.features)
        label = label_scheme or _scheme("label", "label", "y", spec.label)
        return cls(
            features,
            label,
            _columns("data_scheme", features, spec.features),
            _columns("label_scheme", label, spec.label),
        )

    @property
    def decoder(self) -> DecoderSpec:
        """See Encoder."""
        schemes = {"data_scheme": self.data_scheme, "label_scheme": self.label_scheme}
        return DecoderSpec("AVRO", schemes)

    def values(self, features: Array) -> BinaryColumn:
        """Encode features; see Encoder."""
        return encode(features, self._features)

    def keys(self, labels: Array) -> BinaryColumn:
        """Encode labels; see Encoder."""
        return encode(labels, self._label)


def _scheme(name: str, place: str, letter: str, spec: TensorSpec) -> str:
    """Make the schema of a record with a field for each number."""
    if spec.dtype not in TYPES:
        raise DataInvalid(
            f"{place}: {spec.dtype} is no type of AVRO, only {', '.join(sorted(TYPES))}"
        )
    count = math.prod(spec.shape)
    if not 0 < count <= MOST_FIELDS:
        raise DataInvalid(
            f"{place}: shape {spec.shape} makes {count} fields, AVRO is for 1 to "
            f"{MOST_FIELDS}: send it as RAW"
        )
    names = [letter] if not spec.shape else [f"{letter}{n}" for n in range(count)]
    fields = [{"name": each, "type": TYPES[spec.dtype]} for each in names]
    return json.dumps({"type": "record", "name": name, "fields": fields})


def _columns(place: str, scheme: str, spec: TensorSpec) -> tuple[Column, ...]:
    try:
        found = columns(place, parse_schema(place, scheme))
    except MalformedRequest as error:
        raise DataInvalid(str(error)) from error
    wanted, count = sum(column.fields for column in found), math.prod(spec.shape)
    if wanted != count:
        raise DataInvalid(
            f"{place}: has {wanted} fields, but examples have {count} numbers each"
        )
    return found
