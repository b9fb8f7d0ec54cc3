"""JSON values to attrs classes, as they stand: nothing is converted on the way."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TypeVar

import cattrs
from cattrs import transform_error
from cattrs.v import format_exception

from domain.errors import MalformedRequest

T = TypeVar("T")


def structure(value: object, cls: type[T], place: str) -> T:
    """
    Return *value*, a parsed JSON object, as an instance of *cls*.

    Unknown fields are passed over; so are defaults' fields that are missing.

    Args:
        value: What the JSON parser returned.

        cls: An attrs class.

        place: What to call the object in messages.

    Raises:
        MalformedRequest: Naming every field that is missing or wrong.
    """
    if not isinstance(value, dict):
        raise MalformedRequest(f"{place}: want an object, got {value!r:.40}")
    try:
        return _converter.structure(value, cls)
    except cattrs.BaseValidationError as error:
        faults = transform_error(error, path=place, format_exception=_fault)
        raise MalformedRequest("; ".join(map(_place_first, faults))) from error


def _fault(error: BaseException, kind: type | None) -> str:
    """Let our own hooks and validators speak for themselves."""
    if type(error) is ValueError:
        return str(error)
    return format_exception(error, kind)


def _place_first(fault: str) -> str:
    cause, _, place = fault.rpartition(" @ ")
    return f"{place}: {cause}"


def _text(value: object, _: type) -> str:
    if not isinstance(value, str):
        raise ValueError(f"want text, got {value!r:.40}")
    return value


def _whole(value: object, _: type) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"want a whole number, got {value!r:.40}")
    return value


def _number(value: object, _: type) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"want a number, got {value!r:.40}")
    if abs(value) > sys.float_info.max or math.isnan(value):
        raise ValueError(f"want a finite number, got {value!r:.40}")
    return float(value)


def _object(value: object, _: type) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"want an object, got {value!r:.40}")
    return value


_converter = cattrs.Converter()
_converter.register_structure_hook(str, _text)
_converter.register_structure_hook(int, _whole)
_converter.register_structure_hook(float, _number)
_converter.register_structure_hook_func(
    lambda kind: kind == Mapping[str, object], _object
)
