"""Arrow's columns as arrays, for the readers of files that Arrow knows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.datasets.options import Numbers
from adapters.datasets.tables import Block
from domain.sending import DataInvalid, InvalidExample


def require_numbers(place: str, schema: pa.Schema, names: list[str]) -> None:
    """
    Make sure that columns hold numbers, or lists of numbers.

    Raises:
        DataInvalid: They hold something else, which is named.
    """
    others = [
        f"{name} ({schema.field(name).type})"
        for name in names
        if not _is_number(_item(schema.field(name).type))
    ]
    if others:
        raise DataInvalid(
            f"{place}: no numbers in {', '.join(others)}: features and labels are "
            "numbers; choose columns with --features and --label"
        )


def block(batch: pa.RecordBatch) -> Block:
    """
    Return the columns of *batch*.

    Raises:
        InvalidExample: A value is missing, or a list is longer than the others.
    """
    return {
        name: _array(name, batch.column(index))
        for index, name in enumerate(batch.schema.names)
    }


def _array(name: str, column: pa.Array) -> Numbers:
    _require_values(name, column)
    if pa.types.is_null(column.type):  # a table without rows
        return np.empty(0, np.float64)
    if _item(column.type) is column.type:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    for index in np.flatnonzero(lengths != lengths[:1]).tolist():
        raise InvalidExample(
            index, f"column {name} holds {lengths[index]} numbers, before {lengths[0]}"
        )
    items = column.flatten()
    if items.null_count:
        row = _first_null(items) // int(lengths[0])
        raise InvalidExample(row, f"column {name} has an empty value")
    return np.reshape(items.to_numpy(zero_copy_only=False), (len(column), -1))


def _require_values(name: str, column: pa.Array) -> None:
    if column.null_count and not pa.types.is_null(column.type):
        raise InvalidExample(_first_null(column), f"column {name} is empty")
    if len(column) and pa.types.is_null(column.type):
        raise InvalidExample(0, f"column {name} is empty")


def _first_null(column: pa.Array) -> int:
    return int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])


def _item(kind: pa.DataType) -> pa.DataType:
    """Return the type of a list's items, and any other type as it is."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return kind.value_type if any(is_list(kind) for is_list in lists) else kind


def _is_number(kind: pa.DataType) -> bool:
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return any(is_one(kind) for is_one in (*numeric, pa.types.is_null))
