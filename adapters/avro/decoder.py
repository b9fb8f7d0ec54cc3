"""AVRO: one Avro record each in key and value (contract, section 6.2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import define

from adapters.avro.side import Side
from adapters.avro.spans import Spans
from adapters.avro.writers import Registry
from adapters.wire.faults import BadRecord, Fault, rejected
from domain.batches import Decoded, ExampleBatch, RecordBatch
from ports import Decoder


@define(eq=False)
class AvroDecoder(Decoder):
    """
    Puts the numbers of a record side by side, in schema order, into one vector.

    Numbers of different types are promoted as NumPy does.  By Avro's type they are::

        boolean             0 or 1; another byte is a bad record
        int, long           as they are; also date, time-*, timestamp-*
        float, double       as they are
        enum                the symbol's index, int32
        fixed               its bytes, uint8 each
        decimal             float64, in bytes or fixed
        record              its fields, in order
        array               its items, as many in every record: the first good one
                            settles how many
        union               the branch's number; null is 0 (false)

    What has no numeric meaning (string, bytes, map, uuid, duration) is refused by name
    when the request is read, and so are an array in a union, branches of different
    widths, and a record that holds itself.

    A batch is decoded in columns.  One by one, and so an order of magnitude slower, go
    arrays in more than one block, decimals beyond 53 bits, whatever is bad, and batches
    of a few records.  Arrays of anything but fixed-width numbers cost a step per item.

    Bytes may begin with a frame: 0, and a schema id of four bytes, as the serialisers
    of a schema registry write it.  Values and keys tell by themselves: among the first
    hundred records that decode at all, more must decode behind a frame, and not bare,
    than bare.  What decodes either way is taken for bare.  With a registry, a record is
    read with its writer's schema and resolved to the request's; without one, the frame
    is passed over.
    """

    _features: Side
    _labels: Side

    @classmethod
    def from_options(
        cls, options: Mapping[str, object], registry: Registry | None = None
    ) -> AvroDecoder:
        """
        Make the decoder for ``data_scheme`` and ``label_scheme``.

        Either is the JSON of a record schema as text, as text with single quotes or as
        an object.

        Args:
            options: The ``input_config`` of a control message.

            registry: Where writers' schemas are, if there is one.

        Raises:
            MalformedRequest: A schema is missing, or not of numbers alone.
        """
        return cls(
            Side.parse("data", options.get("data_scheme"), registry),
            Side.parse("label", options.get("label_scheme"), registry),
        )

    def decode(self, records: RecordBatch) -> Decoded:
        """
        See Decoder.

        Raises:
            Unavailable: The schema registry stayed away.
        """
        sides = (self._features, records.values), (self._labels, records.keys)
        for side, column in sides:
            if side.framed is None:
                side.detect(column)
        if any(side.lengths is None for side, _ in sides):
            faults = self._settle(records)
            if len(faults) == len(records):
                nothing = ExampleBatch(self._features.nothing(), self._labels.nothing())
                return Decoded(nothing, rejected(faults))
        return self._decode(Spans.of(records.values), Spans.of(records.keys))

    def _settle(self, records: RecordBatch) -> dict[int, Fault]:
        """Take the lengths of the first good record, or say why there is none."""
        faults: dict[int, Fault] = {}
        for index in range(len(records)):
            try:
                _, lengths = self._features.read(bytes(records.values[index]))
                _, label_lengths = self._labels.read(bytes(records.keys[index]))
            except BadRecord as error:
                faults[index] = error.fault
                continue
            self._features.lengths, self._labels.lengths = lengths, label_lengths
            break
        return faults

    def _decode(self, values: Spans, keys: Spans) -> Decoded:
        """Decode what is worth it, and leave out what is bad all the same."""
        faults: dict[int, Fault] = {}
        self._features.screen(values, faults)
        self._labels.screen(keys, faults)
        rows = np.arange(len(values))
        if faults:
            rows = np.delete(rows, list(faults))
            values, keys = values.only(rows), keys.only(rows)
        features, wrong = self._features.decode(values)
        labels, wrong_labels = self._labels.decode(keys)
        if wrong := {**wrong_labels, **wrong}:
            faults |= {int(rows[row]): fault for row, fault in wrong.items()}
            features = np.delete(features, list(wrong), axis=0)
            labels = np.delete(labels, list(wrong), axis=0)
        return Decoded(ExampleBatch(features, labels), rejected(faults))
