"""
How a model is compiled again after loading, so that its metrics mean what they did.

``metrics=["accuracy"]`` asks Keras to choose the kind of accuracy by the shape of the
labels.  A model that was never trained has seen none, so later versions write the
wrong kind into its file, under the right name (tensorflow issue 42045).  And whatever
stands in a file, loading settles the kind before there are labels.  Compiling again
with the word itself leaves the choice to the first batch, as for a fresh model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tf_keras

_ACCURACY = {
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
}
_CROSSENTROPY = {
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
}
_ALIASES: Mapping[str, set[str]] = {
    "accuracy": _ACCURACY,
    "acc": _ACCURACY,
    "crossentropy": _CROSSENTROPY,
    "ce": _CROSSENTROPY,
}
"""The words that Keras resolves by shape, and what they may have become."""


def compile_arguments(
    training_config: Mapping[str, Any], outputs: Sequence[str]
) -> dict[str, Any]:
    """
    Return what was given to Keras's `compile`, the optimizer apart.

    Args:
        training_config: The part of a model file that Keras wrote then.

        outputs: Names of the model's outputs.
    """

    def metric(config: Any, output: str | None) -> Any:
        return _metric(config, output if len(outputs) > 1 else None)

    return {
        "loss": _map(training_config.get("loss"), outputs, _loss),
        "metrics": _map(training_config.get("metrics"), outputs, metric),
        "weighted_metrics": _map(
            training_config.get("weighted_metrics"), outputs, metric
        ),
        "loss_weights": training_config.get("loss_weights"),
    }


def _map(
    config: Any,
    outputs: Sequence[str],
    make: Callable[[Any, str | None], Any],
    output: str | None = None,
) -> Any:
    """
    Return the structure of *config*, with what *make* makes of each element.

    Where the structure has one place per output, by name or in order, *make* is told
    the output's name.
    """
    if isinstance(config, dict) and "class_name" not in config:
        return {name: _map(c, outputs, make, name) for name, c in config.items()}
    if isinstance(config, list):
        by_output = output is None and any(isinstance(c, list) for c in config)
        names = outputs if by_output else [output] * len(config)
        return [
            _map(c, outputs, make, name) for name, c in zip(names, config, strict=True)
        ]
    return None if config is None else make(config, output)


def _loss(config: Any, _: str | None) -> Any:
    return config if isinstance(config, str) else tf_keras.losses.deserialize(config)


def _metric(config: Any, output: str | None) -> Any:
    """Return a metric for `compile`: a name that Keras knows, or an object."""
    if isinstance(config, str):
        return config
    inner = dict(config.get("config") or {})
    name = inner.get("name")
    if isinstance(name, str):
        # Keras put the output's name in front, and will do so again.
        inner["name"] = name = name.removeprefix(f"{output}_")
        if _is_alias(name.lower().removeprefix("weighted_"), inner.get("fn")):
            return name.removeprefix("weighted_")
    return tf_keras.metrics.deserialize({**config, "config": inner})


def _is_alias(name: str, function: object) -> bool:
    return function in _ALIASES.get(name, ())
