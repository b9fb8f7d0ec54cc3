"""Models that compute in 16 bits and keep their weights in 32."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from adapters.tensorflow.files.format import Engine
from adapters.tensorflow.model_settings import ModelSettings

_AS_THEY_ARE = {"InputLayer", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"}
"""The data keep their type; operations take the type of what comes."""


def with_precision(model: Any, engine: Engine, settings: ModelSettings) -> Any:
    """
    Return *model*, or if the settings want so, the same one in mixed precision.

    Layers that make the outputs stay in 32 bits, so that losses and probabilities do.

    Returns:
        With mixed precision another model, of the same names and weights, that is not
        compiled: an optimizer's state is not kept.
    """
    precision = settings.streamfit_mixed_precision
    if precision is None:
        return model
    mixed = _cloned(model, engine, f"mixed_{precision}", _output_layers(model))
    mixed.set_weights(model.get_weights())
    return mixed


def with_scaled_loss(optimizer: Any, engine: Engine, settings: ModelSettings) -> Any:
    """Return *optimizer*, with float16 guarded against gradients that are too small."""
    if settings.streamfit_mixed_precision != "float16":
        return optimizer
    module = engine.mixed_precision if _is_keras_2(engine) else engine.optimizers
    if isinstance(optimizer, module.LossScaleOptimizer):
        return optimizer
    return module.LossScaleOptimizer(optimizer)


def _cloned(model: Any, engine: Engine, policy: str, keep: Collection[str]) -> Any:
    def clone(layer: Any) -> Any:
        if isinstance(layer, engine.Model):
            inner: Collection[str] = ()
            if layer.name in keep:
                inner = _output_layers(layer)
            return _cloned(layer, engine, policy, inner)
        config = layer.get_config()
        plain = _name(config.get("dtype")) == "float32"
        if (
            plain
            and layer.name not in keep
            and type(layer).__name__ not in _AS_THEY_ARE
        ):
            config["dtype"] = policy
        return type(layer).from_config(config)

    return engine.models.clone_model(model, clone_function=clone)


def _output_layers(model: Any) -> set[str]:
    """Return the names of the layers that make the outputs of *model*."""
    outputs = {id(output) for output in model.outputs}
    return {layer.name for layer in model.layers if _made_by(layer) & outputs}


def _made_by(layer: Any) -> set[int]:
    made = getattr(layer, "output", None)
    return set(map(id, made if isinstance(made, list | tuple) else [made]))


def _name(dtype: object) -> object:
    """Return the name of a layer's type, which may be written as a policy."""
    if isinstance(dtype, dict):
        return dtype.get("config", {}).get("name")
    return dtype


def _is_keras_2(engine: Engine) -> bool:
    return bool(engine.__name__ == "tf_keras")
