"""
How a model is compiled after loading, so that its metrics mean what they did.

``metrics=["accuracy"]`` asks Keras to choose the kind of accuracy by the shape of the
labels.  A model that was never trained has seen none, so later versions write the
wrong kind into its file, under the right name (tensorflow issue 42045).  And whatever
stands in a file, loading settles the kind before there are labels.  Compiling again
with the word itself leaves the choice to the first batch, as for a fresh model.

Variables may replace each part, and have to where a model came uncompiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.tensorflow.files.format import Engine
from adapters.tensorflow.files.precision import with_scaled_loss
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.errors import ModelInvalid, SettingsInvalid

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


def require_compiled(
    training_config: Mapping[str, Any] | None, settings: ModelSettings
) -> None:
    """
    Refuse a model that nobody has compiled, nor is going to.

    Raises:
        ModelInvalid: The file does not say how to train, and the variables do not.
    """
    if training_config is None and not settings.compiles:
        raise ModelInvalid(
            "the model is not compiled: compile it before it is saved, or set "
            "STREAMFIT_OPTIMIZER and STREAMFIT_LOSS (and STREAMFIT_METRICS, "
            "STREAMFIT_LEARNING_RATE)"
        )


def keeps_optimizer(
    training_config: Mapping[str, Any] | None, settings: ModelSettings
) -> bool:
    """Whether a model trains on with the optimizer of its file, state and all."""
    return (
        training_config is not None
        and settings.streamfit_optimizer is None
        and settings.streamfit_mixed_precision is None  # which makes another model
    )


def compile_model(
    model: Any,
    engine: Engine,
    training_config: Mapping[str, Any] | None,
    settings: ModelSettings,
) -> None:
    """
    Compile *model*, which has its optimizer already if it brought one with a state.

    Args:
        model: The model, just loaded.

        engine: Whose model it is.

        training_config: How it was compiled, in Keras's own form; if it was.

        settings: What is to be otherwise.

    Raises:
        SettingsInvalid: Keras does not know what *settings* ask for.
    """
    config = training_config or {}
    # The only output of a Sequential, in Keras 3, has no name.
    outputs = list(getattr(model, "output_names", None) or ["output"])
    arguments = compile_arguments(config, outputs, engine)
    optimizer = getattr(model, "optimizer", None)
    if settings.streamfit_optimizer is not None:
        optimizer = _known(
            engine.optimizers, "STREAMFIT_OPTIMIZER", settings.streamfit_optimizer
        )
    elif optimizer is None:
        optimizer = engine.optimizers.deserialize(_optimizer_config(config))
    if settings.streamfit_learning_rate is not None:
        optimizer = _with_rate(optimizer, settings.streamfit_learning_rate)
    optimizer = with_scaled_loss(optimizer, engine, settings)
    if settings.streamfit_loss is not None:
        _known(engine.losses, "STREAMFIT_LOSS", settings.streamfit_loss)
        arguments |= {"loss": settings.streamfit_loss, "loss_weights": None}
    if settings.streamfit_metrics is not None:
        names = _known_metrics(engine, "STREAMFIT_METRICS", settings.streamfit_metrics)
        metrics = [names for _ in outputs] if len(outputs) > 1 else names
        arguments |= {"metrics": metrics, "weighted_metrics": None}
    model.compile(optimizer=optimizer, **arguments)


def compile_chain(
    model: Any, engine: Engine, chain: ChainSettings, settings: ModelSettings
) -> None:
    """
    Compile *model*, which gives the predictions of a chain's sub-models.

    Args:
        model: The model, just joined.

        engine: Whose model it is.

        chain: How the platform wants it.

        settings: What is to be otherwise.

    Raises:
        SettingsInvalid: Keras does not know what the variables ask for.
    """
    outputs = range(len(model.outputs))
    weighs = chain.streamfit_learning_rate_as == "loss-weight"
    variable, name = _first_set("OPTIMIZER", settings.streamfit_optimizer, chain)
    optimizer = _known(engine.optimizers, variable, name)
    rate = settings.streamfit_learning_rate
    if rate is None and not weighs:
        rate = chain.learning_rate
    if rate is not None:
        optimizer = _with_rate(optimizer, rate)
    variable, loss = _first_set("LOSS", settings.streamfit_loss, chain)
    _known(engine.losses, variable, loss)
    variable, metrics = _first_set("METRICS", settings.streamfit_metrics, chain)
    names = _known_metrics(engine, variable, metrics)
    model.compile(
        optimizer=with_scaled_loss(optimizer, engine, settings),
        loss=[loss for _ in outputs],
        metrics=[list(names) for _ in outputs] if names else None,
        loss_weights=[chain.learning_rate for _ in outputs] if weighs else None,
    )


def _first_set(variable: str, ours: Any, chain: ChainSettings) -> tuple[str, Any]:
    """Return our own value, if it is set, or else the platform's, and its name."""
    if ours is not None:
        return f"STREAMFIT_{variable}", ours
    return variable, getattr(chain, variable.lower())


def _optimizer_config(config: Mapping[str, Any]) -> Any:
    """Return what a file says of the optimizer, by either of the names for it."""
    return config.get("optimizer_config") or config.get("optimizer")


def _with_rate(optimizer: Any, rate: float) -> Any:
    """Return *optimizer* at another rate; in place of a schedule, one like it."""
    try:
        optimizer.learning_rate = rate
    except TypeError:
        config = {**optimizer.get_config(), "learning_rate": rate}
        return type(optimizer).from_config(config)
    return optimizer


def _known(module: Any, variable: str, name: str) -> Any:
    """Return what Keras calls *name*, as *variable* says."""
    try:
        known = module.get(name)
    except (ValueError, TypeError):
        known = name
    if isinstance(known, str):  # Keras 2 hands back what it does not know
        raise SettingsInvalid(f"{variable}: Keras knows no {name!r}")
    return known


def _known_metrics(engine: Engine, variable: str, names: Sequence[str]) -> list[str]:
    """Return *names*, each of which Keras knows."""
    for name in names:
        if name not in _ALIASES:
            _known(engine.metrics, variable, name)
    return list(names)


def compile_arguments(
    training_config: Mapping[str, Any], outputs: Sequence[str], engine: Engine
) -> dict[str, Any]:
    """
    Return what was given to Keras's `compile`, the optimizer apart.

    Args:
        training_config: The part of a model file that Keras wrote then.

        outputs: Names of the model's outputs.

        engine: Whose model it is.
    """

    def loss(config: Any, _: str | None) -> Any:
        named = isinstance(config, str)
        return config if named else _deserialized(config, engine, engine.losses)

    def metric(config: Any, output: str | None) -> Any:
        return _metric(config, output if len(outputs) > 1 else None, engine)

    return {
        "loss": _map(training_config.get("loss"), outputs, loss),
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


def _metric(config: Any, output: str | None, engine: Engine) -> Any:
    """Return a metric for `compile`: a name that Keras knows, or an object."""
    if isinstance(config, str):
        return config
    if not isinstance(config.get("config"), dict):  # a function
        return _deserialized(config, engine, engine.metrics)
    inner = dict(config["config"])
    name = inner.get("name")
    if isinstance(name, str):
        # Keras put the output's name in front, and will do so again.
        inner["name"] = name = name.removeprefix(f"{output}_")
        if _is_alias(name.lower().removeprefix("weighted_"), inner.get("fn")):
            return name.removeprefix("weighted_")
    return _deserialized({**config, "config": inner}, engine, engine.metrics)


def _deserialized(config: Any, engine: Engine, module: Any) -> Any:
    """Return what *config* describes, in the old manner or in that of Keras 3."""
    if "registered_name" in config:
        return engine.saving.deserialize_keras_object(config)
    return module.deserialize(config)


def _is_alias(name: str, function: object) -> bool:
    if isinstance(function, dict):  # as the last Keras 2 wrote it
        function = function.get("config")
    return isinstance(function, str) and function in _ALIASES.get(name, ())
