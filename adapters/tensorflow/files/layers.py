"""What a model is made of, as its file tells it, for people."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve

from domain.events import Layer

Shapes = Mapping[str, tuple[int, ...]]
"""The arrays of a file by their paths there."""

_MOST = 1000
"""Layers that are told; more, nobody reads."""


def described(model: object) -> tuple[Layer, ...]:
    """Return the layers of *model*, Keras's own description of one."""
    return tuple(_layers(model))[:_MOST]


def counted_by_name(
    layers: Iterable[Layer], shapes: Shapes, group: str
) -> tuple[Layer, ...]:
    """Return *layers* with the weights that lie in *group* under their names."""
    sizes = _sizes(shapes, group)
    return _if_complete(layers, [sizes.pop(one.name, 0) for one in layers], sizes)


def counted_by_kind(
    layers: Iterable[Layer], shapes: Shapes, group: str
) -> tuple[Layer, ...]:
    """Return the same where layers go by class: ``dense``, ``dense_1``, ..."""
    sizes = _sizes(shapes, group)
    seen: Counter[str] = Counter()
    found = []
    for one in layers:
        name = _snake(one.kind)
        number = seen[name]
        seen[name] += 1
        found.append(sizes.pop(f"{name}_{number}" if number else name, 0))
    return _if_complete(layers, found, sizes)


def _layers(model: object) -> Iterator[Layer]:
    match model:
        case {"config": {"layers": [*listed]}} | {"config": [*listed]}:
            for layer in listed:
                if isinstance(layer, dict):
                    yield _layer(layer)


def _layer(layer: Mapping[str, Any]) -> Layer:
    config, build = layer.get("config"), layer.get("build_config")
    config = config if isinstance(config, dict) else {}
    build = build if isinstance(build, dict) else {}
    shapes: Iterable[Any] = (
        config.get("batch_input_shape"),
        config.get("batch_shape"),
        build.get("input_shape"),
    )
    name = layer.get("name") or config.get("name")
    return Layer(
        name=str(name or ""),
        kind=str(layer.get("class_name")),
        shape=next((tuple(shape) for shape in shapes if _is_shape(shape)), ()),
    )


def _is_shape(value: object) -> bool:
    return isinstance(value, list | tuple) and all(
        axis is None or isinstance(axis, int) for axis in value
    )


def _sizes(shapes: Shapes, group: str) -> Counter[str]:
    """Return how many numbers each group within *group* holds."""
    sizes: Counter[str] = Counter()
    for path, shape in shapes.items():
        outer, _, inner = path.partition("/")
        if outer == group:
            sizes[inner.partition("/")[0]] += math.prod(map(int, shape))
    return sizes


def _if_complete(
    layers: Iterable[Layer], found: Iterable[int], rest: Counter[str]
) -> tuple[Layer, ...]:
    """Believe what was *found* if it leaves no weights to layers that nobody knows."""
    if any(rest.values()):
        return tuple(layers)
    return tuple(
        evolve(one, parameters=size) for one, size in zip(layers, found, strict=True)
    )


def _snake(kind: str) -> str:
    """Return what Keras makes of a class's name: ``max_pooling2d``."""
    name = re.sub(r"\W+", "", kind)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
