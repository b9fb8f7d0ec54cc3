"""What model files may hold, and how a model is compiled that came uncompiled."""

from __future__ import annotations

import math
import re
from typing import Literal

from attrs import Attribute, field, frozen

from adapters.tensorflow.switches import switch

_NAME = re.compile(r"[A-Za-z]\w{0,99}")


def _one_name(text: str | None) -> str | None:
    """Return a name of Keras."""
    if text is not None and not _NAME.fullmatch(text):
        raise ValueError(f"want one name that Keras knows, got {text!r}")
    return text


def _names(text: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the names in a list with commas."""
    if not isinstance(text, str):
        return text
    names = tuple(name.strip() for name in text.split(","))
    if not all(map(_NAME.fullmatch, names)):
        raise ValueError(
            f"want names that Keras knows, separated by commas, got {text!r}"
        )
    return names


def _rate(text: str | float | None) -> float | None:
    """Return a learning rate."""
    try:
        rate = None if text is None else float(text)
    except ValueError:
        rate = math.nan
    if rate is not None and not 0 < rate < math.inf:
        raise ValueError(f"want a number above 0, got {text!r}")
    return rate


def _precision(text: str | None) -> str | None:
    """Return a type of 16 bits."""
    if text not in {None, "bfloat16", "float16"}:
        raise ValueError(f"want bfloat16 or float16, got {text!r}")
    return text


def _at_least_one(_: object, __: Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"want at least 1, got {value!r}")


@frozen
class ModelSettings:
    """
    Environment variables about model files, by their names in lower case.

    Those about compiling replace what a compiled model brings, each for itself: with a
    learning rate alone, optimizer, loss and metrics stay the model's own.  A model that
    is not compiled needs an optimizer and a loss at least.

    Attributes:
        streamfit_optimizer: Name of an optimizer, in place of the model's own; it
            starts without any state.

        streamfit_loss: Name of a loss, for every output; likewise.

        streamfit_metrics: Names of metrics, for every output; likewise.

        streamfit_learning_rate: Takes the place of the optimizer's own rate, or of its
            schedule.

        streamfit_mixed_precision: ``bfloat16`` or ``float16``: what layers compute in,
            those of the outputs apart; None for what the model says.

        streamfit_max_model_bytes: The most that a model may take: the arrays of its
            file, an unpacked archive, the weights that it asks for.

        streamfit_allow_unsafe_models: Whether models may bring code of their own, which
            then runs in this process.
    """

    streamfit_optimizer: str | None = field(default=None, converter=_one_name)
    streamfit_loss: str | None = field(default=None, converter=_one_name)
    streamfit_metrics: tuple[str, ...] | None = field(default=None, converter=_names)
    streamfit_learning_rate: float | None = field(default=None, converter=_rate)
    streamfit_mixed_precision: str | None = field(default=None, converter=_precision)
    streamfit_max_model_bytes: int = field(default=2 << 30, validator=_at_least_one)
    streamfit_allow_unsafe_models: bool = field(default=False, converter=switch)

    @property
    def compiles(self) -> bool:
        """Whether the variables suffice to compile a model."""
        return self.streamfit_optimizer is not None and self.streamfit_loss is not None


@frozen
class ChainSettings:
    """
    How a chain of sub-models is compiled, by the platform's variables in lower case.

    Attributes:
        optimizer: Name of an optimizer.

        loss: Name of a loss, for every sub-model's own output.

        learning_rate: The weight of every loss, or the optimizer's rate.

        metrics: Names of metrics, for every sub-model's own output.

        streamfit_learning_rate_as: Which of the two: ``loss-weight``, as the platform
            means it (contract, section 10.3), or ``optimizer``.
    """

    optimizer: str = field(converter=_one_name)
    loss: str = field(converter=_one_name)
    learning_rate: float = field(converter=_rate)
    metrics: tuple[str, ...] = field(default=(), converter=_names)
    streamfit_learning_rate_as: Literal["loss-weight", "optimizer"] = "loss-weight"
