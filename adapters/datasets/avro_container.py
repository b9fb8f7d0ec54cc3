"""Avro's object container files."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import fastavro
import numpy as np

from adapters.datasets.options import DataOptions, Numbers
from adapters.datasets.tables import Block, Columns, TableSource
from domain.sending import DataInvalid, InvalidExample

DTYPES: Mapping[str, str] = {
    "boolean": "?",
    "int": "i4",
    "long": "i8",
    "float": "f4",
    "double": "f8",
}

_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    StopIteration,
    zlib.error,
)
"""What fastavro raises, depending on what the bytes happen to be."""


def open_avro_container(path: Path, options: DataOptions) -> TableSource:
    """
    Open an ``.avro`` of records, whose fields are numbers or arrays of one length.

    Raises:
        DataInvalid: It is none, or has no such fields.
    """
    kinds = _fields(path)
    columns = Columns.choose(path, list(kinds), options)
    if others := [name for name in columns.all if kinds[name] is None]:
        raise DataInvalid(
            f"{path}: no numbers in {', '.join(others)}: features and labels are "
            "numbers; choose fields with --features and --label"
        )
    wanted = {name: np.dtype(kinds[name]) for name in columns.all}

    def read(size: int) -> Iterator[Block]:
        with path.open("rb") as file:
            records = _records(path, file)
            while rows := list(islice(records, size)):
                yield {name: _column(name, t, rows) for name, t in wanted.items()}

    dtypes = (options.dtype, options.label_dtype)
    return TableSource(path, ("record", 1), columns, read, None, dtypes)


def _fields(path: Path) -> dict[str, str | None]:
    """Return NumPy's type of each field; None for what is no number."""
    try:
        with path.open("rb") as file:
            schema = fastavro.reader(file).writer_schema
    except _BROKEN as error:
        raise DataInvalid(f"{path}: no Avro container: {error!r:.200}") from error
    if not isinstance(schema, dict) or schema["type"] != "record":
        raise DataInvalid(f"{path}: holds no records, want a record of numbers")
    return {each["name"]: _dtype(each["type"]) for each in schema["fields"]}


def _dtype(kind: object) -> str | None:
    """Return the type of a number, of an array's items or of what may be null."""
    if isinstance(kind, list):
        others = [branch for branch in kind if branch != "null"]
        return _dtype(others[0]) if len(others) == 1 else None
    if isinstance(kind, dict):
        if "logicalType" in kind:
            return None
        return _dtype(kind["items"] if kind["type"] == "array" else kind["type"])
    return DTYPES.get(str(kind))


def _records(path: Path, file: object) -> Iterator[Mapping[str, object]]:
    """Yield the records, and say which one cannot be read."""
    number = 0
    try:
        for record in fastavro.reader(file):
            yield record
            number += 1
    except _BROKEN as error:
        raise DataInvalid(
            f"{path}: behind record {number}: broken: {error!r:.200}"
        ) from error


def _column(
    name: str, dtype: np.dtype[np.generic], rows: list[Mapping[str, object]]
) -> Numbers:
    values = [row[name] for row in rows]
    width = len(values[0]) if isinstance(values[0], list) else 0
    for index, value in enumerate(values):
        if value is None or (isinstance(value, list) and None in value):
            raise InvalidExample(index, f"field {name} is null")
        if isinstance(value, list) and len(value) != width:
            raise InvalidExample(
                index, f"field {name} holds {len(value)} numbers, not as many as before"
            )
    return np.array(values, dtype)
