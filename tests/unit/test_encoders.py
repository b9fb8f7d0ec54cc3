"""Examples to records: what was written is read again."""

from __future__ import annotations

import io
import json
import struct

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adapters.avro import AvroDecoder, AvroEncoder
from adapters.raw import RawDecoder
from adapters.raw_encoder import RawEncoder
from adapters.wire.tensors import DTYPES
from domain.batches import BinaryColumn, ExampleBatch, RecordBatch
from domain.sending import DataInvalid, InvalidExample
from tests.contracts.test_decoder import avro as avro_schema

NAMES = sorted({np.dtype(code).name for code in DTYPES.values()})

FEW = settings(max_examples=30, deadline=None)


def avro(*types):
    """Return the text of a schema with these types of fields."""
    return json.dumps(avro_schema(*types))


def examples(features, labels):
    return ExampleBatch(np.asarray(features), np.asarray(labels))


def encode(encoder, batch):
    keys, values = encoder.keys(batch.labels), encoder.values(batch.features)
    assert len(keys) == len(values) == len(batch)
    return RecordBatch("t", 0, range(len(batch)), keys, values)


def pairs(batch):
    """Return keys and values as a consumer would."""
    return [(bytes(batch.keys[i]), bytes(batch.values[i])) for i in range(len(batch))]


def repacked(batch):
    """Return the records as if they had been on a topic."""
    keys, values = zip(*pairs(batch), strict=True)
    return RecordBatch(
        "t",
        0,
        range(len(batch)),
        BinaryColumn.pack(keys),
        BinaryColumn.pack(values),
    )


def read_again(make, encoder, batch):
    decoded = make(encoder.decoder.options).decode(repacked(encode(encoder, batch)))
    assert () == decoded.rejected
    return decoded.examples


class TestRaw:
    def test_worked_record(self):
        """The contract's record, section 11, and what is announced of it."""
        features = np.array([[[1, 1], [2, 3]]], np.float32)
        batch = examples(features, np.array([1], np.uint8))
        encoder = RawEncoder.for_examples(batch.element_spec)

        assert [(b"\x01", bytes.fromhex("0000803f0000803f0000004000004040"))] == pairs(
            encode(encoder, batch)
        )
        assert "RAW" == encoder.decoder.format
        assert (
            '{"data_type": "float32", "label_type": "uint8", '
            '"data_reshape": "2 2", "label_reshape": "1"}'
            == json.dumps(encoder.decoder.options)
        )

    @pytest.mark.parametrize("name", NAMES)
    def test_types(self, name):
        """Every type has a name that the platform's own job knows, if it has one."""
        batch = examples(np.ones((2, 3), name), np.zeros(2, name))

        encoder = RawEncoder.for_examples(batch.element_spec)

        told = encoder.decoder.options["data_type"]
        assert {"float64": "double", "float16": "half"}.get(name, name) == told

    @pytest.mark.parametrize("name", NAMES)
    @FEW
    @given(data=st.data())
    def test_round_trip(self, name, data):
        """Our decoder reads the same numbers, of any type and shape."""
        shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
        features = data.draw(hnp.arrays(name, shape))
        labels = data.draw(hnp.arrays(name, shape[:1]))
        batch = examples(features, labels)
        encoder = RawEncoder.for_examples(batch.element_spec)

        found = read_again(RawDecoder.from_options, encoder, batch)

        each = shape[1:] or (1,)
        np.testing.assert_array_equal(features.reshape(shape[0], *each), found.features)
        np.testing.assert_array_equal(labels[:, None], found.labels)

    def test_numpy(self):
        """NumPy reads the values without us."""
        features = np.arange(12, dtype=np.int16).reshape(2, 2, 3)
        batch = examples(features[:, ::-1], np.zeros((2, 3), np.float64))
        encoder = RawEncoder.for_examples(batch.element_spec)

        for index, (key, value) in enumerate(pairs(encode(encoder, batch))):
            found = np.frombuffer(value, "<i2").reshape(2, 3)
            np.testing.assert_array_equal(features[index, ::-1], found)
            assert bytes(24) == key

    @pytest.mark.parametrize(
        ("features", "reason"),
        [
            (np.array(["a"]), "features: <U1 is no type of RAW"),
            (np.zeros((1, 0)), r"features: shape \(0,\) holds no elements"),
        ],
    )
    def test_refused(self, features, reason):
        """What cannot be written is named."""
        with pytest.raises(DataInvalid, match=reason):
            RawEncoder.for_examples(examples(features, np.zeros(1)).element_spec)


class TestAvro:
    def test_worked_record(self):
        """The contract's record, section 11."""
        data_scheme = json.dumps(
            {
                "type": "record",
                "name": "patient",
                "fields": [
                    {"name": name, "type": "float"}
                    for name in ("gender", "age", "smoking")
                ],
            }
        )
        batch = examples(np.array([[1.5, -2.25, 0.125]]), np.array([True]))
        encoder = AvroEncoder.for_examples(
            batch.element_spec, data_scheme, avro("boolean")
        )

        assert [(b"\x01", bytes.fromhex("0000c03f000010c00000003e"))] == pairs(
            encode(encoder, batch)
        )
        assert {"data_scheme": data_scheme, "label_scheme": avro("boolean")} == dict(
            encoder.decoder.options
        )

    def test_worked_encodings(self):
        """The contract's encodings, but for the text, which is no number."""
        scheme = avro("int", "long", "double", "boolean", ["null", "float"])
        batch = examples(np.array([[-3, 300, 0.5, 1, 1.0]]), np.array([0]))

        encoder = AvroEncoder.for_examples(batch.element_spec, scheme)

        ((_, value),) = pairs(encode(encoder, batch))
        assert "05d804000000000000e03f01020000803f" == value.hex()

    @pytest.mark.parametrize("name", NAMES)
    @FEW
    @given(data=st.data())
    def test_round_trip(self, name, data):
        """Our decoder and fastavro read the same numbers, by the schema made here."""
        shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
        elements = {"max_value": 2**63 - 1} if name == "uint64" else {}
        numbers = hnp.from_dtype(np.dtype(name), **elements)
        features = data.draw(hnp.arrays(name, shape, elements=numbers))
        labels = data.draw(hnp.arrays(name, shape[:1], elements=numbers))
        batch = examples(features, labels)
        encoder = AvroEncoder.for_examples(batch.element_spec)

        found = read_again(AvroDecoder.from_options, encoder, batch)

        flat = features.reshape(len(features), -1)
        np.testing.assert_array_equal(flat, found.features)
        np.testing.assert_array_equal(labels[:, None], found.labels)
        schema = fastavro.parse_schema(json.loads(encoder.data_scheme))
        for (_, value), row in zip(pairs(encode(encoder, batch)), flat, strict=True):
            stream = io.BytesIO(value)
            record = fastavro.schemaless_reader(stream, schema, None)
            assert b"" == stream.read()
            np.testing.assert_array_equal(row, list(record.values()))

    @FEW
    @given(
        hnp.arrays(np.int64, (5, 2), elements=st.integers(-(2**63), 2**63 - 1)),
        hnp.arrays(np.float64, (5, 2)),
    )
    def test_fastavro_writes_the_same(self, whole, fractions):
        """Mixed and nullable fields, in nested records, are what fastavro writes."""
        nested = {"type": "record", "name": "inner", "fields": []}
        nested["fields"] = [
            {"name": "b", "type": ["long", "null"]},
            {"name": "c", "type": "double"},
        ]
        fields = [{"name": "a", "type": "long"}, {"name": "n", "type": nested}]
        fields.append({"name": "m", "type": "inner"})
        scheme = {"type": "record", "name": "r", "fields": fields}
        whole[:, 1] %= 1 << 52
        rows = [
            [int(a), int(b), float(c), int(b), float(d)]
            for (a, b), (c, d) in zip(whole >> 11, fractions, strict=True)
        ]
        batch = examples(np.array(rows), np.zeros(5))
        encoder = AvroEncoder.for_examples(batch.element_spec, json.dumps(scheme))

        expected = []
        for a, b, c, _, d in rows:
            stream = io.BytesIO()
            record = {"a": a, "n": {"b": b, "c": c}, "m": {"b": b, "c": d}}
            fastavro.schemaless_writer(stream, fastavro.parse_schema(scheme), record)
            expected.append(stream.getvalue())

        assert expected == [value for _, value in pairs(encode(encoder, batch))]

    def test_schema_made(self):
        """A field for each number, and one for a number that is alone."""
        batch = examples(np.zeros((1, 2, 2), np.uint8), np.zeros(1, np.int64))

        encoder = AvroEncoder.for_examples(batch.element_spec)

        assert json.loads(encoder.data_scheme) == {
            "type": "record",
            "name": "data",
            "fields": [{"name": f"x{n}", "type": "int"} for n in range(4)],
        }
        assert json.loads(encoder.label_scheme)["fields"] == [
            {"name": "y", "type": "long"}
        ]

    @pytest.mark.parametrize(
        ("kind", "number", "reason"),
        [
            ("int", 1.5, "1.5 is no int"),
            ("int", 2.0**31, "is no int"),
            ("int", np.nan, "nan is no int"),
            ("long", 2.0**63, "is no long"),
            ("boolean", 2.0, "2.0 is no boolean"),
            ("float", 1e300, r"1e\+300 is no float"),
            ({"type": "enum", "name": "e", "symbols": ["a", "b"]}, 2.0, "is no enum"),
            ({"type": "enum", "name": "e", "symbols": ["a", "b"]}, -1.0, "is no enum"),
        ],
    )
    def test_misfit(self, kind, number, reason):
        """A number that is not of its field's type is found, and so is its example."""
        features = np.zeros((3, 2))
        features[2, 1] = number
        batch = examples(features, np.zeros(3))
        scheme = {"type": "record", "name": "r", "fields": []}
        scheme["fields"] = [
            {"name": "a", "type": "int"},
            {"name": "b", "type": kind},
        ]
        encoder = AvroEncoder.for_examples(batch.element_spec, json.dumps(scheme))

        with pytest.raises(InvalidExample, match=reason) as caught:
            encoder.values(batch.features)

        assert 2 == caught.value.index

    def test_unsigned(self):
        """A number beyond Avro's largest is refused, and not wrapped."""
        batch = examples(np.array([[2**64 - 1]], np.uint64), np.zeros(1))
        encoder = AvroEncoder.for_examples(batch.element_spec)

        with pytest.raises(InvalidExample, match="18446744073709551615 is no long"):
            encoder.values(batch.features)

    @pytest.mark.parametrize(
        ("scheme", "reason"),
        [
            ("nonsense", "data_scheme: neither JSON nor Python"),
            (avro("int"), "data_scheme: has 1 fields, but examples have 2"),
            (avro("int", "string"), "string' cannot be written"),
            (avro("int", {"type": "array", "items": "int"}), "cannot be written"),
            (avro("int", ["int", "long"]), "cannot be written"),
        ],
    )
    def test_scheme_refused(self, scheme, reason):
        """A schema that does not suit the examples is an error of the data."""
        spec = examples(np.zeros((1, 2)), np.zeros(1)).element_spec

        with pytest.raises(DataInvalid, match=reason):
            AvroEncoder.for_examples(spec, scheme)

    def test_many_fields(self):
        """What would make a schema of megabytes is sent better as RAW."""
        spec = examples(np.zeros((1, 200, 200, 3)), np.zeros(1)).element_spec

        with pytest.raises(DataInvalid, match="send it as RAW"):
            AvroEncoder.for_examples(spec)


def test_struct():
    """A record of each format, by Python's own struct."""
    batch = examples(np.array([[1.5, 2.5]], np.float32), np.array([3], np.uint8))
    raw = RawEncoder.for_examples(batch.element_spec)
    made = AvroEncoder.for_examples(batch.element_spec)

    expected = struct.pack("<2f", 1.5, 2.5)
    assert [(b"\x03", expected)] == pairs(encode(raw, batch))
    assert [(b"\x06", expected)] == pairs(encode(made, batch))
