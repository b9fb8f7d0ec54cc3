"""AVRO records to arrays, checked with the contract's bytes and with fastavro."""

from __future__ import annotations

import io
import json

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.avro import AvroDecoder
from domain.errors import MalformedRequest
from tests.builders import records


def schema(*types: object) -> dict[str, object]:
    return {
        "type": "record",
        "name": "r",
        "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types)],
    }


LABEL = schema("boolean")


def decode(scheme, *values, label=LABEL, keys=None):
    decoder = AvroDecoder.from_options({"data_scheme": scheme, "label_scheme": label})
    pairs = list(zip(keys or [b"\x01"] * len(values), values, strict=True))
    return decoder.decode(records(pairs)).examples


def rejects(scheme, *values):
    """Return the positions of the bad records among *values*."""
    decoder = AvroDecoder.from_options({"data_scheme": scheme, "label_scheme": LABEL})
    decoded = decoder.decode(records([(b"\x01", value) for value in values]))
    assert len(values) == len(decoded.examples) + len(decoded.rejected)
    return [bad.index for bad in decoded.rejected]


def encode(scheme, *fields) -> bytes:
    stream = io.BytesIO()
    names = [f["name"] for f in scheme["fields"]]
    fastavro.schemaless_writer(stream, scheme, dict(zip(names, fields, strict=True)))
    return stream.getvalue()


class TestBytes:
    def test_contract_record(self):
        """The worked record: fields in schema order, which is not the alphabet's."""
        scheme = json.dumps(
            {
                "type": "record",
                "name": "copd",
                "fields": [
                    {"name": "gender", "type": "float"},
                    {"name": "age", "type": "float"},
                    {"name": "smoking", "type": "float"},
                ],
            }
        )

        batch = decode(scheme, bytes.fromhex("0000c03f000010c00000003e"))

        assert [[1.5, -2.25, 0.125]] == batch.features.tolist()
        assert [[True]] == batch.labels.tolist()
        assert ("float32", "bool") == (
            batch.element_spec.features.dtype,
            batch.element_spec.label.dtype,
        )

    def test_contract_encodings(self):
        """The worked encodings of int, long, double, boolean and a nullable float."""
        scheme = schema("int", "long", "double", "boolean", ["null", "float"])

        batch = decode(scheme, bytes.fromhex("05d804000000000000e03f01020000803f"))

        assert [[-3.0, 300.0, 0.5, 1.0, 1.0]] == batch.features.tolist()

    @pytest.mark.parametrize("union", [["null", "float"], ["float", "null"]])
    def test_null_is_zero(self, union):
        """A null becomes 0, whichever branch of the union it is."""
        batch = decode(
            schema(union), *[encode(schema(union), v) for v in (None, 2.5, None)]
        )

        assert [[0.0], [2.5], [0.0]] == batch.features.tolist()
        assert "float32" == batch.element_spec.features.dtype


class TestDtype:
    @pytest.mark.parametrize(
        ("types", "dtype"),
        [
            (["boolean"], "bool"),
            (["int", "int"], "int32"),
            (["long"], "int64"),
            (["float"], "float32"),
            (["double"], "float64"),
            (["int", "long"], "int64"),
            (["boolean", "int"], "int32"),
            (["int", "float"], "float64"),
            (["float", "double"], "float64"),
            (["long", ["null", "float"]], "float64"),
        ],
    )
    def test_promotion(self, types, dtype):
        """Mixed fields are promoted to the type that holds them all."""
        value = encode(schema(*types), *[1] * len(types))

        batch = decode(schema(*types), value)

        assert dtype == batch.element_spec.features.dtype
        assert [[1] * len(types)] == batch.features.tolist()


class TestSchema:
    @pytest.mark.parametrize(
        "written",
        [
            schema("float", ["null", "float"]),
            json.dumps(schema("float", ["null", "float"])),
            json.dumps(schema("float", ["null", "float"])).replace('"', "'"),
            str({**schema("float", ["null", "float"]), "doc": None}),
        ],
        ids=["object", "double quotes", "single quotes", "Python repr"],
    )
    def test_forms(self, written):
        """A schema comes as an object, as JSON, or as older senders' Python text."""
        value = encode(schema("float", ["null", "float"]), 1.0, 2.0)

        assert [[1.0, 2.0]] == decode(written, value).features.tolist()

    @pytest.mark.parametrize(
        ("scheme", "fault"),
        [
            (None, "data_scheme: required field missing"),
            ("{", "data_scheme: neither JSON nor Python"),
            ("__import__('os')", "data_scheme: neither JSON nor Python"),
            (3, "data_scheme: want a record"),
            ('"int"', "data_scheme: want a record"),
            (schema(), "want a record of one field or more"),
            (schema("string"), r'data_scheme\.f0: "string" is no number'),
            (schema("int", "bytes"), r'data_scheme\.f1: "bytes" is no number'),
            (schema(["int", "float"]), r"data_scheme\.f0: .*is no number"),
            (schema({"type": "array", "items": "int"}), r"f0: .*is no number"),
            (schema({"type": "int", "logicalType": "date"}), r"f0: .*is no number"),
            (schema("nonsense"), "not an Avro schema"),
        ],
    )
    def test_refused(self, scheme, fault):
        """A schema that is none, or not of numbers, is refused by the field's name."""
        with pytest.raises(MalformedRequest, match=fault):
            decode(scheme)


class TestForeignBytes:
    @pytest.mark.parametrize(
        "value",
        [b"", b"\x01\x02\x03", bytes(5), bytes(3)],
    )
    def test_wrong_size(self, value):
        """A record of truncated or trailing bytes is bad; its neighbours are not."""
        assert [1] == rejects(schema("float"), bytes(4), value, bytes(4))

    @pytest.mark.parametrize(
        ("types", "value"),
        [
            (["long"], b"\xff" * 11),
            (["int"], b"\xfe\xff\xff\xff\xff\x01"),
            ([["null", "float"]], b"\x06\x00\x00\x00\x00"),
        ],
        ids=["endless varint", "int of 37 bits", "no such branch"],
    )
    def test_impossible(self, types, value):
        """Bytes that no writer makes are an error, not a wrong number."""
        assert [0] == rejects(schema(*types), value)

    @given(st.binary(max_size=20))
    def test_any_bytes(self, value):
        """Whatever the bytes are: they decode, or are refused."""
        scheme = schema("int", ["null", "double"], "boolean")
        assert rejects(scheme, value) in ([], [0])


class TestRoundTrip:
    @given(
        st.lists(
            st.tuples(
                st.integers(-(2**31), 2**31 - 1),
                st.integers(-(2**50), 2**50),
                st.floats(width=32, allow_nan=False),
                st.floats(allow_nan=False),
                st.booleans(),
            ),
            min_size=1,
        )
    )
    def test_any_record(self, rows):
        """What fastavro writes comes back as the same numbers."""
        scheme = schema("int", "long", "float", "double", "boolean")

        batch = decode(scheme, *[encode(scheme, *row) for row in rows])

        np.testing.assert_array_equal(np.array(rows, np.float64), batch.features)
