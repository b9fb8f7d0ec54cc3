"""The records that are measured with, made from their position alone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import fastavro
import numpy as np
from attrs import frozen

from benchmarks.checksum import Checksum

CHUNK = 10_000
ENUM = ["low", "middle", "high"]


@frozen(eq=False)
class Chunk:
    """Some records: as they lie in the topic, and as a model wants them."""

    keys: list[bytes]
    values: list[bytes]
    features: np.ndarray
    labels: np.ndarray


@frozen(eq=False)
class Stream:
    """
    A kind of record.

    Attributes:
        name: Short, for topics.

        format: As in a control message.

        options: The format's ``input_config``.

        chunk: Make the records from a position up to another.

        flatten: The features in one record as fastavro decodes it.
    """

    name: str
    format: str
    options: dict[str, str]
    chunk: Callable[[int, int], Chunk]
    flatten: Callable[[Mapping[str, object]], Sequence[object]] = lambda r: [
        *r.values()
    ]

    @cache  # noqa: B019  # there are three
    def checksum(self, records: int) -> int:
        """Return the checksum of the first *records*."""
        checksum = Checksum()
        for start in range(0, records, CHUNK):
            chunk = self.chunk(start, min(start + CHUNK, records))
            checksum.add(chunk.features, chunk.labels)
        return checksum.total

    def arrays(self, features: object, labels: object) -> tuple[np.ndarray, np.ndarray]:
        """Make arrays of what a contender decoded, lists of dictionaries or arrays."""
        if isinstance(features, list) and isinstance(labels, list):
            return (
                np.array([self.flatten(record) for record in features], np.float64),
                np.array([[*record.values()] for record in labels]),
            )
        return np.asarray(features), np.asarray(labels)


def _raw(start: int, stop: int) -> Chunk:
    """Images of 28 x 28 bytes, the first three of which count, and a class."""
    positions = np.arange(start, stop)
    features = np.take(_noise(), positions % 1021, axis=0)
    for place in range(3):
        features[:, place] = positions >> (8 * place) & 255
    labels = (positions % 10).astype(np.uint8)
    blob, key_blob = features.tobytes(), labels.tobytes()
    count = stop - start
    return Chunk(
        [key_blob[i : i + 1] for i in range(count)],
        [blob[784 * i : 784 * (i + 1)] for i in range(count)],
        features,
        labels,
    )


@cache
def _noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (1021, 784), np.uint8)


def _schema(name: str, **fields: object) -> str:
    declared = [{"name": field, "type": kind} for field, kind in fields.items()]
    return json.dumps({"type": "record", "name": name, "fields": declared})


LABEL = _schema("label", label="int")
FIVE = _schema("five", a="int", b="float", c="float", d="float", e="double")
MIXED = _schema(
    "mixed",
    a=["null", "double"],
    b=json.loads(_schema("inner", x="float", y=["null", "int"])),
    c={"type": "enum", "name": "level", "symbols": ENUM},
    d={"type": "array", "items": "float"},
)


def _five(start: int, stop: int) -> Chunk:
    """Five numbers; lengths differ from record to record, as varints do."""
    i = np.arange(start, stop)
    features = np.stack(
        [i * 7 % 100_000 - 50_000, i % 1000 / 4, i % 7, i % 13 / 2, i / 4], axis=1
    )
    rows = [
        {"a": int(a), "b": b, "c": c, "d": d, "e": e}
        for a, b, c, d, e in features.tolist()
    ]
    return _encode(FIVE, rows, features, i % 100)


def _mixed(start: int, stop: int) -> Chunk:
    """Nullable and nested fields, an enum, an array of three."""
    i = np.arange(start, stop)
    a, y = np.where(i % 5, i / 4, 0), np.where(i % 3, i % 300, 0)
    features = np.stack(
        [a, i % 9 / 2, y, i % 3, i % 11, i % 17 / 4, i % 1000], axis=1
    ).astype(np.float64)
    rows = [
        {
            "a": row[0] if position % 5 else None,
            "b": {"x": row[1], "y": int(row[2]) if position % 3 else None},
            "c": ENUM[int(row[3])],
            "d": row[4:],
        }
        for position, row in enumerate(features.tolist(), start)
    ]
    return _encode(MIXED, rows, features, i % 100)


def _encode(
    schema: str, rows: list[dict[str, object]], features: np.ndarray, labels: np.ndarray
) -> Chunk:
    value_schema = fastavro.parse_schema(json.loads(schema))
    key_schema = fastavro.parse_schema(json.loads(LABEL))
    keys = [_encoded(key_schema, {"label": label}) for label in labels.tolist()]
    values = [_encoded(value_schema, row) for row in rows]
    return Chunk(keys, values, features, labels.astype(np.int32)[:, np.newaxis])


def _encoded(schema: object, record: dict[str, object]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, record)
    return stream.getvalue()


def _flatten_mixed(record: Mapping[str, object]) -> Sequence[object]:
    b = record["b"]
    return [
        record["a"] or 0,
        b["x"],
        b["y"] or 0,
        ENUM.index(record["c"]),
        *record["d"],
    ]


RAW = Stream(
    "raw",
    "RAW",
    {
        "data_type": "uint8",
        "label_type": "uint8",
        "data_reshape": "28 28",
        "label_reshape": "",
    },
    _raw,
)
AVRO = Stream("avro", "AVRO", {"data_scheme": FIVE, "label_scheme": LABEL}, _five)
AVRO_MIXED = Stream(
    "avro-mixed",
    "AVRO",
    {"data_scheme": MIXED, "label_scheme": LABEL},
    _mixed,
    _flatten_mixed,
)
STREAMS = {stream.name: stream for stream in (RAW, AVRO, AVRO_MIXED)}
