"""Arguments for Keras's `fit` and `evaluate`, as users of the platform write them."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches

Scalar = bool | int | float | str | None
"""What the platform lets its users give as the value of an argument."""


def _positive(value: object) -> int:
    """Return a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"want a whole number above 0, got {value!r}")
    return value


def _natural(value: object) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"want a whole number from 0 on, got {value!r}")
    return value


def _steps(value: object) -> int | None:
    """Return a number of steps; a begun one (``50000/32``) counts, as in Keras."""
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < math.inf
    ):
        raise ValueError(f"want a number above 0 or null, got {value!r}")
    return math.ceil(value)


def _switch(value: object) -> bool:
    """Return yes or no; 0 and 1 will do."""
    if value not in (False, True):
        raise ValueError(f"want true or false, got {value!r}")
    return bool(value)


def _verbosity(value: object) -> int | str:
    """Return how much Keras prints."""
    if value == "auto":
        return "auto"
    if isinstance(value, int) and value in (0, 1, 2):
        return int(value)
    raise ValueError(f"want 0, 1, 2 or 'auto', got {value!r}")


def _shuffling(value: object) -> bool | str:
    """Return what Keras takes, though it leaves the order of a stream alone."""
    return "batch" if value == "batch" else _switch(value)


_Check = Callable[[object], Scalar]

_LOOP: Mapping[str, _Check] = {
    "verbose": _verbosity,
    # Of Keras 2 alone, and of no use there for data like these.
    "max_queue_size": _positive,
    "workers": _positive,
    "use_multiprocessing": _switch,
}
_FIT: Mapping[str, _Check] = {
    "epochs": _positive,
    "steps_per_epoch": _steps,
    "validation_steps": _steps,
    "validation_freq": _positive,
    "initial_epoch": _natural,
    "shuffle": _shuffling,
    **_LOOP,
}
_EVALUATE: Mapping[str, _Check] = {
    "steps": _steps,
    **_LOOP,
    "return_dict": _switch,  # whatever it says, metrics are told by name
}
_NOT_PASSED_ON = {"return_dict"}

_ELSEWHERE = {
    "batch_size": "the batch size is the variable BATCH",
    "validation_batch_size": "the batch size is the variable BATCH",
    "validation_split": "the control message's validation_rate sets it",
    "validation_data": "the control message's validation_rate sets it",
    "class_weight": "STREAMFIT_CLASS_WEIGHTS=balanced sets it",
    "sample_weight": "a stream has no weights",
    "callbacks": "code cannot be given",
    "x": "the examples come from the stream",
    "y": "the labels come from the stream",
}
"""What cannot be given, and who gives it."""

_NOT_GIVEN = (None, 0)
"""Defaults of Keras, by which nobody asks for anything."""


def fit_options(written: str | Mapping[str, object]) -> Mapping[str, Scalar]:
    """
    Return the arguments *written* for Keras's `fit`, checked one by one.

    Raises:
        ValueError: Saying in one sentence what is wrong.
    """
    return _options(written, "fit", _FIT)


def evaluate_options(written: str | Mapping[str, object]) -> Mapping[str, Scalar]:
    """
    Return the arguments *written* for Keras's `evaluate`, checked one by one.

    Raises:
        ValueError: Saying in one sentence what is wrong.
    """
    return _options(written, "evaluate", _EVALUATE)


def _options(
    written: str | Mapping[str, object], function: str, checks: Mapping[str, _Check]
) -> Mapping[str, Scalar]:
    """Return the arguments *written* for Keras's *function*, checked one by one."""
    options = _parse(written) if isinstance(written, str) else written
    checked: dict[str, Scalar] = {}
    for name, value in options.items():
        if name in _ELSEWHERE:
            if value in _NOT_GIVEN:
                continue
            raise ValueError(f"{name!r} is not for {function}: {_ELSEWHERE[name]}")
        if name not in checks:
            raise ValueError(_unknown(str(name), function, checks))
        try:
            checked[name] = checks[name](value)
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from None
    return {n: value for n, value in checked.items() if n not in _NOT_PASSED_ON}


def _parse(text: str) -> Mapping[str, object]:
    """
    Return the object written in *text*: JSON, or what older senders make of it.

    The platform writes JSON today; before, it wrote Python, and JSON in single quotes.
    Empty text and null say that there are no options.
    """
    if not text.strip():
        return {}
    for read in (json.loads, ast.literal_eval, _single_quoted):
        try:
            options = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if options is None:
            return {}
        if isinstance(options, dict):
            return options
        break
    raise ValueError(f"want a JSON object, got {text!r}")


def _single_quoted(text: str) -> object:
    return json.loads(text.replace("'", '"'))


def _unknown(name: str, function: str, known: Mapping[str, object]) -> str:
    """Say that *function* has no argument *name*, and which one may be meant."""
    nearest = get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}"
    return f"{function} has no argument {name!r} ({hint})"
