"""Text files of rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
from attrs import frozen
from pyarrow import csv

from adapters.datasets.arrow import block, require_numbers
from adapters.datasets.options import DataOptions
from adapters.datasets.tables import Block, Columns, TableSource
from domain.sending import DataInvalid

PIECE = 1 << 20
"""Bytes that are read in one go; the first of them tell the columns' types."""

_PLACE = re.compile(r"(?:In CSV column #\d+: )?(?:CSV parse error: )?Row #(\d+): ")


def open_csv(path: Path, options: DataOptions) -> TableSource:
    """
    Open a file of text, with commas between columns; in a ``.tsv`` they are tabs.

    Text does not tell how exact its numbers are: unless all of them are whole, they are
    float32, which is what models compute in.

    Raises:
        DataInvalid: It is no such file, or has no such columns.
    """
    text = _Text(path, options.header)
    inferred = text.schema()
    columns = Columns.choose(path, inferred.names, options)
    require_numbers(str(path), inferred, columns.all)
    whole = {
        name: pa.types.is_integer(kind) or pa.types.is_boolean(kind)
        for name, kind in zip(inferred.names, inferred.types, strict=True)
    }
    dtypes = (
        options.dtype or _dtype(whole, columns.features),
        options.label_dtype or _dtype(whole, columns.labels),
    )
    # What is whole at the beginning need not be so later.
    sides = zip((columns.features, columns.labels), dtypes, strict=True)
    types = {
        name: pa.float64()
        for names, dtype in sides
        for name in names
        if dtype is not None and "int" not in dtype and "bool" not in dtype
    }
    return TableSource(
        path,
        ("line", 2 if options.header else 1),
        columns,
        partial(text.blocks, columns.all, types),
        None,
        dtypes,
    )


def _dtype(whole: dict[str, bool], names: tuple[str, ...]) -> str | None:
    return None if all(whole[name] for name in names) else "float32"


@frozen
class _Text:
    """
    A file as Arrow reads it.

    Attributes:
        header: Whether the first line names the columns.
    """

    path: Path
    header: bool

    def schema(self) -> pa.Schema:
        """Return the columns and what the first piece makes of their types."""
        with self._open(None, {}) as reader:
            return reader.schema

    def blocks(
        self, names: list[str], types: dict[str, pa.DataType], _: int
    ) -> Iterator[Block]:
        """Yield what is in some columns."""
        with self._open(names, types) as reader:
            while True:
                try:
                    piece = reader.read_next_batch()
                except StopIteration:
                    return
                except pa.ArrowInvalid as error:
                    raise self._fault(error) from error
                if piece.num_rows:
                    yield block(piece)

    def _open(
        self, names: list[str] | None, types: dict[str, pa.DataType]
    ) -> csv.CSVStreamingReader:
        tabs = self.path.suffix.lower() == ".tsv"
        try:
            return csv.open_csv(
                self.path,
                # Only one thread knows which row it is at.
                csv.ReadOptions(
                    use_threads=False,
                    block_size=PIECE,
                    autogenerate_column_names=not self.header,
                ),
                csv.ParseOptions(
                    delimiter="\t" if tabs else ",", newlines_in_values=True
                ),
                csv.ConvertOptions(include_columns=names, column_types=types),
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> DataInvalid:
        """Put the line first, if Arrow tells it."""
        text = str(error)
        if found := _PLACE.match(text):
            reason = text[found.end() :]
            return DataInvalid(f"{self.path}: line {found[1]}: {reason}")
        return DataInvalid(f"{self.path}: {text}")
