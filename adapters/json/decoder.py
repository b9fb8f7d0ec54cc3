"""JSON: a number, an array or an object of numbers each in key and value."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import define, fields, frozen

from adapters.json.tensor import JsonTensor
from adapters.wire.faults import BadRecord, Fault, rejected
from adapters.wire.strict import structure
from domain.batches import Decoded, ExampleBatch, RecordBatch
from domain.errors import MalformedRequest
from ports import Decoder


@frozen
class JsonOptions:
    """
    The ``input_config`` of a JSON stream; nothing in it is required.

    Attributes:
        data_fields: The members of a value that is an object, in the order of the
            model's input; by default those of the first good record, in its order.

        label_fields: The members of a key that is an object.

        data_type: Element type of the values, a name in wire.tensors.DTYPES.

        label_type: Element type of the keys; by default ``int64`` if the first good
            record's label is of whole numbers, else ``float32``.

        data_reshape: Shape of a value, as for RAW; by default that of the first good
            record: () for a number, (n) for an object of n members.

        label_reshape: Shape of a key.
    """

    data_fields: list[str] | None = None
    label_fields: list[str] | None = None
    data_type: str = "float32"
    label_type: str | None = None
    data_reshape: str | None = None
    label_reshape: str | None = None


@define(eq=False)
class JsonDecoder(Decoder):
    """
    Reads numbers from JSON text in UTF-8; JsonOptions says what may be stated.

    A record is a number, a regular array of numbers (of arrays, and so on), or an
    object whose members are numbers; ``true`` and ``false`` are 1 and 0.  The first
    good record settles what is not stated.  Objects must have the same names from then
    on, none missing and none more, in any order.

    Bad records are those with ``null``, text, ``NaN`` or ``Infinity`` among the
    numbers; with numbers that the type does not hold (a fraction in int8, 300 in uint8,
    1e39 in float32); with a name twice; in another shape; too deep; or no JSON.
    """

    _features: JsonTensor
    _labels: JsonTensor

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> JsonDecoder:
        """
        Make the decoder that *options* describe, see JsonOptions.

        Raises:
            MalformedRequest: An option is unknown or makes no sense.
        """
        known = [attribute.name for attribute in fields(JsonOptions)]
        for name in options:
            if name not in known:
                raise MalformedRequest(
                    f"input_config.{name:.40}: not an option, want {', '.join(known)}"
                )
        for side in ("data_fields", "label_fields"):
            if not isinstance(options.get(side), list | None):
                raise MalformedRequest(f"input_config.{side}: want a list of names")
        said = structure(options, JsonOptions, "input_config")
        return cls(
            JsonTensor.parse(
                "data", said.data_type, said.data_reshape, said.data_fields
            ),
            JsonTensor.parse(
                "label", said.label_type, said.label_reshape, said.label_fields
            ),
        )

    def decode(self, records: RecordBatch) -> Decoded:
        """See Decoder."""
        if self._features.shape is None or self._labels.shape is None:
            faults = self._settle(records)
            if len(faults) == len(records):
                nothing = ExampleBatch(self._features.nothing(), self._labels.nothing())
                return Decoded(nothing, rejected(faults))
        faults = {}
        places: list[int] = []
        values: list[object] = []
        labels: list[object] = []
        for index in range(len(records)):
            try:
                value = self._features.read(records.values[index])
                label = self._labels.read(records.keys[index])
            except BadRecord as error:
                faults[index] = error.fault
                continue
            places.append(index)
            values.append(value)
            labels.append(label)
        features, wrong = self._features.convert(values)
        targets, wrong_labels = self._labels.convert(labels)
        if wrong := {**wrong_labels, **wrong}:
            faults |= {places[row]: fault for row, fault in wrong.items()}
            features = np.delete(features, list(wrong), axis=0)
            targets = np.delete(targets, list(wrong), axis=0)
        return Decoded(ExampleBatch(features, targets), rejected(faults))

    def _settle(self, records: RecordBatch) -> dict[int, Fault]:
        """Take what is open from the first good record, or say why there is none."""
        faults: dict[int, Fault] = {}
        for index in range(len(records)):
            try:
                features = self._features.settled_by(records.values[index])
                labels = self._labels.settled_by(records.keys[index])
            except BadRecord as error:
                faults[index] = error.fault
                continue
            self._features, self._labels = features, labels
            break
        return faults
