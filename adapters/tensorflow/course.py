"""What happens after every epoch: report, and an eye on the loss."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import define, field

from adapters.tensorflow.settings import TensorFlowSettings
from domain.report import EpochMetrics, Metrics
from ports import EpochListener

log = logging.getLogger(__name__)


@define
class Standing:
    """
    What is remembered of the epochs so far.

    Attributes:
        best: The best loss.

        best_epoch: The epoch that had it, if any had one.

        first_epoch: The first epoch, if there was one.

        last_epoch: The last one.

        diverged: Whether a loss was no longer a number.

        ended: Whether training has ended early.
    """

    best: float = math.inf
    best_epoch: int | None = None
    first_epoch: int | None = None
    last_epoch: int = 0
    diverged: bool = False
    ended: bool = False


@define
class Course:
    """
    The course of one training.

    Attributes:
        keras_model: The model in training.

        settings: When to end early, and whose epoch's weights to keep.

        watched: Which loss is watched: ``loss`` or ``val_loss``.

        listener: Is told of every epoch.

        standing: What is remembered of the epochs so far.

        weights: Those of the best epoch, if they are wanted.

        parts: Of a chain, the names of its sub-models.
    """

    keras_model: Any
    settings: TensorFlowSettings
    watched: str
    listener: EpochListener
    standing: Standing = field(factory=Standing)
    weights: list[np.ndarray] | None = None
    parts: Sequence[str] = ()

    def epoch_ended(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Tell of *epoch* (from 0), of which Keras reports *logs*."""
        metrics = scalars(self.keras_model, logs)
        training = {k: v for k, v in metrics.items() if not k.startswith("val_")}
        validation = {
            k.removeprefix("val_"): v for k, v in metrics.items() if k not in training
        }
        self._warn_if_diverged(epoch, metrics)
        self.listener(
            EpochMetrics(
                training=by_part(training, self.parts),
                validation=by_part(validation, self.parts),
            )
        )
        now = self.standing
        now.last_epoch = epoch
        if now.first_epoch is None:
            now.first_epoch = epoch
        if self.watched in metrics:  # validation may come less often
            self._watch(epoch, metrics[self.watched])

    def end(self) -> None:
        """Give the model the weights that are wanted."""
        now = self.standing
        if self.weights is not None and now.best_epoch != now.last_epoch:
            self.keras_model.set_weights(self.weights)
            log.info(
                "weights of the best epoch",
                extra={"epoch": _told(now.best_epoch), self.watched: now.best},
            )

    def _watch(self, epoch: int, loss: float) -> None:
        patience, now = self.settings.streamfit_early_stopping, self.standing
        if loss < now.best:  # not so for NaN
            now.best, now.best_epoch = loss, epoch
            if self.settings.streamfit_checkpoint_best:
                self.weights = self.keras_model.get_weights()
            return
        best = now.first_epoch if now.best_epoch is None else now.best_epoch
        if patience is not None and epoch - (best or 0) >= patience:
            self.keras_model.stop_training = now.ended = True
            log.info(
                "training ends early: the loss is not getting better",
                extra={
                    "epoch": _told(epoch),
                    "best_epoch": _told(now.best_epoch),
                    "watched": self.watched,
                    "best": now.best,
                },
            )

    def _warn_if_diverged(self, epoch: int, metrics: Metrics) -> None:
        found = [
            n for n in ("loss", "val_loss") if not math.isfinite(metrics.get(n, 0))
        ]
        if found and not self.standing.diverged:
            self.standing.diverged = True
            log.warning(
                "the loss is no longer a number: training diverges",
                extra={"epoch": _told(epoch), "metrics": found},
            )


def scalars(keras_model: Any, metrics: Mapping[str, Any]) -> Metrics:
    """Return the metrics that are one number each, in the order of Keras 2."""
    numbers = {k: float(v) for k, v in metrics.items() if np.ndim(v) == 0}
    if len(numbers) < len(metrics):
        log.warning(
            "metrics left out: not one number each",
            extra={"metrics": sorted(metrics.keys() - numbers.keys())},
        )
    order = dict.fromkeys(_in_order(keras_model))
    ranks = {name: rank for rank, name in enumerate(order)}
    names = sorted(numbers, key=lambda n: ranks.get(n.removeprefix("val_"), len(ranks)))
    return {name: numbers[name] for name in names}


def by_part(metrics: Metrics, parts: Sequence[str]) -> Metrics:
    """
    Return *metrics* with those of a chain's outputs under ``sub-model/metric``.

    Args:
        metrics: By the names that Keras gives them: ``2_accuracy`` is of output 2.

        parts: The names of the sub-models; empty if it is no chain.
    """
    told = {}
    for name, value in metrics.items():
        number, found, metric = name.partition("_")
        own = found and parts and number.isdecimal()
        told[f"{parts[int(number) - 1]}/{metric}" if own else name] = value
    return told


def _in_order(keras_model: Any) -> Iterator[str]:
    """
    Yield the names of losses and metrics as Keras 2 orders them.

    Keras 3 sorts them by name, and its metrics do not know whose output's they are.
    """
    yield "loss"
    outputs = list(getattr(keras_model, "output_names", None) or ())
    yield from (f"{output}_loss" for output in outputs)
    names = [
        metric.name
        for group in keras_model.metrics
        for metric in getattr(group, "metrics", (group,))
    ]
    yield from names
    yield from (f"{output}_{name}" for output in outputs for name in names)


def _told(epoch: int | None) -> int | None:
    """Return the number of *epoch* (from 0) as people count."""
    return None if epoch is None else epoch + 1
