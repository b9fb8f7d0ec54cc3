"""AVRO with writers' schemas from a registry, against fastavro's own resolution."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import fastavro
import numpy as np
import pytest

from adapters.avro import AvroDecoder
from domain.batches import Decoded
from domain.errors import Unavailable
from tests.builders import records

LABEL = {"type": "record", "name": "l", "fields": [{"name": "f", "type": "boolean"}]}
KEY = b"\x00\x00\x00\x00\x01\x01"
SUITS = {"type": "enum", "name": "suit", "symbols": ["CLUB", "HEART", "SPADE"]}
FEW, MANY = 3, 200


def record(*fields: tuple[str, object]) -> dict[str, object]:
    declared = [{"name": name, "type": kind} for name, kind in fields]
    return {"type": "record", "name": "r", "fields": declared}


def default(schema: dict[str, object], name: str, value: object) -> dict[str, object]:
    """Return *schema* with a default for one field."""
    fields = [
        {**field, "default": value} if field["name"] == name else field
        for field in schema["fields"]  # type: ignore[attr-defined]
    ]
    return {**schema, "fields": fields}


class Registry:
    """Schemas by id; counts what it is asked for."""

    def __init__(self, **schemas: object) -> None:
        self.schemas = {int(name[1:]): schema for name, schema in schemas.items()}
        self.asked: list[int] = []

    def __call__(self, schema_id: int) -> str:
        self.asked.append(schema_id)
        schema = self.schemas[schema_id]
        if isinstance(schema, Exception):
            raise schema
        return schema if isinstance(schema, str) else json.dumps(schema)


def framed(schema_id: int, schema: object, value: object) -> bytes:
    stream = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    stream.seek(5)
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()


def decode(
    reader: object, registry: Registry | None, values: Sequence[bytes]
) -> Decoded:
    decoder = AvroDecoder.from_options(
        {"data_scheme": reader, "label_scheme": LABEL}, registry
    )
    return decoder.decode(records([(KEY, value) for value in values]))


POINT = {"type": "record", "name": "p", "fields": [{"name": "x", "type": "float"}]}

EVOLUTIONS = {
    "same": (
        record(("a", "int"), ("b", "float")),
        record(("a", "int"), ("b", "float")),
        [{"a": 300, "b": 0.5}, {"a": -1, "b": 1.5}],
    ),
    "other order": (
        record(("b", "float"), ("a", "int")),
        record(("a", "int"), ("b", "float")),
        [{"a": 300, "b": 0.5}],
    ),
    "promoted": (
        record(("a", "int"), ("b", "float"), ("c", "long"), ("d", "int")),
        record(("a", "long"), ("b", "double"), ("c", "double"), ("d", "float")),
        [{"a": 300, "b": 0.5, "c": 2**40, "d": -7}],
    ),
    "more than is read": (
        record(
            ("who", "string"),
            ("a", "int"),
            ("raw", "bytes"),
            ("list", {"type": "array", "items": "long"}),
            ("maybe", ["null", "string"]),
        ),
        record(("a", "int")),
        [
            {"who": "me", "a": 5, "raw": b"\0\1", "list": [1, 2], "maybe": None},
            {"who": "", "a": -500, "raw": b"", "list": [], "maybe": "x" * 300},
        ],
    ),
    "less than is read": (
        record(("a", "int")),
        default(
            default(record(("b", "double"), ("a", "int"), ("c", SUITS)), "b", 2.5),
            "c",
            "SPADE",
        ),
        [{"a": 5}],
    ),
    "nested": (
        record(("n", "int"), ("at", POINT)),
        record(("at", POINT), ("n", "int")),
        [{"at": {"x": 0.25}, "n": 1}],
    ),
    "now nullable": (
        record(("a", "int")),
        record(("a", ["null", "int"])),
        [{"a": 5}, {"a": 6}],
    ),
    "no longer nullable": (
        record(("a", ["null", "int"])),
        record(("a", "int")),
        [{"a": 5}, {"a": 6}],
    ),
    "symbols in another order": (
        record(("s", {**SUITS, "symbols": ["SPADE", "CLUB"]})),
        record(("s", SUITS)),
        [{"s": "SPADE"}, {"s": "CLUB"}],
    ),
    "array of promoted": (
        record(("v", {"type": "array", "items": "int"})),
        record(("v", {"type": "array", "items": "double"})),
        [{"v": [1, 2, 300]}],
    ),
}


def flat(value: object, kind: object) -> list[float]:
    """Return the numbers in what fastavro read, in the order of the schema."""
    match value, kind:
        case dict(), {"fields": fields}:
            return [n for f in fields for n in flat(value[f["name"]], f["type"])]
        case list(), {"items": items}:
            return [number for inner in value for number in flat(inner, items)]
        case str(), {"symbols": symbols}:
            return [symbols.index(value)]
        case _:
            return [value]  # type: ignore[list-item]


@pytest.mark.parametrize("times", [1, 100], ids=["one by one", "in columns"])
@pytest.mark.parametrize("name", EVOLUTIONS)
def test_evolution(name: str, times: int) -> None:
    """A writer's records are read as the request's schema wants them."""
    writer, reader, values = EVOLUTIONS[name]
    encoded = [framed(7, writer, value) for value in values] * times
    expected = [
        flat(
            fastavro.schemaless_reader(
                io.BytesIO(one[5:]),
                fastavro.parse_schema(writer),
                fastavro.parse_schema(reader),
            ),
            reader,
        )
        for one in encoded
    ]

    decoded = decode(reader, Registry(_1=LABEL, _7=writer), encoded)

    assert () == decoded.rejected
    assert expected == np.asarray(decoded.examples.features).tolist()


def test_several_writers() -> None:
    """Records of several writers keep their order; each schema is asked for once."""
    older, newer = record(("a", "int")), record(("b", "string"), ("a", "long"))
    registry = Registry(_1=LABEL, _2=older, _3=newer)
    encoded = [
        framed(3, newer, {"a": number, "b": "x"})
        if number % 3
        else framed(2, older, {"a": number})
        for number in range(MANY)
    ]

    decoded = decode(record(("a", "long")), registry, encoded)

    assert [[n] for n in range(MANY)] == np.asarray(decoded.examples.features).tolist()
    assert [1, 2, 3] == sorted(registry.asked)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (LookupError(), "schema 9: not in the registry"),
        ("{", "schema 9: neither JSON"),
        (record(("b", "int")), "schema 9: the writer has no a"),
        (record(("a", "string")), "schema 9: the writer's a is not what"),
        (record(("a", "double")), "schema 9: the writer's a is not what"),
        (record(("a", SUITS)), "schema 9: the writer's a is not what"),
    ],
)
@pytest.mark.parametrize("count", [FEW, MANY])
def test_unreadable_writer(schema: object, reason: str, count: int) -> None:
    """Records of a writer that cannot be read are bad; others are not."""
    good = record(("a", "int"))
    encoded = [framed(2, good, {"a": number}) for number in range(count)]
    encoded[1::2] = [b"\0\0\0\0\x09" + one[5:] for one in encoded[1::2]]

    decoded = decode(good, Registry(_1=LABEL, _2=good, _9=schema), encoded)

    assert [[n] for n in range(0, count, 2)] == decoded.examples.features.tolist()
    assert list(range(1, count, 2)) == [bad.index for bad in decoded.rejected]
    assert {"schema"} == {bad.fault for bad in decoded.rejected}
    assert all(bad.reason.startswith(reason) for bad in decoded.rejected)


def test_registry_away() -> None:
    """A registry that stays away is no fault of the records."""
    good = record(("a", "int"))
    registry = Registry(_1=LABEL, _2=Unavailable("away"))

    with pytest.raises(Unavailable, match="away"):
        decode(good, registry, [framed(2, good, {"a": 1})])


def test_endless_ids() -> None:
    """A stream of made-up ids does not wear the registry out."""
    good = record(("a", "int"))
    unknown = {f"_{number}": LookupError() for number in range(10, 1010)}
    registry = Registry(_1=LABEL, _2=good, **unknown)
    encoded = [framed(2, good, {"a": 1})] * 300
    encoded += [framed(number, good, {"a": 1}) for number in range(10, 1010)]

    decoded = decode(good, registry, encoded)

    assert 300 == len(decoded.examples)
    assert 1000 == len(decoded.rejected)
    assert len(registry.asked) < 110


def test_without_registry() -> None:
    """Without one, the id is passed over, and the request's schema holds."""
    schema = record(("a", "int"))
    encoded = [framed(number, schema, {"a": number}) for number in range(MANY)]

    decoded = decode(schema, None, encoded)

    assert [[n] for n in range(MANY)] == decoded.examples.features.tolist()
