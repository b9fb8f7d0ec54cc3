"""Where a model begins and ends, as its description tells it, without Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen


@frozen
class Ends:
    """
    What models in a chain are told apart and joined by.

    Attributes:
        name: What Keras calls the model.

        inputs: How many there are; None where the description does not tell.

        outputs: Likewise.

        takes: Size of the last axis of the first input; None where it is not told.

        gives: Size of the last axis of the first output; None where it is not told.

        shape: What the first input takes, None for an axis of any length; None where it
            is not told.
    """

    name: str
    inputs: int | None
    outputs: int | None
    takes: int | None
    gives: int | None
    shape: tuple[int | None, ...] | None = None


def ends(model: Mapping[str, Any]) -> Ends:
    """Return where *model*, Keras's own description of one, begins and ends."""
    config = model.get("config")
    config = config if isinstance(config, dict) else {}
    listed = config.get("layers")
    layers = {
        _name(layer): layer
        for layer in (listed if isinstance(listed, list) else [])
        if isinstance(layer, dict)
    }
    if "output_layers" in config:
        inputs = list(_references(config.get("input_layers")))
        outputs = list(_references(config["output_layers"]))
    else:  # a Sequential: one layer after the other
        inputs, outputs = list(layers)[:1], list(layers)[-1:]
    return Ends(
        name=str(config.get("name")),
        inputs=len(inputs) or None,
        outputs=len(outputs) or None,
        takes=_taken(layers.get(inputs[0])) if inputs else None,
        gives=_given(layers.get(outputs[0])) if outputs else None,
        shape=_shape(layers.get(inputs[0])) if inputs else None,
    )


def _name(layer: Mapping[str, Any]) -> str:
    return str(layer.get("name", _config(layer).get("name")))


def _config(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    config = layer.get("config")
    return config if isinstance(config, dict) else {}


def _references(value: object) -> Iterator[str]:
    """Yield the layers in a list of references; Keras 3 writes a single one bare."""
    match value:
        case [str(name), int(), int()]:
            yield name
        case [*items]:
            for item in items:
                yield from _references(item)


def _taken(layer: Mapping[str, Any] | None) -> int | None:
    """Return how many features the first layer of a model takes."""
    match _shape(layer):
        case [*_, int(features)]:
            return features
    return None


def _shape(layer: Mapping[str, Any] | None) -> tuple[int | None, ...] | None:
    """Return the shape that the first layer of a model takes, without the batch."""
    config = _config(layer or {})
    match config.get("batch_input_shape", config.get("batch_shape")):
        case [_, *axes] if all(isinstance(axis, int | None) for axis in axes):
            return tuple(axes)
    return None


def _given(layer: Mapping[str, Any] | None) -> int | None:
    """Return how many features the last layer gives, which one kind tells at once."""
    if layer is None or layer.get("class_name") != "Dense":
        return None
    units = _config(layer).get("units")
    return units if isinstance(units, int) else None
