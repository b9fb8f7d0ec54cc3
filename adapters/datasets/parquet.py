"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from adapters.datasets.arrow import block, require_numbers
from adapters.datasets.options import DataOptions
from adapters.datasets.tables import Block, Columns, TableSource
from domain.sending import DataInvalid


def open_parquet(path: Path, options: DataOptions) -> TableSource:
    """
    Open a ``.parquet``, whose columns are numbers or lists of one length.

    Raises:
        DataInvalid: It is none, or has no such columns.
    """
    with _open(path) as file:
        schema, total = file.schema_arrow, file.metadata.num_rows
    columns = Columns.choose(path, schema.names, options)
    require_numbers(str(path), schema, columns.all)

    def read(size: int) -> Iterator[Block]:
        with _open(path) as file:
            batches = file.iter_batches(batch_size=size, columns=columns.all)
            while True:
                try:
                    batch = next(batches, None)
                except (pa.ArrowInvalid, OSError) as error:
                    raise DataInvalid(f"{path}: {error}") from error
                if batch is None:
                    return
                yield block(batch)

    dtypes = (options.dtype, options.label_dtype)
    return TableSource(path, ("row", 1), columns, read, total, dtypes)


def _open(path: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataInvalid(f"{path}: {error}") from error
