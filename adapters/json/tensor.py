"""One side of JSON records, from parsed text to an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import evolve, frozen

from adapters.json.text import parse
from adapters.wire.faults import BadRecord, Fault
from adapters.wire.tensors import parse_dtype, parse_shape
from domain.errors import MalformedRequest

Numbers: TypeAlias = npt.NDArray[np.generic]

_EXACT = 1 << 53
"""Whole numbers up to here are exact in float64."""


@frozen(eq=False)
class JsonTensor:
    """
    One side of the records: the values or the keys.

    Attributes:
        name: ``data`` or ``label``, for messages.

        dtype: Type of the elements; None if a record settles it.

        reshape: The shape that is stated, if one is.

        names: The members of an object, in order; None if it is none, or open.

        shape: Shape of every record; None if a record settles it.
    """

    name: str
    dtype: np.dtype[np.generic] | None
    reshape: tuple[int, ...] | None
    names: tuple[str, ...] | None
    shape: tuple[int, ...] | None = None

    @classmethod
    def parse(
        cls,
        name: str,
        type_name: str | None,
        reshape: str | None,
        names: Sequence[str] | None,
    ) -> JsonTensor:
        """
        Make one from what the options say; None for what they leave open.

        Raises:
            MalformedRequest: They make no sense.
        """
        place = f"input_config.{name}"
        if names is not None and len(set(names)) != max(len(names), 1):
            raise MalformedRequest(f"{place}_fields: want names, each once")
        return cls(
            name,
            None if type_name is None else parse_dtype(f"{place}_type", type_name),
            None if reshape is None else parse_shape(f"{place}_reshape", reshape),
            None if names is None else tuple(names),
        )

    def nothing(self) -> Numbers:
        """Return no examples, of the right shape and type if they are settled."""
        return np.empty((0, *(self.shape or ())), self.dtype or np.float32)

    def settled_by(self, encoded: memoryview) -> JsonTensor:
        """
        Return what is left open as a record has it.

        Raises:
            BadRecord: It is none.
        """
        parsed = parse(self.name, encoded)
        names = self.names
        if names is None and isinstance(parsed, dict):
            names = tuple(parsed)
        numbers = self._numbers(self._in_order(parsed, names))
        whole = np.dtype(np.int64 if numbers.dtype.kind in "biu" else np.float32)
        dtype = self.dtype or whole
        self._cast(numbers, dtype)
        shape = self._fit(numbers)
        return evolve(self, dtype=dtype, names=names, shape=shape)

    def read(self, encoded: memoryview) -> object:
        """
        Return the numbers of a record as they are written, in order.

        Raises:
            BadRecord: It is not JSON, or has other members.
        """
        return self._in_order(parse(self.name, encoded), self.names)

    def convert(self, written: Sequence[object]) -> tuple[Numbers, dict[int, Fault]]:
        """Return all records as an array, 0 where there are faults, and these."""
        shape, dtype = self.shape or (), self.dtype or np.dtype(np.float32)
        if (together := self._convert_all(written, shape, dtype)) is not None:
            return together, {}
        out = np.zeros((len(written), *shape), dtype)
        faults: dict[int, Fault] = {}
        for row, value in enumerate(written):
            try:
                numbers = self._numbers(value)
                self._fit(numbers)
                out[row] = self._cast(numbers, dtype).reshape(shape)
            except BadRecord as error:
                faults[row] = error.fault
        return out, faults

    def _convert_all(
        self,
        written: Sequence[object],
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
    ) -> Numbers | None:
        """Return all records as an array; None if they need a closer look."""
        try:
            numbers = self._numbers(written)
            if dtype.kind in "iu" and numbers.dtype.kind == "f":
                return None
            if self.reshape is None and numbers.shape[1:] != shape:
                return None
            if math.prod(numbers.shape[1:]) != math.prod(shape):
                return None
            return self._cast(numbers, dtype).reshape(len(written), *shape)
        except BadRecord:
            return None

    def _in_order(self, parsed: object, names: tuple[str, ...] | None) -> object:
        """Return the members of an object as a list, anything else as it is."""
        if names is None:
            if isinstance(parsed, dict):
                raise self._fault("schema", "an object, unlike the first record")
            return parsed
        if not isinstance(parsed, dict):
            raise self._fault("schema", "no object")
        for name in names:
            if name not in parsed:
                raise self._fault("schema", f"an object without {name!r:.40}")
        if len(parsed) > len(names):
            more = len(parsed) - len(names)
            raise self._fault("schema", f"an object of {more} members too many")
        members = [parsed[name] for name in names]
        if any(isinstance(member, list | dict) for member in members):
            raise self._fault("value", "an object of more than numbers")
        return members

    def _numbers(self, written: object) -> Numbers:
        """Return numbers in the type that NumPy finds for them."""
        try:
            numbers: Numbers = np.asarray(written)
            if numbers.dtype == np.object_ and _only_numbers(written):
                numbers = numbers.astype(np.float64)  # whole numbers beyond 64 bits
        except (OverflowError, RecursionError, TypeError, ValueError):
            raise self._fault("size", "no regular array") from None
        if numbers.dtype.kind not in "biuf":
            raise self._fault("value", "not of numbers alone")
        if not numbers.size:
            raise self._fault("size", "an array of nothing")
        return numbers

    def _cast(self, numbers: Numbers, dtype: np.dtype[np.generic]) -> Numbers:
        """Return *numbers* in another type that holds them."""
        with np.errstate(all="ignore"):
            if dtype.kind == "f":
                # By way of float64, whatever is beside them, so that they round alike.
                cast = numbers.astype(np.float64).astype(dtype)
                fits = np.isfinite(cast)
            else:
                cast = numbers.astype(dtype)
                fits = cast == numbers
                if numbers.dtype.kind == "f":
                    fits &= np.abs(numbers) <= _EXACT
                elif dtype.kind in "iu" and numbers.dtype.kind in "iu":
                    fits &= np.less(cast, 0) == np.less(numbers, 0)  # none went round
        if not fits.all():
            raise self._fault("value", f"a number that {dtype.name} does not hold")
        return cast

    def _fit(self, numbers: Numbers) -> tuple[int, ...]:
        """Return the shape that *numbers* get."""
        wanted = self.reshape if self.shape is None else self.shape
        if wanted is None:
            return numbers.shape
        known = math.prod(axis for axis in wanted if axis != -1)
        if self.reshape is None and numbers.shape != wanted:
            raise self._fault("size", f"of shape {numbers.shape}, wanted {wanted}")
        if numbers.size % known or (-1 not in wanted and numbers.size != known):
            raise self._fault("size", f"{numbers.size} numbers, wanted {wanted}")
        return tuple(numbers.size // known if axis == -1 else axis for axis in wanted)

    def _fault(self, kind: str, reason: str) -> BadRecord:
        return BadRecord(kind, f"{self.name} is {reason}")


def _only_numbers(written: object) -> bool:
    """Whether there are numbers alone, however deep."""
    open_lists = [written]
    while open_lists:
        item = open_lists.pop()
        if isinstance(item, list):
            open_lists += item
        elif not isinstance(item, int | float):
            return False
    return True
