"""From a parsed schema to the steps that read its records."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import define, field, frozen

from adapters.avro.steps import (
    MOST_ELEMENTS,
    Array,
    Decimal,
    Number,
    Skipped,
    Step,
    Union,
    Varint,
    has_arrays,
    least,
    width,
)
from domain.errors import MalformedRequest

FIXED = {"boolean": "?", "float": "<f4", "double": "<f8"}
VARIABLE = {"int": "<i4", "long": "<i8"}
NUMBERS = (
    "boolean, int, long, float, double, decimal, enum, fixed, and records, arrays and "
    "unions of them"
)

MOST_FIELDS = 100_000
"""Named types that hold named types may stand for more fields than memory holds."""

DEEPEST = 64


@frozen
class Record:
    """
    A compiled record schema.

    Attributes:
        steps: What to read, in order; nested records are put side by side.

        defaults: By path, the default that the schema states, as parsed JSON.
    """

    steps: tuple[Step, ...]
    defaults: Mapping[str, object]


def compile_record(
    place: str, schema: Mapping[str, object], *, lenient: bool = False
) -> Record:
    """
    Return what to read of the records of *schema*.

    Args:
        place: What to call the schema in messages.

        schema: As fastavro parsed it.

        lenient: Whether what is no number is skipped rather than refused.

    Raises:
        MalformedRequest: It is not of numbers, or of itself; naming the field.
    """
    compiler = _Compiler(place, lenient)
    steps = compiler.compile("", schema, 0)
    for path, times in Counter(step.path for step in steps).items():
        if times > 1:
            raise MalformedRequest(f"{place}.{path}: declared {times} times")
    if not lenient and width(steps, defaultdict(lambda: 1)) > MOST_ELEMENTS:
        raise MalformedRequest(f"{place}: more than {MOST_ELEMENTS:,} numbers")
    if not steps:
        raise MalformedRequest(f"{place}: want a record of one field or more")
    return Record(steps, compiler.defaults)


@define
class _Compiler:
    """
    Walks through a schema.

    Attributes:
        place: What to call it in messages.

        lenient: Whether what is no number is skipped.

        defaults: See Record.
    """

    place: str
    lenient: bool
    defaults: dict[str, object] = field(factory=dict, init=False)
    _named: dict[str, Mapping[str, object]] = field(factory=dict, init=False)
    _open: set[str] = field(factory=set, init=False)
    _seen: int = field(default=0, init=False)

    def compile(self, path: str, kind: object, depth: int) -> tuple[Step, ...]:
        """Return the steps of a type."""
        self._seen += 1
        if self._seen > MOST_FIELDS:
            raise self._refused(path, f"more than {MOST_FIELDS:,} fields")
        if depth > DEEPEST:
            raise self._refused(path, f"nested deeper than {DEEPEST}")
        match kind:
            case list():
                return (self._union(path, kind, depth),)
            case str():
                return self._named_type(path, kind, depth)
            case dict() if isinstance(kind.get("type"), str):
                return self._declared(path, kind, depth)
            case dict() if "type" in kind:
                return self.compile(path, kind["type"], depth + 1)
            case _:
                raise self._refused(path, "no type")

    def _declared(
        self, path: str, kind: Mapping[str, object], depth: int
    ) -> tuple[Step, ...]:
        """Return the steps of a type that is more than a name."""
        if "name" in kind:
            self._named[str(kind["name"])] = kind
        match kind["type"]:
            case "record" | "error":
                return self._record(path, kind, depth)
            case "enum":
                return (self._enum(path, kind),)
            case "fixed":
                return (self._fixed(path, kind),)
            case "array":
                return (self._array(path, kind, depth),)
            case "bytes" if kind.get("logicalType") == "decimal":
                return (Decimal(path, self._scale(path, kind)),)
            case name:  # a logical type is the number under it
                return self._named_type(path, str(name), depth, kind)

    def _named_type(
        self, path: str, name: str, depth: int, written: object = None
    ) -> tuple[Step, ...]:
        """Return the steps of a primitive type, or of one that was defined before."""
        if name in FIXED:
            return (Number(path, np.dtype(FIXED[name])),)
        if name in VARIABLE:
            return (Varint(path, np.dtype(VARIABLE[name])),)
        if name in self._open:
            raise self._refused(path, f"{name!r} holds itself")
        if name in self._named:
            return self.compile(path, self._named[name], depth + 1)
        if self.lenient and name in {"string", "bytes"}:
            return (Skipped(path),)
        if self.lenient and name == "null":
            return ()
        raise self._no_number(path, written or name)

    def _record(
        self, path: str, kind: Mapping[str, object], depth: int
    ) -> tuple[Step, ...]:
        fields = kind.get("fields")
        name = str(kind.get("name"))
        if not isinstance(fields, list) or (not fields and not self.lenient):
            raise self._refused(path, "want a record of one field or more")
        self._open.add(name)
        given = self.defaults.get(path)
        steps: list[Step] = []
        for declared in fields:
            inner = f"{path}.{declared['name']}" if path else str(declared["name"])
            if isinstance(given, dict) and declared["name"] in given:
                self.defaults[inner] = given[declared["name"]]
            elif "default" in declared:
                self.defaults[inner] = declared["default"]
            steps += self.compile(inner, declared["type"], depth + 1)
        self._open.discard(name)
        return tuple(steps)

    def _enum(self, path: str, kind: Mapping[str, object]) -> Step:
        symbols = kind.get("symbols")
        if not isinstance(symbols, list) or not all(
            isinstance(symbol, str) for symbol in symbols
        ):
            raise self._refused(path, "an enum without a list of symbols")
        return Varint(path, np.dtype("<i4"), tuple(symbols))

    def _fixed(self, path: str, kind: Mapping[str, object]) -> Step:
        size = kind.get("size")
        if not isinstance(size, int) or not 0 < size <= MOST_ELEMENTS:
            raise self._refused(path, f"a fixed of {size!r:.40} bytes")
        logical = kind.get("logicalType")
        if logical == "decimal":
            return Decimal(path, self._scale(path, kind), size)
        if logical in {"duration", "uuid"} and not self.lenient:
            raise self._no_number(path, kind)
        return Number(path, np.dtype("u1"), size)

    def _scale(self, path: str, kind: Mapping[str, object]) -> int:
        scale = kind.get("scale", 0)
        if not isinstance(scale, int) or not 0 <= scale <= 300:
            raise self._refused(path, f"a decimal of scale {scale!r:.40}")
        return scale

    def _array(self, path: str, kind: Mapping[str, object], depth: int) -> Step:
        items = self.compile(f"{path}[]", kind.get("items"), depth + 1)
        if not least(items, {}):  # any count of them would take no bytes
            raise self._refused(path, "an array of nothing")
        return Array(path, items)

    def _union(self, path: str, kinds: Sequence[object], depth: int) -> Step:
        branches = []
        for kind in kinds:
            inner = f"{path}({_name(kind)})"
            if isinstance(kind, list):
                raise self._refused(path, "a union in a union")
            null = kind == "null" or (
                isinstance(kind, dict) and kind.get("type") == "null"
            )
            branches.append(() if null else self.compile(inner, kind, depth + 1))
        union = Union(path, tuple(branches))
        if not self.lenient:
            self._check(union)
        return union

    def _check(self, union: Union) -> None:
        """See that every branch fills the same elements."""
        taken = [branch for branch in union.branches if branch]
        if any(map(has_arrays, taken)):
            raise self._refused(union.path, "an array in a union has no fixed length")
        widths = {width(branch, {}) for branch in taken}
        if len(widths) != 1:
            raise self._refused(
                union.path,
                f"branches of {' and '.join(map(str, sorted(widths)))} numbers"
                if widths
                else "null is no number",
            )

    def _refused(self, path: str, reason: str) -> MalformedRequest:
        return MalformedRequest(
            f"{self.place}.{path}: {reason}" if path else f"{self.place}: {reason}"
        )

    def _no_number(self, path: str, kind: object) -> MalformedRequest:
        written = json.dumps(kind, default=str)
        return self._refused(path, f"{written:.80} is no number, want {NUMBERS}")


def _name(kind: object) -> str:
    """Return what tells a branch of a union from the others."""
    if isinstance(kind, dict):
        return _name(kind.get("name") or kind.get("type"))
    return str(kind)
