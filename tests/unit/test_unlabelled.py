"""Records without labels are decoded as those with."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from adapters.avro import AvroDecoder
from adapters.json import JsonDecoder
from adapters.raw import RawDecoder
from domain.errors import StreamUnreadable
from domain.unlabelled import FeaturesOnly
from tests.builders import records
from tests.contracts.test_decoder import avro, varint

RAW = {"data_type": "float32", "label_type": "int32"}
FORMATS = {
    "RAW": (
        lambda: RawDecoder.from_options({**RAW, "data_reshape": "2"}),
        lambda n: struct.pack("<2f", n, -n),
        struct.pack("<i", 3),
    ),
    "RAW of open shape": (
        lambda: RawDecoder.from_options(RAW),
        lambda n: struct.pack("<2f", n, -n),
        struct.pack("<i", 3),
    ),
    "AVRO": (
        lambda: AvroDecoder.from_options(
            {"data_scheme": avro("int", "int"), "label_scheme": avro("int")}
        ),
        lambda n: varint(n) + varint(-n),
        varint(300),
    ),
    "JSON": (
        lambda: JsonDecoder.from_options({"data_type": "float64"}),
        lambda n: f"[{n}, {-n}]".encode(),
        b"3",
    ),
}


@pytest.fixture(params=list(FORMATS))
def case(request):
    return FORMATS[request.param]


def features(decoded):
    return np.asarray(decoded.examples.features).tolist()


@pytest.mark.parametrize("key", [None, b"", b"00", b"0", bytes(99), b"no label"])
def test_keys_do_not_count(case, key):
    """A record whose key means nothing is as good as any, batch after batch."""
    make, encode, label = case
    decoder = FeaturesOnly(make(), lambda: iter([records([(label, encode(9))])]))

    for numbers in (range(5), range(5, 7)):
        decoded = decoder.decode(records([(key, encode(n)) for n in numbers]))

        assert () == decoded.rejected
        assert [[n, -n] for n in numbers] == features(decoded)


def test_bad_values(case):
    """What is wrong with a value is still found, at its place."""
    make, encode, label = case
    decoder = FeaturesOnly(make(), lambda: iter([records([(label, encode(9))])]))

    decoded = decoder.decode(records([(b"00", encode(1)), (b"00", b""), (None, b"")]))

    assert [1, 2] == [record.index for record in decoded.rejected]
    assert [[1, -1]] == features(decoded)


def test_first_good_record(case):
    """The key is that of the first labelled record that decodes, read once."""
    make, encode, label = case
    asked = []

    def labelled():
        asked.append(1)
        yield records([])
        yield records([(label, b"")] * 2)
        yield records([(label, b""), (label, encode(9))], first_offset=2)
        raise AssertionError("more than is needed")

    decoder = FeaturesOnly(make(), labelled)

    for _ in range(2):
        assert [[4, -4]] == features(decoder.decode(records([(None, encode(4))])))
    assert [1] == asked


def test_labelled_shape_counts():
    """Of open shapes, the labelled stream settles them, not a stray record."""
    make, encode, label = FORMATS["RAW of open shape"]
    decoder = FeaturesOnly(make(), lambda: iter([records([(label, encode(9))])]))

    decoded = decoder.decode(records([(None, bytes(4)), (None, encode(1))]))

    assert [0] == [record.index for record in decoded.rejected]
    assert [[1, -1]] == features(decoded)


def test_no_good_record(case):
    """Without a label that decodes there is nothing to show the decoder."""
    make, encode, label = case
    decoder = FeaturesOnly(make(), lambda: iter([records([(label, b"")])]))

    with pytest.raises(StreamUnreadable, match="no labelled record decodes"):
        decoder.decode(records([(label, encode(1))]))
