"""AVRO records to arrays, checked with the contract's bytes and with fastavro."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.avro import AvroDecoder
from domain.batches import Decoded, ExampleBatch
from domain.errors import MalformedRequest
from tests.builders import records


def schema(*types: object) -> dict[str, object]:
    return {
        "type": "record",
        "name": "r",
        "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types)],
    }


LABEL = schema("boolean")
UUID = {"type": "string", "logicalType": "uuid"}
FIXED = {"type": "fixed", "name": "three", "size": 3}
ARRAY = {"type": "array", "items": "int"}
ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
POINT = {
    "type": "record",
    "name": "point",
    "fields": [{"name": "x", "type": "float"}, {"name": "y", "type": "int"}],
}


def decode_all(scheme, *values, label=LABEL, keys=None) -> Decoded:
    """Return what becomes of records, the bad ones too."""
    decoder = AvroDecoder.from_options({"data_scheme": scheme, "label_scheme": label})
    pairs = list(zip(keys or [b"\x01"] * len(values), values, strict=True))
    return decoder.decode(records(pairs))


def decode(scheme, *values, **sides) -> ExampleBatch:
    """Return the examples of records that are all good, few or many."""
    decoded = decode_all(scheme, *values, **sides)
    many = decode_all(scheme, *[value for value in values for _ in range(64)], **sides)
    assert ((), ()) == (decoded.rejected, many.rejected)
    np.testing.assert_array_equal(
        np.repeat(decoded.examples.features, 64, axis=0), many.examples.features
    )
    return decoded.examples


def faults(scheme, value) -> set[tuple[str, str]]:
    """Return what is wrong with a record, alone and among many good and bad ones."""
    alone = decode_all(scheme, value)
    among = decode_all(scheme, *[value] * 64)
    return {(record.fault, record.reason) for record in alone.rejected + among.rejected}


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
            (schema({"type": "map", "values": "int"}), r"f0: .*is no number"),
            (schema("null"), r"f0: .*is no number"),
            (schema(["null", "string"]), r"f0\(string\): .*is no number"),
            (schema(["null"]), r"f0: null is no number"),
            (schema(["int", "string"]), r"f0\(string\): .*is no number"),
            (schema({"type": "array", "items": "string"}), r"f0\[\]: .*is no number"),
            (schema({"type": "array", "items": "null"}), r"f0\[\]: .*is no number"),
            (schema(UUID), r"f0: .*uuid.*is no number"),
            (schema({**FIXED, "logicalType": "uuid"}), r"f0: .*uuid.*is no number"),
            (
                schema({**FIXED, "size": 12, "logicalType": "duration"}),
                r"f0: .*duration.*is no number",
            ),
            (schema({**FIXED, "size": 0}), "f0: a fixed of 0 bytes"),
            (schema({**FIXED, "size": "3"}), "f0: a fixed of '3' bytes"),
            (schema({**FIXED, "size": 2**40}), "f0: a fixed of 1099511627776 bytes"),
            (schema(["null", ARRAY]), "f0: an array in a union"),
            (schema(["int", FIXED]), "f0: branches of 1 and 3 numbers"),
            (schema([["int"]]), "f0: a union in a union"),
            (
                schema({"type": "record", "name": "e", "fields": []}),
                "f0: want a record",
            ),
            (schema(["null", "r"]), r"f0\(r\): 'r' holds itself"),
            (schema({"type": "array", "items": "r"}), r"f0\[\]: 'r' holds itself"),
            (
                {**schema("int"), "fields": [{"name": "a", "type": "int"}] * 2},
                "a: declared 2 times",
            ),
            (schema("nonsense"), "not an Avro schema"),
            ({**schema("nonsense"), "__fastavro_parsed": True}, "not an Avro schema"),
            ({**schema("int"), "type": ["record"]}, "not an Avro schema"),
            (schema({"type": {"type": "int"}, "x": [[]]}) | {"name": 7}, "not an Avro"),
        ],
    )
    def test_refused(self, scheme, fault):
        """A schema that is none, or not of numbers, is refused by the field's name."""
        with pytest.raises(MalformedRequest, match=fault):
            decode(scheme)


class TestBombs:
    def test_named_types(self):
        """Types that stand for ever more fields are refused before memory is full."""
        kind: object = "int"
        for level in range(20):
            fields = [{"name": "a", "type": kind}]
            kind = {"type": "record", "name": f"r{level}", "fields": fields}
            fields.append(
                {"name": "b", "type": "int" if level < 1 else f"r{level - 1}"}
            )

        with pytest.raises(MalformedRequest, match=r"more than 100,000 fields"):
            decode(schema(kind))

    @pytest.mark.parametrize("levels", [200, 5_000, 100_000])
    def test_nesting(self, levels):
        """A schema as deep as no stack is refused."""
        text = '{"type": ' * levels + '"int"' + "}" * levels

        with pytest.raises(MalformedRequest, match="data_scheme"):
            decode(json.dumps(schema("?")).replace('"?"', text))

    def test_null_stands_for_much(self):
        """An array of nulls that stand for large fixed types is too large."""
        large = {**FIXED, "size": 2**23}
        scheme = schema({"type": "array", "items": ["null", large]})

        assert {("size", "f0")} == {
            (fault, reason.split(", ")[1].split()[0])
            for fault, reason in faults(scheme, b"\xc8\x01" + bytes(101))
        }

    def test_one_long_record(self):
        """Memory is spent on records that may be as long as the first, on no others."""
        scheme = schema({"type": "array", "items": "int"})
        size = 1 << 20
        first = b"\x80\x80\x80\x01" + bytes(size) + b"\0"

        decoded = decode_all(scheme, first, *[b"\x00"] * 50_000)

        assert (1, size) == decoded.examples.features.shape
        assert 50_000 == len(decoded.rejected)


class TestKinds:
    """Everything in Avro that has a numeric meaning."""

    @pytest.mark.parametrize(
        ("kind", "written", "expected", "dtype"),
        [
            (POINT, {"x": 0.5, "y": -7}, [0.5, -7], "float64"),
            ({"type": "enum", "name": "e", "symbols": ["A", "B"]}, "B", [1], "int32"),
            (FIXED, b"\x00\x07\xff", [0, 7, 255], "uint8"),
            (ARRAY, [300, -1, 0], [300, -1, 0], "int32"),
            ({"type": "array", "items": POINT}, [{"x": 1, "y": 2}], [1, 2], "float64"),
            (
                {"type": "array", "items": {"type": "array", "items": "double"}},
                [[0.5, 1.5], [2.5, 3.5]],
                [0.5, 1.5, 2.5, 3.5],
                "float64",
            ),
            (["null", POINT], None, [0, 0], "float64"),
            (["null", POINT], {"x": 1, "y": 2}, [1, 2], "float64"),
            (["int", "double"], 7, [7], "float64"),
            (["int", "double"], 0.5, [0.5], "float64"),
            (["null", "int", "long"], 2**40, [2**40], "int64"),
            (["null", "boolean"], None, [False], "bool"),
            (["null", "boolean"], True, [True], "bool"),
        ],
    )
    def test_kinds(self, kind, written, expected, dtype):
        """Each becomes the numbers that it stands for."""
        batch = decode(schema(kind), encode(schema(kind), written))

        assert [expected] == batch.features.tolist()
        assert dtype == batch.element_spec.features.dtype

    @pytest.mark.parametrize(
        "logical",
        [
            "date",
            "time-millis",
            "time-micros",
            "timestamp-millis",
            "timestamp-micros",
            "timestamp-nanos",
            "local-timestamp-millis",
            "local-timestamp-micros",
        ],
    )
    def test_times(self, logical):
        """Dates and times are the number that is written for them."""
        kind = "int" if logical in {"date", "time-millis"} else "long"
        number = 19_000 if kind == "int" else 1_700_000_000_123_456_789

        batch = decode(
            schema({"type": kind, "logicalType": logical}), encode(schema(kind), number)
        )

        assert [[number]] == batch.features.tolist()

    @pytest.mark.parametrize("text", ["0", "-0.01", "123.45", "-99999999.99", "1e20"])
    @pytest.mark.parametrize("kind", ["bytes", "fixed"])
    def test_decimal(self, kind, text):
        """A decimal is the float64 next to it, however many bits it has."""
        scheme = schema(
            {
                "type": kind,
                "logicalType": "decimal",
                "precision": 24,
                "scale": 2,
                **({"name": "d", "size": 11} if kind == "fixed" else {}),
            }
        )

        batch = decode(scheme, encode(scheme, Decimal(text)))

        assert [[float(text)]] == batch.features.tolist()
        assert "float64" == batch.element_spec.features.dtype

    def test_small_fixed_decimal(self):
        """A fixed decimal of fewer bytes than a word keeps its sign."""
        scheme = schema(
            {
                "type": "fixed",
                "name": "d",
                "size": 3,
                "logicalType": "decimal",
                "precision": 6,
                "scale": 1,
            }
        )

        batch = decode(scheme, b"\xff\xff\xf6", b"\x00\x00\x0f", b"\x7f\xff\xff")

        assert [[-1.0], [1.5], [838860.7]] == batch.features.tolist()

    def test_named_types(self):
        """A type that was named before is meant by its name, full or short."""
        scheme = {
            **schema(POINT, "a.point", "point", ["null", "point"]),
            "namespace": "a",
        }
        point = b"\x00\x00\x80\x3f\x04"

        batch = decode(scheme, point * 3 + b"\x02" + point)

        assert [[1, 2] * 4] == batch.features.tolist()

    def test_first_record_settles_lengths(self):
        """Arrays are as long as in the first good record; others are bad."""
        values = [encode(schema(ARRAY), range(n)) for n in (3, 2, 3, 4, 0)]

        decoded = decode_all(schema(ARRAY), b"\x06", *values)

        assert [[0, 1, 2]] * 2 == decoded.examples.features.tolist()
        assert [0, 2, 4, 5] == [record.index for record in decoded.rejected]
        assert "2 items, wanted 3" in decoded.rejected[1].reason

    def test_lengths_of_good_records(self):
        """A record whose label is bad settles nothing."""
        values = [encode(schema(ARRAY), range(n)) for n in (3, 2)]

        decoded = decode_all(schema(ARRAY), *values, keys=[b"\x07", b"\x01"])

        assert [[0, 1]] == decoded.examples.features.tolist()

    def test_empty_arrays(self):
        """An array may be empty, if it is so in every record."""
        scheme = schema(ARRAY, "int")

        assert [[7]] == decode(scheme, b"\x00\x0e").features.tolist()

    def test_fixed_width_is_viewed(self):
        """Numbers of one fixed width are decoded without a copy of their bytes."""
        batch = records([(b"\x01", bytes(8)), (b"\x01", bytes(8))])
        decoder = AvroDecoder.from_options(
            {"data_scheme": schema("float", "float"), "label_scheme": LABEL}
        )

        features = decoder.decode(batch).examples.features

        assert np.shares_memory(np.frombuffer(batch.values.data, np.uint8), features)


class TestForeignBytes:
    @pytest.mark.parametrize(
        ("types", "value", "fault", "reason"),
        [
            (["float"], b"", "truncated", "0 bytes, wanted 4 or more for f0 at byte 0"),
            (["float"], bytes(3), "truncated", "3 bytes, wanted 4 or more for f0"),
            (["float"], bytes(5), "trailing", "5 bytes, wanted 4"),
            (["int", "int"], b"\x01\x80", "truncated", "for f1 at byte 2"),
            (["long"], b"\xff" * 11, "value", "a number of more than 64 bits"),
            (["long"], b"\xff" * 9 + b"\x02", "value", "a number of more than 64"),
            (["int"], b"\xfe\xff\xff\xff\x1f", "value", "of more than 32 bits"),
            (["int"], b"\x80" * 5 + b"\x00", "value", "of more than 32 bits"),
            ([["null", "float"]], b"\x06" + bytes(4), "value", "no such branch"),
            ([["null", "float"]], b"\x01" + bytes(4), "value", "no such branch"),
            ([ENUM], b"\x04", "value", "no such symbol, there are 2"),
            ([ENUM], b"\x01", "value", "no such symbol, there are 2"),
            (["boolean"], b"\x02", "value", "neither 0 nor 1"),
            ([ARRAY], b"\xfe\xff\xff\xff\xff\xff\xff\x7f", "truncated", "for f0"),
            ([ARRAY], b"\xff" * 9 + b"\x01" + b"\x00", "truncated", "for f0"),
            ([DECIMAL], b"\xfe\xff\xff\xff\x0f", "truncated", "wanted 2147483647"),
            ([DECIMAL], b"\x01", "value", "a negative length"),
            ([DECIMAL], b"\x90\x03\x7f" + bytes(199), "value", "beyond float64"),
        ],
    )
    def test_faults(self, types, value, fault, reason):
        """What no writer makes is a bad record, alone and among others."""
        ((found, said),) = faults(schema(*types), value)

        assert fault == found
        assert reason in said
        assert said.startswith(f"data has {len(value)} bytes, ")

    @pytest.mark.parametrize("longer", [b"\x80\x00", b"\x80\x80\x00", b"\x82\x80\x00"])
    def test_overlong(self, longer):
        """A number may be written longer than need be, as far as its type goes."""
        assert [[longer[0] & 2 and 1]] == decode(
            schema("int"), longer
        ).features.tolist()

    @pytest.mark.parametrize(
        "number",
        [
            sign * ((1 << bits) + near)
            for bits in range(0, 63, 7)
            for near in (-1, 0, 1)
            for sign in (-1, 1)
        ]
        + [2**63 - 1, -(2**63)],
    )
    def test_widths(self, number):
        """Numbers of every width, each beside others."""
        scheme = schema("long", "boolean")

        batch = decode_all(
            scheme, *[encode(scheme, n, True) for n in (number, 0, number, -500) * 20]
        ).examples

        assert [number, 0, number, -500] * 20 == batch.features[:, 0].tolist()


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
