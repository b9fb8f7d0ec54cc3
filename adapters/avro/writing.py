"""Arrays to Avro's binary encoding, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import numpy as np
import numpy.typing as npt
from attrs import frozen

from domain.batches import Array, BinaryColumn
from domain.errors import MalformedRequest
from domain.sending import InvalidExample

FIXED = {"boolean": "?", "float": "<f4", "double": "<f8"}
WHOLE = {"int": "<i4", "long": "<i8", "enum": "<i4"}
DEEPEST = 64

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.number | np.bool_]


@frozen
class Column:
    """
    Fields of one type that follow each other.

    Attributes:
        type: Avro's name of it.

        branch: What stands before each number: the union's branch, if it is one.

        most: The largest number that is allowed: an enum's last symbol.

        fields: How many there are.
    """

    type: str
    branch: bytes = b""
    most: int | None = None
    fields: int = 1

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """NumPy's type for it."""
        return np.dtype(FIXED.get(self.type) or WHOLE[self.type])


def columns(place: str, schema: Mapping[str, object]) -> tuple[Column, ...]:
    """
    Return what to write for each number of a record, in order.

    Args:
        place: What to call the schema in messages.

        schema: As fastavro parsed it.

    Raises:
        MalformedRequest: A field is neither a number nor a record of numbers.
    """
    return tuple(
        Column(first.type, first.branch, first.most, fields=len([first, *rest]))
        for _, (first, *rest) in groupby(_fields(place, schema, {}, 0))
    )


def encode(array: Array, wanted: tuple[Column, ...]) -> BinaryColumn:
    """
    Write one record for each row of *array*.

    Raises:
        InvalidExample: A number does not fit into its field.
    """
    rows = np.asarray(array).reshape(len(array), -1)
    parts: list[Bytes] = []
    masks: list[Mask] = []
    start = 0
    for column in wanted:
        numbers = _fitting(rows[:, start : start + column.fields], column)
        part, mask = _bytes(numbers, column)
        parts.append(part.reshape(len(rows), -1))
        masks.append(mask.reshape(len(rows), -1))
        start += column.fields
    counted = np.concatenate(masks, axis=1)
    data = memoryview(np.concatenate(parts, axis=1)[counted].tobytes())
    sizes = counted.sum(axis=1, dtype=np.int64)
    width = int(sizes[0]) if len(sizes) and (sizes == sizes[0]).all() else None
    return BinaryColumn(data, np.cumsum(sizes).tolist(), width)


def _fields(
    place: str, schema: object, named: dict[str, object], depth: int
) -> Iterator[Column]:
    """Yield the numbers of *schema*, records within records included."""
    if isinstance(schema, str) and schema in named:
        schema = named[schema]
    kind = schema["type"] if isinstance(schema, dict) else schema
    if depth > DEEPEST:
        raise MalformedRequest(f"{place}: is nested too deep")
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = schema
    if isinstance(schema, dict) and kind == "record":
        for each in schema["fields"]:
            at = f"{place}.{each['name']}"
            yield from _fields(at, each["type"], named, depth + 1)
    elif isinstance(schema, dict) and kind == "enum":
        yield Column("enum", most=len(schema["symbols"]) - 1)
    elif isinstance(schema, list) and len(schema) == 2 and "null" in schema:
        branch = 1 - schema.index("null")
        inner = list(_fields(place, schema[branch], named, depth + 1))
        if len(inner) != 1:
            raise MalformedRequest(f"{place}: a union of records cannot be written")
        head = bytes([2 * branch]) + inner[0].branch
        yield Column(inner[0].type, head, inner[0].most)
    elif isinstance(kind, str) and kind in FIXED | WHOLE:
        yield Column(kind)
    else:
        raise MalformedRequest(
            f"{place}: {kind!r:.60} cannot be written, only boolean, int, long, float, "
            "double, enum, null or one of these, and records of them"
        )


def _fitting(numbers: Numbers, column: Column) -> Numbers:
    """Return *numbers* in the type of their fields, if no more than digits are lost."""
    with np.errstate(invalid="ignore", over="ignore"):
        fitting = numbers.astype(column.dtype)
    if column.type in {"float", "double"}:
        lost = np.isinf(fitting) & ~np.isinf(numbers)
    else:
        lost = (fitting != numbers) | ((fitting < 0) != (numbers < 0))
        if column.most is not None:
            lost |= (fitting < 0) | (fitting > column.most)
    if lost.any():
        row, place = map(int, np.argwhere(lost)[0])
        raise InvalidExample(row, f"{numbers[row, place]} is no {column.type}")
    return fitting


def _bytes(numbers: Numbers, column: Column) -> tuple[Bytes, Mask]:
    """Return the bytes of every field, and which of them count."""
    rows, fields = numbers.shape
    if column.type in FIXED:
        encoded = np.ascontiguousarray(numbers).view(np.uint8)
        part = encoded.reshape(rows, fields, column.dtype.itemsize)
        mask = np.ones_like(part, np.bool_)
    else:
        part, mask = _varints(numbers.astype(np.int64))
    if column.branch:
        head = np.broadcast_to(
            np.frombuffer(column.branch, np.uint8), (rows, fields, len(column.branch))
        )
        part = np.concatenate([head, part], axis=2)
        mask = np.concatenate([np.ones_like(head, np.bool_), mask], axis=2)
    return part, mask


def _varints(numbers: npt.NDArray[np.int64]) -> tuple[Bytes, Mask]:
    """Return zigzag varints, and how far each reaches."""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    longest = max(1, -(-int(zigzag.max(initial=0)).bit_length() // 7))
    shifts = np.arange(longest, dtype=np.uint64) * np.uint64(7)
    rest = zigzag[..., None] >> shifts
    mask = rest > 0
    mask[..., 0] = True
    more = np.zeros_like(mask)
    more[..., :-1] = mask[..., 1:]
    part = (rest & np.uint64(0x7F)).astype(np.uint8) | (more.astype(np.uint8) << 7)
    return part.astype(np.uint8), mask
