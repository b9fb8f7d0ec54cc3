"""
Any bytes, in any batch: a decoder gives examples and bad records, and never fails.

A longer look than the one in the suite: ``make fuzz``, or with more time,
``make fuzz EXAMPLES=1000000``.
"""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.avro import AvroDecoder
from adapters.json import JsonDecoder
from adapters.raw import RawDecoder
from domain.batches import RecordBatch
from ports import Decoder
from tests.builders import records

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
MOST_MEMORY = 64 << 20
"""Bytes that a batch of some hundred bytes may take."""

SCHEME = json.dumps(
    {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "a", "type": "int"},
            {"name": "b", "type": ["null", "long", "double"]},
            {"name": "c", "type": {"type": "array", "items": "long"}},
            {
                "name": "d",
                "type": {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "inner",
                        "fields": [
                            {"name": "e", "type": ["null", "float"]},
                            {
                                "name": "f",
                                "type": {
                                    "type": "enum",
                                    "name": "g",
                                    "symbols": ["A", "B"],
                                },
                            },
                        ],
                    },
                },
            },
            {
                "name": "h",
                "type": {
                    "type": "bytes",
                    "logicalType": "decimal",
                    "precision": 9,
                    "scale": 2,
                },
            },
        ],
    }
)
FLAT = json.dumps(
    {
        "type": "record",
        "name": "k",
        "fields": [{"name": "x", "type": "float"}, {"name": "y", "type": "boolean"}],
    }
)
GOOD = b"\x02\x00\x02\x04\x00\x02\x00\x00\x00\x02\x05"
KEY = bytes(4) + b"\x01"
WRITERS = {0: FLAT, 1: SCHEME, 2: "{", 3: SCHEME.replace('"int"', '"string"')}


def registry(schema_id: int) -> str:
    return WRITERS[schema_id]  # a KeyError is a LookupError


DECODERS: dict[str, Callable[[], Decoder]] = {
    "raw": lambda: RawDecoder.from_options(
        {"data_type": "float16", "label_type": "bool", "data_reshape": "-1 2"}
    ),
    "avro": lambda: AvroDecoder.from_options(
        {"data_scheme": SCHEME, "label_scheme": FLAT}
    ),
    "avro with a registry": lambda: AvroDecoder.from_options(
        {"data_scheme": SCHEME, "label_scheme": FLAT}, registry
    ),
    "json": lambda: JsonDecoder.from_options({}),
    "json of integers": lambda: JsonDecoder.from_options(
        {"data_type": "int8", "label_fields": ["a", "b"], "data_reshape": "-1"}
    ),
}

scraps = st.sampled_from(
    [
        *(b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\x7f", b"\x80", b"\xff"),
        *(b"\xff" * 9 + b"\x01", b"\0\0\0\0\0", b"\0\0\0\0\1", b"\0\0\0\0\2"),
        *(b"\0\0\0\0\3", b"\0\0\0\0\x09", b"\xfe\xff\xff\xff\x0f", GOOD, KEY),
        *(b"[", b"]", b"{", b"}", b'"a"', b":", b",", b"1", b"-", b"e9", b"null"),
        *(b"true", b'{"a": 1, "b": 2}', b"[1, 2]", b"0.5", b"1e400", b"NaN"),
    ]
)
anything = (
    st.none() | st.binary(max_size=24) | st.lists(scraps, max_size=9).map(b"".join)
)
batches = st.lists(
    st.lists(st.tuples(anything | st.just(KEY), anything | st.just(GOOD)), max_size=50),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches)
def test_any_bytes(name: str, batches: list[list[tuple[bytes | None, bytes | None]]]):
    """Every record becomes an example or a bad one; all examples are of one kind."""
    decoder = DECODERS[name]()
    specs = set()
    for pairs in batches:
        batch: RecordBatch = records(pairs)
        decoded = decoder.decode(batch)

        examples, indices = decoded.examples, [bad.index for bad in decoded.rejected]
        assert len(pairs) == len(examples) + len(indices)
        assert sorted(set(indices)) == indices
        assert len(np.asarray(examples.labels)) == len(examples)
        if len(examples):
            specs.add(str(examples.element_spec))
    assert len(specs) <= 1


@pytest.mark.parametrize("name", DECODERS)
@settings(
    max_examples=min(EXAMPLES, 30),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(batches)
def test_memory(name: str, batches: list[list[tuple[bytes | None, bytes | None]]]):
    """Nothing is taken because a record says how much is to come."""
    decoder = DECODERS[name]()
    tracemalloc.start()
    try:
        for pairs in batches:
            decoder.decode(records(pairs))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < MOST_MEMORY
