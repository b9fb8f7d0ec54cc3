"""From what a writer wrote to what a reader wants, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve, frozen

from adapters.avro.compiling import Record
from adapters.avro.reading import Numbers
from adapters.avro.steps import (
    Array,
    Decimal,
    Lengths,
    Number,
    Skipped,
    Step,
    Union,
    Varint,
    has_arrays,
    width,
)
from adapters.wire.faults import BadRecord

_LADDER = ["<i4", "<i8", "<f4", "<f8"]
"""Each may be read as one of those behind it."""


@frozen
class Writer:
    """
    A way to read the records of one schema as those of another.

    Attributes:
        steps: What to read; the paths are the reader's where it wants them.

        defaults: By the reader's path, what a writer did not write.

        lengths: How long the arrays among *defaults* are.
    """

    steps: tuple[Step, ...]
    defaults: Mapping[str, Numbers]
    lengths: Lengths


def resolve(writer: Record, reader: Record) -> Writer:
    """
    Return how to read the records of *writer* as those of *reader*.

    Fields are found by name, those of nested records too; within arrays and unions they
    must be the same, in the same order.  Aliases are not followed.

    Raises:
        BadRecord: They are not.
    """
    wanted = {step.path: step for step in reader.steps}
    steps = [
        _resolve(step, wanted[step.path]) if step.path in wanted else _pass_over(step)
        for step in writer.steps
    ]
    written = {step.path for step in writer.steps}
    defaults: dict[str, Numbers] = {}
    lengths: dict[str, int] = {}
    for step in reader.steps:
        if step.path not in written:
            defaults[step.path] = _default(step, reader.defaults, lengths)
    return Writer(tuple(steps), defaults, lengths)


def _pass_over(step: Step) -> Step:
    """Columns read what nobody wants if its size is known without reading it all."""
    if has_arrays([step]) or (
        isinstance(step, Union) and any(map(has_arrays, filter(None, step.branches)))
    ):
        return Skipped(step.path, (step,))
    return step


def _resolve(written: Step, wanted: Step) -> Step:
    """Return *written* as *wanted* takes it."""
    match written, wanted:
        case Union(), _:
            takes = wanted.branches if isinstance(wanted, Union) else ((wanted,),)
            branches = tuple(_branch(branch, takes) for branch in written.branches)
            if not any(branches):
                raise _mismatch(written)
            return evolve(written, branches=branches)
        case _, Union():
            branch = _branch((written,), wanted.branches)
            if not branch:
                raise _mismatch(written)
            return branch[0]
        case Array(), Array():
            return evolve(written, items=_resolve_all(written.items, wanted.items))
        case Varint(), Varint() if written.symbols or wanted.symbols:
            return _resolve_enum(written, wanted)
        case Decimal(), Decimal() if written.scale == wanted.scale:
            return written
        case (Number() | Varint(), Number() | Varint()):
            return _promote(written, wanted)
        case _:
            raise _mismatch(written)


def _branch(
    written: tuple[Step, ...] | None,
    wanted: Sequence[tuple[Step, ...] | None],
) -> tuple[Step, ...] | None:
    """Return *written* as the first branch takes it that does; None if none does."""
    if written is None:
        return None
    for branch in wanted:
        if branch is None or bool(branch) != bool(written):  # null for null alone
            continue
        try:
            return _resolve_all(written, branch)
        except BadRecord:
            continue
    return None


def _resolve_all(written: Sequence[Step], wanted: Sequence[Step]) -> tuple[Step, ...]:
    if len(written) != len(wanted):
        raise _mismatch(*written[:1])
    return tuple(map(_resolve, written, wanted))


def _resolve_enum(written: Varint, wanted: Varint) -> Step:
    if not (written.symbols and wanted.symbols):
        raise _mismatch(written)
    if written.symbols == wanted.symbols:
        return written
    known = {symbol: index for index, symbol in enumerate(wanted.symbols)}
    indices = tuple(known.get(symbol, -1) for symbol in written.symbols)
    return evolve(written, indices=indices)


def _promote(written: Number | Varint, wanted: Number | Varint) -> Step:
    one, other = written.dtype.str, wanted.dtype.str
    same_count = getattr(written, "count", 1) == getattr(wanted, "count", 1)
    if same_count and (
        one == other
        or (
            one in _LADDER
            and other in _LADDER
            and _LADDER.index(one) < _LADDER.index(other)
        )
    ):
        return written
    raise _mismatch(written)


def _default(
    step: Step, defaults: Mapping[str, object], lengths: dict[str, int]
) -> Numbers:
    """Return the numbers of what *defaults* states for *step*."""
    if step.path not in defaults:
        raise BadRecord("schema", f"the writer has no {step.path}, nor is it a default")
    default = defaults[step.path]
    match step, default:
        case Varint(), str() if default in step.symbols:
            return [step.symbols.index(default)]
        case Varint(symbols=()) | Number(count=1) | Union(), int() | float():
            return [default]
        case Union(), None:
            return [0] * width([step], {})
        case Array(items=(Varint(symbols=()) | Number(count=1),)), list() if all(
            isinstance(item, int | float) for item in default
        ):
            lengths[step.path] = len(default)
            return default
        case _:
            raise BadRecord("schema", f"{step.path}: its default is no number")


def _mismatch(*written: Step) -> BadRecord:
    place = "".join(step.path for step in written)
    return BadRecord(
        "schema", f"the writer's {place or 'type'} is not what the reader takes"
    )
