"""JSON: a number, an array or an object of numbers each in key and value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import define, evolve, fields, frozen

from adapters.wire.faults import BadRecord, Fault, rejected
from adapters.wire.strict import structure
from adapters.wire.tensors import parse_dtype, parse_shape
from domain.batches import Decoded, ExampleBatch, RecordBatch
from domain.errors import MalformedRequest
from ports import Decoder

Numbers: TypeAlias = npt.NDArray[np.generic]

_EXACT = 1 << 53
"""Whole numbers up to here are exact in float64."""


@frozen
class JsonOptions:
    """
    The ``input_config`` of a JSON stream; nothing in it is required.

    Attributes:
        data_fields: The members of a value that is an object, in the order of the
            model's input; by default those of the first good record, in its order.

        label_fields: The members of a key that is an object.

        data_type: Element type of the values, a name in wire.tensors.DTYPES.

        label_type: Element type of the keys; by default ``int64`` if the first good
            record's label is of whole numbers, else ``float32``.

        data_reshape: Shape of a value, as for RAW; by default that of the first good
            record: () for a number, (n) for an object of n members.

        label_reshape: Shape of a key.
    """

    data_fields: list[str] | None = None
    label_fields: list[str] | None = None
    data_type: str = "float32"
    label_type: str | None = None
    data_reshape: str | None = None
    label_reshape: str | None = None


@define(eq=False)
class JsonDecoder(Decoder):
    """
    Reads numbers from JSON text in UTF-8; JsonOptions says what may be stated.

    A record is a number, a regular array of numbers (of arrays, and so on), or an
    object whose members are numbers; ``true`` and ``false`` are 1 and 0.  The first
    good record settles what is not stated.  Objects must have the same names from then
    on, none missing and none more, in any order.

    Bad records are those with ``null``, text, ``NaN`` or ``Infinity`` among the
    numbers; with numbers that the type does not hold (a fraction in int8, 300 in uint8,
    1e39 in float32); with a name twice; in another shape; too deep; or no JSON.
    """

    _features: _JsonTensor
    _labels: _JsonTensor

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> JsonDecoder:
        """
        Make the decoder that *options* describe, see JsonOptions.

        Raises:
            MalformedRequest: An option is unknown or makes no sense.
        """
        known = [attribute.name for attribute in fields(JsonOptions)]
        for name in options:
            if name not in known:
                raise MalformedRequest(
                    f"input_config.{name:.40}: not an option, want {', '.join(known)}"
                )
        for side in ("data_fields", "label_fields"):
            if not isinstance(options.get(side), list | None):
                raise MalformedRequest(f"input_config.{side}: want a list of names")
        said = structure(options, JsonOptions, "input_config")
        return cls(
            _JsonTensor.parse(
                "data", said.data_type, said.data_reshape, said.data_fields
            ),
            _JsonTensor.parse(
                "label", said.label_type, said.label_reshape, said.label_fields
            ),
        )

    def decode(self, records: RecordBatch) -> Decoded:
        """See Decoder."""
        if self._features.shape is None or self._labels.shape is None:
            faults = self._settle(records)
            if len(faults) == len(records):
                nothing = ExampleBatch(self._features.nothing(), self._labels.nothing())
                return Decoded(nothing, rejected(faults))
        faults = {}
        places: list[int] = []
        values: list[object] = []
        labels: list[object] = []
        for index in range(len(records)):
            try:
                value = self._features.read(records.values[index])
                label = self._labels.read(records.keys[index])
            except BadRecord as error:
                faults[index] = error.fault
                continue
            places.append(index)
            values.append(value)
            labels.append(label)
        features, wrong = self._features.convert(values)
        targets, wrong_labels = self._labels.convert(labels)
        if wrong := {**wrong_labels, **wrong}:
            faults |= {places[row]: fault for row, fault in wrong.items()}
            features = np.delete(features, list(wrong), axis=0)
            targets = np.delete(targets, list(wrong), axis=0)
        return Decoded(ExampleBatch(features, targets), rejected(faults))

    def _settle(self, records: RecordBatch) -> dict[int, Fault]:
        """Take what is open from the first good record, or say why there is none."""
        faults: dict[int, Fault] = {}
        for index in range(len(records)):
            try:
                features = self._features.settled_by(records.values[index])
                labels = self._labels.settled_by(records.keys[index])
            except BadRecord as error:
                faults[index] = error.fault
                continue
            self._features, self._labels = features, labels
            break
        return faults


@frozen(eq=False)
class _JsonTensor:
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
    ) -> _JsonTensor:
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

    def settled_by(self, encoded: memoryview) -> _JsonTensor:
        """
        Return what is left open as a record has it.

        Raises:
            BadRecord: It is none.
        """
        parsed = self._parse(encoded)
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
        return self._in_order(self._parse(encoded), self.names)

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

    def _parse(self, encoded: memoryview) -> object:
        try:
            text = str(encoded, "utf-8")
            return _decoder.decode(text)
        except BadRecord as error:
            raise self._bad(error.fault.kind, error.fault.reason, encoded) from None
        except json.JSONDecodeError as error:
            kind = "truncated" if error.pos >= len(text.rstrip()) else "value"
            if error.msg == "Extra data":
                kind = "trailing"
            raise self._bad(kind, f"no JSON at {error.pos}", encoded) from None
        except UnicodeDecodeError as error:
            raise self._bad("value", f"no UTF-8 at {error.start}", encoded) from None
        except RecursionError:
            raise self._bad("value", "nested too deep", encoded) from None
        except ValueError:  # digits that Python does not convert
            raise self._bad("value", "a number beyond all types", encoded) from None

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

    def _bad(self, kind: str, reason: str, encoded: memoryview) -> BadRecord:
        return BadRecord(kind, f"{self.name} of {len(encoded)} bytes: {reason}")


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


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadRecord("value", "a name that stands twice in an object")
    return members


def _constant(_: str) -> NoReturn:
    raise BadRecord("value", "NaN or Infinity")


_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant)
