"""AVRO against fastavro: any schema of numbers, any record, any bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from itertools import count

import fastavro
import numpy as np
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.avro import AvroDecoder
from domain.batches import Decoded
from tests.builders import records

LABEL = {"type": "record", "name": "l", "fields": [{"name": "f", "type": "boolean"}]}
MANY = 40
"""Records that are enough to be read in columns."""


@frozen
class Kind:
    """
    A type, and what the test has to know about it.

    Attributes:
        schema: As Avro writes it.

        values: What may be written as one.

        numbers: What it is to become.
    """

    schema: object
    values: st.SearchStrategy[object]
    numbers: Callable[[object], list[float]]


def one(value: object) -> list[float]:
    return [value]  # type: ignore[list-item]


LEAVES = [
    Kind("boolean", st.booleans(), one),
    Kind("int", st.integers(-(2**31), 2**31 - 1) | st.integers(-200, 200), one),
    Kind("long", st.integers(-(2**63), 2**63 - 1) | st.integers(-9000, 9000), one),
    Kind("float", st.floats(width=32, allow_nan=False), one),
    Kind("double", st.floats(allow_nan=False), one),
]


def enum(size: int) -> Kind:
    symbols = [f"s{number}" for number in range(size)]
    return Kind(
        {"type": "enum", "symbols": symbols},
        st.sampled_from(symbols),
        lambda symbol: [symbols.index(symbol)],
    )


def fixed(size: int) -> Kind:
    return Kind(
        {"type": "fixed", "size": size},
        st.binary(min_size=size, max_size=size),
        list,
    )


def decimal(size: int | None) -> Kind:
    logical = {"logicalType": "decimal", "precision": 30, "scale": 3}
    digits = 30 if size is None else int(2.4 * size) - 1
    return Kind(
        {"type": "bytes", **logical}
        if size is None
        else {"type": "fixed", "size": size, **logical, "precision": max(digits, 3)},
        st.integers(1 - 10**digits, 10**digits - 1).map(
            lambda unscaled: Decimal(unscaled).scaleb(-3)
        ),
        lambda value: [float(value)],
    )


def array(items: Kind, length: int) -> Kind:
    return Kind(
        {"type": "array", "items": items.schema},
        st.lists(items.values, min_size=length, max_size=length),
        lambda values: [number for value in values for number in items.numbers(value)],
    )


def record(fields: list[Kind]) -> Kind:
    names = [f"f{number}" for number in range(len(fields))]
    return Kind(
        {
            "type": "record",
            "fields": [
                {"name": name, "type": kind.schema}
                for name, kind in zip(names, fields, strict=True)
            ],
        },
        st.fixed_dictionaries(
            {name: kind.values for name, kind in zip(names, fields, strict=True)}
        ),
        lambda value: [
            number
            for name, kind in zip(names, fields, strict=True)
            for number in kind.numbers(value[name])
        ],
    )


def nullable(kind: Kind, first: bool) -> Kind:
    zeros = [0.0] * width(kind)
    return Kind(
        ["null", kind.schema] if first else [kind.schema, "null"],
        st.none() | kind.values,
        lambda value: zeros if value is None else kind.numbers(value),
    )


def width(kind: Kind) -> int:
    """Count the numbers of a kind without arrays."""
    match kind.schema:
        case {"type": "record", "fields": fields}:
            return sum(width(Kind(f["type"], st.nothing(), one)) for f in fields)
        case {"type": "fixed", "size": size} if "logicalType" not in kind.schema:
            return size
        case list() as branches:
            return max(
                width(Kind(b, st.nothing(), one)) for b in branches if b != "null"
            )
        case _:
            return 1


UNION = Kind(
    ["int", "null", "double", "boolean"],
    st.none()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False)
    | st.booleans(),
    lambda value: [0 if value is None else value],
)

flat = st.deferred(
    lambda: st.one_of(
        st.sampled_from(LEAVES),
        st.integers(1, 200).map(enum),
        st.integers(1, 9).map(fixed),
        (st.none() | st.integers(2, 12)).map(decimal),
        st.just(UNION),
        st.lists(flat, min_size=1, max_size=3).map(record),
        st.builds(
            nullable,
            flat.filter(lambda kind: not isinstance(kind.schema, list)),
            st.booleans(),
        ),
    )
)
"""Kinds that may stand in a union: without arrays."""

kinds = st.recursive(
    flat,
    lambda inner: st.one_of(
        st.builds(array, inner, st.integers(0, 4)),
        st.lists(inner, min_size=1, max_size=4).map(record),
    ),
    max_leaves=6,
)


def named(schema: object, numbers: count) -> object:
    """Return *schema* with a name for all that must have one."""
    match schema:
        case list():
            return [named(branch, numbers) for branch in schema]
        case {"type": "record", "fields": fields}:
            return {
                **schema,
                "name": f"n{next(numbers)}",
                "fields": [{**f, "type": named(f["type"], numbers)} for f in fields],
            }
        case {"type": "array", "items": items}:
            return {**schema, "items": named(items, numbers)}
        case {"type": "enum" | "fixed"}:
            return {**schema, "name": f"n{next(numbers)}"}
        case _:
            return schema


def decoder(scheme: object) -> AvroDecoder:
    return AvroDecoder.from_options({"data_scheme": scheme, "label_scheme": LABEL})


def decode(decoder: AvroDecoder, values: list[bytes]) -> Decoded:
    return decoder.decode(records([(b"\x01", value) for value in values]))


def encode(scheme: object, value: object) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, scheme, value)
    return stream.getvalue()


@st.composite
def streams(draw):
    """Return a schema, records written by fastavro, and the numbers in them."""
    kind = record(draw(st.lists(kinds, min_size=1, max_size=4)))
    scheme = named(kind.schema, count())
    values = draw(st.lists(kind.values, min_size=1, max_size=MANY + 8))
    if draw(st.booleans()):
        values *= MANY // len(values) + 1
    parsed = fastavro.parse_schema(scheme)
    return (
        scheme,
        [encode(parsed, value) for value in values],
        [kind.numbers(value) for value in values],
    )


class TestRoundTrip:
    @settings(max_examples=300, deadline=None)
    @given(streams())
    def test_any_schema(self, stream):
        """What fastavro writes comes back as the same numbers, in order."""
        scheme, encoded, numbers = stream

        decoded = decode(decoder(scheme), encoded)

        features = decoded.examples.features
        assert () == decoded.rejected
        np.testing.assert_array_equal(
            np.array(numbers, features.dtype).reshape(features.shape), features
        )


SCHEME = fastavro.parse_schema(
    {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "a", "type": "int"},
            {"name": "b", "type": ["null", "long"]},
            {"name": "c", "type": {"type": "enum", "name": "e", "symbols": ["A", "B"]}},
            {"name": "d", "type": {"type": "array", "items": "long"}},
            {"name": "e", "type": "boolean"},
        ],
    }
)
GOOD = encode(SCHEME, {"a": 1, "b": None, "c": "A", "d": [5, 6], "e": True})

loose_bytes = st.binary(max_size=14) | st.lists(
    st.sampled_from([b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\x80", b"\xff"]),
    max_size=14,
).map(b"".join)


class TestAnyBytes:
    @settings(max_examples=500, deadline=None)
    @given(st.lists(loose_bytes, min_size=1, max_size=20))
    def test_few_are_as_many(self, values):
        """Records decode alike in columns and one by one, with the same faults."""
        batch = [GOOD, *(value for value in values for _ in range(2))] * 8
        alone, together = decoder(SCHEME), decoder(SCHEME)
        for one in (alone, together):
            decode(one, [GOOD])

        many = decode(together, batch)
        single = [decode(alone, [value]) for value in batch]

        assert [
            np.asarray(one.examples.features)[0].tolist()
            for one in single
            if not one.rejected
        ] == np.asarray(many.examples.features).tolist()
        assert [
            (index, bad.fault, bad.reason)
            for index, one in enumerate(single)
            for bad in one.rejected
        ] == [(bad.index, bad.fault, bad.reason) for bad in many.rejected]

    @settings(max_examples=500, deadline=None)
    @given(loose_bytes)
    def test_as_fastavro(self, value):
        """What is good is so to fastavro too, and what is too short or long is bad."""
        decoded = decode(decoder(SCHEME), [GOOD, value])
        stream = io.BytesIO(value)
        try:
            read = fastavro.schemaless_reader(stream, SCHEME, None)
            whole = stream.tell() == len(value)
        except (EOFError, IndexError, OverflowError, ValueError):
            read, whole = None, False

        if not decoded.rejected:
            assert whole
            assert [
                read["a"],
                read["b"] or 0,
                "AB".index(read["c"]),
                *read["d"],
                read["e"],
            ] == np.asarray(decoded.examples.features)[1].tolist()
        elif decoded.rejected[0].fault in {"truncated", "trailing"}:
            assert not whole
