"""The decoders keep their contract."""

from __future__ import annotations

import struct

import pytest

from adapters.avro import AvroDecoder
from adapters.json import JsonDecoder
from adapters.raw import RawDecoder
from ports import Decoder
from tests.contracts.decoder import DecoderContract, Pair

Good = dict[Pair, tuple[object, object]]


class TestRaw(DecoderContract):
    @pytest.fixture
    def decoder(self) -> Decoder:
        return RawDecoder.from_options(
            {
                "data_type": "float32",
                "label_type": "uint8",
                "data_reshape": "2",
                "label_reshape": "",
            }
        )

    @pytest.fixture
    def good(self) -> Good:
        return {
            (bytes([number]), struct.pack("<2f", number, -number)): (
                [number, -number],
                number,
            )
            for number in range(5)
        }

    @pytest.fixture
    def bad(self) -> list[Pair]:
        return [(b"\x01", bytes(7)), (b"\x01", bytes(16)), (b"", bytes(8))]


class TestRawOfOpenShape(TestRaw):
    @pytest.fixture
    def decoder(self) -> Decoder:
        return RawDecoder.from_options(
            {"data_type": "float32", "label_type": "uint8", "label_reshape": ""}
        )

    @pytest.fixture
    def bad(self) -> list[Pair]:
        return [(b"\x01", bytes(7)), (b"", bytes(8))]


def avro(*types: object) -> dict[str, object]:
    names = [f"f{number}" for number in range(len(types))]
    fields = [{"name": n, "type": t} for n, t in zip(names, types, strict=True)]
    return {"type": "record", "name": "r", "fields": fields}


def varint(number: int) -> bytes:
    number = number * 2 if number >= 0 else -2 * number - 1
    encoded = b""
    while number > 127:
        encoded += bytes([number % 128 + 128])
        number //= 128
    return encoded + bytes([number])


def avro_records() -> Good:
    """Return records of a long, a nullable double and a boolean."""
    return {
        (varint(number), varint(number) + b"\x00\x01"): ([number, 0, 1], [number])
        for number in (0, -1, 63, 64, -65, 8191, 8192, 2**31 - 1, -(2**31))
    } | {
        (b"\x00", varint(number) + b"\x02" + struct.pack("<d", 0.5) + b"\x00"): (
            [float(number), 0.5, 0],
            [0],
        )
        for number in (1, 2**40, -(2**52))
    }


class TestAvro(DecoderContract):
    @pytest.fixture
    def decoder(self) -> Decoder:
        return AvroDecoder.from_options(
            {
                "data_scheme": avro("long", ["null", "double"], "boolean"),
                "label_scheme": avro("int"),
            }
        )

    @pytest.fixture
    def good(self) -> Good:
        return avro_records()

    @pytest.fixture
    def bad(self) -> list[Pair]:
        return [
            (b"\x00", b"\x00\x00"),
            (b"\x00", b"\x00\x00\x01\x00"),
            (b"\x00", b"\x00\x04\x00"),
            (b"\x00", b"\x00\x00\x02"),
            (b"\x00", b"\xff" * 10 + b"\x00\x00"),
            (b"\x00", b"\x00\x02\x00"),
            (b"\xff" * 5 + b"\x01", b"\x00\x00\x00"),
            (b"", b"\x00\x00\x00"),
        ]


class TestAvroOfFixedWidth(DecoderContract):
    @pytest.fixture
    def decoder(self) -> Decoder:
        return AvroDecoder.from_options(
            {"data_scheme": avro("float", "float"), "label_scheme": avro("boolean")}
        )

    @pytest.fixture
    def good(self) -> Good:
        return {
            (b"\x01", struct.pack("<2f", number, -number)): ([number, -number], [True])
            for number in range(5)
        }

    @pytest.fixture
    def bad(self) -> list[Pair]:
        return [(b"\x01", bytes(7)), (b"\x02", bytes(8)), (b"\x01", bytes(9))]


class TestAvroOfArrays(DecoderContract):
    @pytest.fixture
    def decoder(self) -> Decoder:
        return AvroDecoder.from_options(
            {
                "data_scheme": avro(
                    {"type": "array", "items": "float"},
                    {"type": "array", "items": "int"},
                ),
                "label_scheme": avro("boolean"),
            }
        )

    @pytest.fixture
    def good(self) -> Good:
        floats = struct.pack("<2f", 0.5, 1.5)
        expected = [0.5, 1.5, 1, 2, 3]
        return {
            (b"\x01", block + ints): (expected, [True])
            for block in (
                b"\x04" + floats + b"\x00",
                b"\x03\x10" + floats + b"\x00",  # two items, of eight bytes
                b"\x02" + floats[:4] + b"\x02" + floats[4:] + b"\x00",
            )
            for ints in (b"\x06\x02\x04\x06\x00", b"\x04\x02\x04\x01\x02\x06\x00")
        }

    @pytest.fixture
    def bad(self) -> list[Pair]:
        return [
            (b"\x01", b"\x04" + bytes(8)),
            (b"\x01", varint(2**40) + bytes(8)),
            (b"\x01", varint(-(2**63)) + varint(2**63 - 1) + bytes(8)),
            (b"\x01", b""),
            (b"\x01", b"\x04" + bytes(9)),
        ]


class TestAvroFramed(TestAvro):
    """The same records behind a schema id, without a registry."""

    @pytest.fixture
    def good(self) -> Good:
        return {
            (b"\x00\x00\x00\x00\x07%b" % key, b"\x00\x00\x00\x01\x07%b" % value): row
            for (key, value), row in avro_records().items()
        }

    @pytest.fixture
    def bad(self) -> list[Pair]:
        key = b"\x00\x00\x00\x00\x07\x00"
        return [
            (key, b"\x01\x00\x00\x01\x07\x00\x00\x01"),
            (key, b"\x00\x00\x00\x01"),
            (key, b"\x00\x00\x00\x01\x07"),
            (key, b"\x00\x00\x00\x01\x07\x00\x00\x01\x00"),
        ]


class TestJson(DecoderContract):
    @pytest.fixture
    def decoder(self) -> Decoder:
        return JsonDecoder.from_options({"data_type": "float64"})

    @pytest.fixture
    def good(self) -> Good:
        return {
            (b"%d" % number, b'{"b": %d, "a": 0.5}' % number): ([number, 0.5], number)
            for number in range(5)
        } | {(b"7", b' {"a":2e-3,\n"b":true} '): ([1, 0.002], 7)}

    @pytest.fixture
    def bad(self) -> list[Pair]:
        return [
            (b"1", b'{"b": 1, "a": null}'),
            (b"1", b'{"b": 1, "a": NaN}'),
            (b"1", b'{"b": 1, "a": 1, "a": 2}'),
            (b"1", b'{"b": 1, "a": 1'),
            (b"1", b'{"b": 1, "a": 1} 2'),
            (b"1", b"[" * 100_000),
            (b"1", b'{"b": 1, "a": 1e999}'),
            (b"null", b'{"b": 1, "a": 1}'),
            (b"1", b"\xff"),
        ]
