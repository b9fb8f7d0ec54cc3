"""Keras 2 and 3, imported late; models loaded by them, within limits."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import shorten
from typing import Any

from adapters.tensorflow.files.format import Engine
from domain.errors import ModelInvalid, ServiceError

_MESSAGE = 300

_GENERATIONS = {"2": "tf_keras", "3": "keras"}


def engine_name(version: str | None) -> str:
    """
    Return the module that reads what Keras *version* wrote.

    Raises:
        ModelInvalid: There is none.
    """
    generation, dot, _ = (version or "").partition(".")
    if not dot or generation not in _GENERATIONS:
        writer = f"Keras {version}" if version else "an unknown version of Keras"
        raise ModelInvalid(
            f"the model was written by {writer}, and only Keras 2 and 3 are supported"
        )
    return _GENERATIONS[generation]


def engine(name: str) -> Engine:
    """Import the engine *name*, which takes seconds."""
    return importlib.import_module(name)


@contextmanager
def loading(limit: int) -> Iterator[None]:
    """
    Load a model within *limit* bytes of weights.

    A few words of a description may ask for any number of weights.  They are counted
    one variable after the other, each before there is memory for it.

    Raises:
        ModelInvalid: Keras cannot load the model, or it asks for more weights.
    """
    import tensorflow as tf

    scope = tf.get_current_name_scope
    total = 0

    def count(create: Callable[..., Any], **arguments: Any) -> Any:
        nonlocal total
        total += _size(arguments)
        if total > limit:
            name = "/".join(filter(None, [scope(), arguments.get("name")]))
            raise ModelInvalid(
                f"the model asks for more than {limit} bytes of weights "
                f"(STREAMFIT_MAX_MODEL_BYTES), at {name!r}"
            )
        return create(**arguments)

    try:
        with warnings.catch_warnings(), tf.variable_creator_scope(count):
            # That an untrained model's optimizer has no state yet, for instance.
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        if refusal := _refusal(error):
            raise refusal from None
        reason = shorten(str(error), _MESSAGE, placeholder=" ...")
        raise ModelInvalid(f"Keras cannot load the model: {reason}") from error


def _refusal(error: BaseException | None) -> ServiceError | None:
    """Return the refusal of ours in *error*, which Keras may have wrapped."""
    while error is not None:
        if isinstance(error, ServiceError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _size(arguments: dict[str, Any]) -> int:
    """Return how many bytes a variable would take."""
    import tensorflow as tf

    shape, dtype = arguments.get("shape"), arguments.get("dtype")
    value = arguments.get("initial_value")
    if shape is None or dtype is None:
        if callable(value):
            # A graph only describes what it would compute.
            with tf.Graph().as_default():
                value = value()
        shape = getattr(value, "shape", ())
        dtype = dtype or getattr(value, "dtype", tf.float32)
    sizes = [int(size or 0) for size in tf.TensorShape(shape).as_list()]
    return math.prod(sizes) * int(tf.as_dtype(dtype).size)
