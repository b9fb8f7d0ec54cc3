"""AVRO: one bare Avro record each in key and value (contract, section 6.2)."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import fastavro
import numpy as np
import numpy.typing as npt
from attrs import frozen
from fastavro.schema import SchemaParseException, UnknownType
from fastavro.types import AvroMessage

from adapters.wire.faults import Fault, rejected
from domain.batches import BinaryColumn, Decoded, ExampleBatch, RecordBatch
from domain.errors import MalformedRequest
from ports import Decoder

DTYPES = {
    "boolean": np.dtype(np.bool_),
    "int": np.dtype(np.int32),
    "long": np.dtype(np.int64),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
}
"""The Avro types that a model can be trained on."""


@frozen
class AvroDecoder(Decoder):
    """
    Puts the fields of a record side by side, in schema order, into one vector.

    Fields of different types are promoted as NumPy does; null becomes 0 or false.
    """

    _features: _AvroVector
    _labels: _AvroVector

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> AvroDecoder:
        """
        Make the decoder for ``data_scheme`` and ``label_scheme``.

        Either is the JSON of a record schema as text, as text with single quotes or as
        an object.

        Raises:
            MalformedRequest: A schema is missing, or not of numbers alone.
        """
        return cls(
            _AvroVector.parse("data", options.get("data_scheme")),
            _AvroVector.parse("label", options.get("label_scheme")),
        )

    def decode(self, records: RecordBatch) -> Decoded:
        """See Decoder."""
        faults: dict[int, Fault] = {}
        features = self._features.decode(records.values, faults)
        labels = self._labels.decode(records.keys, faults)
        if not faults:
            return Decoded(ExampleBatch(features, labels))
        good = np.setdiff1d(np.arange(len(records)), list(faults))
        return Decoded(ExampleBatch(features[good], labels[good]), rejected(faults))


@frozen
class _AvroVector:
    """
    One side of the records: the values or the keys.

    Attributes:
        name: ``data`` or ``label``, for messages.

        schema: The parsed schema.

        length: Number of fields.

        dtype: Type that holds every field.
    """

    name: str
    schema: Mapping[str, object]
    length: int
    dtype: np.dtype[np.generic]

    @classmethod
    def parse(cls, name: str, scheme: object) -> _AvroVector:
        place = f"input_config.{name}_scheme"
        if scheme is None:
            raise MalformedRequest(f"{place}: required field missing")
        schema = _parse_schema(place, scheme)
        fields = schema.get("fields")
        if schema.get("type") != "record" or not isinstance(fields, list) or not fields:
            raise MalformedRequest(f"{place}: want a record of one field or more")
        dtypes = [_dtype(f"{place}.{f['name']}", f["type"]) for f in fields]
        return cls(name, schema, len(fields), np.result_type(*dtypes))

    def decode(
        self, column: BinaryColumn, faults: dict[int, Fault]
    ) -> npt.NDArray[np.generic]:
        """Return *column* as an array of shape (records, fields); note bad records."""
        array = np.empty((len(column), self.length), self.dtype)
        for index in range(len(column)):
            try:
                array[index] = self._read(column[index])
            except (EOFError, IndexError, ValueError, OverflowError) as error:
                cause = str(error) or type(error).__name__
                size = len(column[index])
                reason = f"{self.name} of {size} bytes is not of the schema: {cause}"
                faults.setdefault(index, Fault("schema", reason))
        return array

    def _read(self, encoded: memoryview) -> list[AvroMessage]:
        """Decode one record; null counts as 0."""
        stream = io.BytesIO(encoded)
        record = fastavro.schemaless_reader(stream, self.schema, None)
        if stream.tell() != len(encoded):
            raise ValueError(f"it ends after {stream.tell()} bytes")
        if not isinstance(record, dict):  # what a record schema never gives
            raise TypeError(f"a record was read as {type(record).__name__}")
        return [0 if value is None else value for value in record.values()]


def _parse_schema(place: str, scheme: object) -> dict[str, object]:
    try:
        declared = _parse_text(scheme) if isinstance(scheme, str) else scheme
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"{place}: neither JSON nor Python: {error}") from error
    if not isinstance(declared, dict):
        raise MalformedRequest(f"{place}: want a record, got {declared!r:.40}")
    try:
        parsed = fastavro.parse_schema(declared)
    except (SchemaParseException, UnknownType, KeyError, TypeError) as error:
        raise MalformedRequest(f"{place}: not an Avro schema: {error!r}") from error
    return cast("dict[str, object]", parsed)  # a record stays one


def _parse_text(text: str) -> object:
    """Read JSON, or what ``str()`` made of the parsed JSON in older senders."""
    with suppress(ValueError):  # older senders put single quotes
        return json.loads(text)
    with suppress(ValueError, SyntaxError):  # unless JSON's null or true is in it
        return ast.literal_eval(text)
    return json.loads(text.replace("'", '"'))


def _dtype(place: str, avro_type: object) -> np.dtype[np.generic]:
    """Return the dtype of a field, a nullable one included."""
    if isinstance(avro_type, list):
        branches = [branch for branch in avro_type if branch != "null"]
        if len(branches) == 1 and len(avro_type) <= 2:
            return _dtype(place, branches[0])
    if isinstance(avro_type, dict) and "logicalType" not in avro_type:
        return _dtype(place, avro_type.get("type"))
    if isinstance(avro_type, str) and avro_type in DTYPES:
        return DTYPES[avro_type]
    raise MalformedRequest(
        f"{place}: {json.dumps(avro_type, default=str):.80} is no number; this version "
        f"takes {', '.join(DTYPES)}, each also in a union with null"
    )
