"""
How many steps TensorFlow runs in one go: Keras's `steps_per_execution`.

Between two steps Python looks in, which costs more than a small step itself.  Steps in
blocks give the same numbers, to the last bit, where the rules below are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

_MOST = 64
"""Beyond that, what Python costs is lost in the noise."""

_SECONDS = 1.0
"""Signals wait for the end of a block, so that none may take much longer."""

_MULTIPLICATIONS_PER_SECOND = {"CPU": 1e10, "GPU": 1e12}
"""What even a slow one does."""

_PASSES_PER_STEP = 3
"""A step multiplies thrice as often as a prediction: forwards, and twice backwards."""

_RATES = ("rate", "stddev", "dropout", "recurrent_dropout")
"""How much random layers do; where it is nothing, nothing is drawn."""


@frozen
class Run:
    """
    What Keras runs through a dataset.

    Attributes:
        batches: Number of batches in one pass.

        steps: Batches per epoch, if they are not those of a pass.

        endless: Whether the data start over when they end.
    """

    batches: int
    steps: int | None = None
    endless: bool = False

    def boundaries(self, *, of_keras_3: bool) -> Iterator[int]:
        """
        Yield the numbers of steps at which a block has to end.

        Keras 3 runs a begun block to its end, beyond the epoch's; Keras 2 does not, but
        loses the metrics of a block in which the data run out.
        """
        if self.steps is None:
            return
        rest = 0 if self.endless else self.batches % self.steps
        yield from (self.steps,) if of_keras_3 else ()
        yield from (rest,) if rest else ()


def block_steps(
    wanted: int | None, model: Any, batch: int, device: str, *, of_keras_3: bool
) -> int:
    """
    Return how many steps of *model* may run in one go, whatever the dataset.

    Args:
        wanted: What the user asks for, if anything.

        model: A Keras model.

        batch: Examples per step.

        device: Where it runs: ``CPU`` or ``GPU``.

        of_keras_3: Whether it is one of Keras 3.
    """
    if wanted is not None:
        return wanted
    if not of_keras_3 and _depends_on_blocks(model):
        return 1
    step = _PASSES_PER_STEP * batch * max(_multiplications(model), 1)
    fitting = _SECONDS * _MULTIPLICATIONS_PER_SECOND[device] / step
    return max(1, min(_MOST, int(fitting)))


def fitting_block(most: int, runs: Iterable[Run], *, of_keras_3: bool) -> int:
    """Return the longest block, of *most* steps or fewer, that suits all *runs*."""
    first, *others = runs
    if (first.steps or first.batches) == 1:
        return 1  # Keras 2 would cut validation's blocks short, but not its functions
    ends = [
        end for run in (first, *others) for end in run.boundaries(of_keras_3=of_keras_3)
    ]
    common = math.gcd(*ends)  # 0 if a block may end anywhere
    return next(n for n in range(most, 0, -1) if common % n == 0)


def set_block(model: Any, steps: int) -> None:
    """Let the compiled *model* run so many *steps* in one go."""
    if int(model.steps_per_execution) != steps:
        model.steps_per_execution = steps
        _forget_functions(model)  # they would run too few steps, or too many


def set_jit(model: Any, *, jit: bool) -> None:
    """Let XLA compile the steps of the compiled *model*, or not."""
    if model.jit_compile is not jit:
        model.jit_compile = jit
        _forget_functions(model)


def _forget_functions(model: Any) -> None:
    """Let Keras make anew what it made for other settings."""
    model.train_function = model.test_function = model.predict_function = None


def _depends_on_blocks(model: Any) -> bool:
    """
    Whether *model*, one of Keras 2, draws other random numbers in a block.

    Layers with a seed of their own do, and operations that draw.  Layers without one
    draw the same.
    """
    try:
        config = model.get_config()
    except NotImplementedError:  # not made of layers that Keras knows
        return True
    return _draws({"class_name": "Model", "config": config})


def _draws(config: object) -> bool:
    """Look for such layers in *config*, also in those that hold others."""
    if isinstance(config, list | tuple):
        return any(map(_draws, config))
    if not isinstance(config, Mapping):
        return False
    if _draws_itself(str(config.get("class_name")), config.get("config")):
        return True
    return any(
        _draws(value)
        for name, value in config.items()
        if "initializer" not in str(name)  # these draw once, when weights are made
    )


def _draws_itself(kind: str, config: object) -> bool:
    options = config if isinstance(config, Mapping) else {}
    called = str(options.get("function", options.get("node_def", ""))).lower()
    seeded = options.get("seed") is not None
    idle = any(n in options for n in _RATES) and not any(map(options.get, _RATES))
    return (
        kind == "Lambda"  # any code
        or "random" in called
        or "dropout" in called
        or (seeded and not idle)
    )


def _multiplications(model: Any) -> int:
    """Return, roughly, how many multiplications *model* takes for one example."""
    return sum(
        _multiplications(layer)
        if hasattr(layer, "layers")
        else _positions(layer) * sum(math.prod(s) for s in _matrices(layer))
        for layer in model.layers
    )


def _matrices(layer: Any) -> list[tuple[int, ...]]:
    """Return the shapes of what *layer* multiplies its input with."""
    if type(layer).__name__ == "Embedding":
        return []  # looked up
    shapes = [tuple(weight.shape) for weight in layer.weights]
    return [shape for shape in shapes if len(shape) > 1]


def _positions(layer: Any) -> int:
    """Return how often *layer* is applied to one example: per pixel, per word."""
    found = 1
    for name in ("input", "output"):
        # Layers with several inputs have several shapes, those with none no attribute.
        tensor = getattr(layer, name, None)
        shape = tuple(getattr(tensor, "shape", ()))
        found = max(found, math.prod(n or 1 for n in shape[1:-1]))
    return found
