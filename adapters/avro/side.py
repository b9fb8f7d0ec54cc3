"""One side of the records, the values or the keys, in columns and one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

from adapters.avro.columns import read_columns, view_columns
from adapters.avro.compiling import Record, compile_record
from adapters.avro.program import Operation, assemble, side_by_side
from adapters.avro.reading import Numbers, place, read_record
from adapters.avro.resolving import Writer
from adapters.avro.schema import parse_schema
from adapters.avro.spans import FRAME, Positions, Spans
from adapters.avro.steps import Lengths, dtypes, has_arrays, least, width
from adapters.avro.writers import Registry, Writers
from adapters.wire.faults import BadRecord, Fault
from domain.batches import BinaryColumn

log = logging.getLogger(__name__)

_SAMPLE = 100
"""Records that tell whether a schema id stands before them."""

_FEW = 32
"""Records that are read sooner one by one than in columns."""


@frozen
class _Plan:
    """
    How to read the records of one writer, once lengths are settled.

    Attributes:
        program: What to do, in order.

        least: Bytes of a record, at least.

        fill: An example of nothing but defaults.
    """

    program: tuple[Operation, ...]
    least: int
    fill: Sequence[int | float]


@define(eq=False)
class Side:
    """
    The values or the keys.

    Attributes:
        name: ``data`` or ``label``, for messages.

        record: What the reader wants.

        dtype: The type that holds every field.

        writers: Who wrote it.

        framed: Whether a schema id stands before every record; None until one shows it.

        lengths: How long arrays are; None until a record settles it.
    """

    name: str
    record: Record
    dtype: np.dtype[np.generic]
    writers: Writers
    framed: bool | None = None
    lengths: Lengths | None = None
    _plans: dict[int | None, _Plan | Fault] = field(factory=dict, init=False)

    @classmethod
    def parse(cls, name: str, scheme: object, registry: Registry | None) -> Side:
        """
        Make the side that *scheme* describes.

        Raises:
            MalformedRequest: It is no schema of numbers.
        """
        at = f"input_config.{name}_scheme"
        record = compile_record(at, parse_schema(at, scheme))
        return cls(
            name,
            record,
            np.result_type(*dtypes(record.steps)),
            Writers(record, registry),
            lengths=None if has_arrays(record.steps) else {},
        )

    def nothing(self) -> npt.NDArray[np.generic]:
        """Return no examples, of the right shape if it is settled."""
        shape = (0,) if self.lengths is None else (0, self._width())
        return np.empty(shape, self.dtype)

    def detect(self, column: BinaryColumn) -> None:
        """
        Find out whether records are framed: whether more of them decode so than bare.

        What decodes either way is taken for bare.
        """
        bare = framed = 0
        for index in range(len(column)):
            encoded = bytes(column[index])
            if self._decodes(encoded, framed=False):
                bare += 1
            elif encoded[:1] == b"\0" and self._decodes(encoded, framed=True):
                framed += 1
            if bare + framed == _SAMPLE:
                break
        if bare or framed:
            self.framed = framed > bare
        if self.framed:
            log.info("a schema id stands before every record", extra={"in": self.name})

    def read(
        self, encoded: bytes, *, framed: bool | None = None
    ) -> tuple[Numbers, Lengths]:
        """
        Return the numbers of one record, and how long its arrays are.

        Raises:
            BadRecord: It is not of the schema.

            Unavailable: The registry stayed away.
        """
        writer, start = self.writers.own, 0
        if self.framed if framed is None else framed:
            writer, start = self._written(encoded), FRAME
        given = None if self.lengths is None else {**writer.lengths, **self.lengths}
        numbers, lengths = read_record(self.name, encoded[start:], writer.steps, given)
        paths = [step.path for step in self.record.steps]
        return place(numbers, paths, writer.defaults), {**writer.lengths, **lengths}

    def screen(self, spans: Spans, faults: dict[int, Fault]) -> None:
        """Add to *faults* the records that no memory is to be spent on."""
        for rows, plan, start in self._by_plan(spans):
            suspects: Positions = np.arange(len(spans)) if rows is None else rows
            if isinstance(plan, Fault):
                faults.update(dict.fromkeys(suspects.tolist(), plan))
                continue
            short = spans.sizes[suspects] < start + plan.least
            for index in suspects[short].tolist() if short.any() else ():
                try:
                    self.read(spans[index])
                except BadRecord as error:
                    faults.setdefault(index, error.fault)

    def decode(self, spans: Spans) -> tuple[npt.NDArray[np.generic], dict[int, Fault]]:
        """
        Decode what was screened.

        Returns:
            A row for every record, and what is wrong with some of them.
        """
        faults: dict[int, Fault] = {}
        out: npt.NDArray[np.generic] | None = None
        for rows, plan, start in self._by_plan(spans):
            if isinstance(plan, Fault):  # nothing, once screened
                continue
            if rows is None:
                data = spans.column.data
                if (
                    spans.is_whole
                    and (
                        seen := view_columns(plan.program, data, len(spans), self.dtype)
                    )
                    is not None
                ):
                    return seen, {}
                return self._decode(spans, plan, start)
            if out is None:
                out = np.zeros((len(spans), self._width()), self.dtype)
            out[rows], wrong = self._decode(spans.only(rows), plan, start)
            faults |= {int(rows[row]): fault for row, fault in wrong.items()}
        return self.nothing() if out is None else out, faults

    def _decode(
        self, there: Spans, plan: _Plan, start: int
    ) -> tuple[npt.NDArray[np.generic], dict[int, Fault]]:
        """Decode the records of one writer, which begin behind *start* bytes."""
        out = np.zeros((len(there), self._width()), self.dtype)
        if any(plan.fill):
            out[:] = plan.fill
        if len(there) < _FEW:
            odd: Positions = np.arange(len(there))
        else:
            data = np.frombuffer(there.column.data, np.uint8)
            starts = there.starts + start
            odd = np.flatnonzero(
                read_columns(plan.program, data, starts, there.ends, out)
            )
        faults: dict[int, Fault] = {}
        for row in odd.tolist():
            try:
                out[row], _ = self.read(there[row])
            except BadRecord as error:
                faults[row] = error.fault
        return out, faults

    def _by_plan(
        self, spans: Spans
    ) -> Iterator[tuple[Positions | None, _Plan | Fault, int]]:
        """Yield the records of each writer: which (or all), how, and behind what."""
        if not self.framed:
            yield None, self._plan(None), 0
            return
        ids = spans.schema_ids()
        for schema_id in np.unique(ids).tolist():
            rows = np.flatnonzero(ids == schema_id)
            if schema_id < 0:
                bare = Fault("schema", f"{self.name} begins with no schema id")
                yield rows, bare, FRAME
            else:
                yield rows, self._plan(schema_id), FRAME

    def _plan(self, schema_id: int | None) -> _Plan | Fault:
        if schema_id not in self._plans:
            found = (
                self.writers.own if schema_id is None else self.writers.find(schema_id)
            )
            if isinstance(found, Fault):
                return found  # kept where it comes from
            self._plans[schema_id] = self._make_plan(found)
        return self._plans[schema_id]

    def _make_plan(self, writer: Writer) -> _Plan | Fault:
        lengths = {**writer.lengths, **(self.lengths or {})}
        targets = side_by_side(self.record.steps, lengths)
        fill: list[int | float] = []
        for step in self.record.steps:
            wanted = width([step], lengths)
            default = writer.defaults.get(step.path, [0] * wanted)
            if len(default) != wanted:
                return Fault(
                    "schema", f"{step.path}: {len(default)} by default, wanted {wanted}"
                )
            fill += default
        program = assemble(writer.steps, targets, lengths)
        return _Plan(program, least(writer.steps, lengths), fill)

    def _written(self, encoded: bytes) -> Writer:
        """Return who wrote a framed record."""
        if len(encoded) < FRAME or encoded[0]:
            raise BadRecord("schema", f"{self.name} begins with no schema id")
        found = self.writers.find(int.from_bytes(encoded[1:FRAME], "big"))
        if isinstance(found, Fault):
            raise BadRecord(found.kind, found.reason)
        return found

    def _decodes(self, encoded: bytes, *, framed: bool) -> bool:
        try:
            self.read(encoded, framed=framed)
        except BadRecord:
            return False
        return True

    def _width(self) -> int:
        return width(self.record.steps, self.lengths or {})
