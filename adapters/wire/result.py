"""Results out, as the platform's JSON (contract, section 9)."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from attrs import evolve

from adapters.wire.dialect import Dialect
from domain.report import EpochMetrics, History, Metrics, TrainingReport

log = logging.getLogger(__name__)

Lists = dict[str, list[float | None]]
"""Values of each metric, epoch by epoch; null where there is no number."""

_LONGEST_TIME = 10**10  # seconds; the field has 14 digits, 4 of them decimals
_LARGEST_LOSS = 10**5  # of 2020; the field has 15 digits, 10 of them decimals


def progress_text(history: History) -> str:
    """Return the epochs so far, for a platform of the current dialect."""
    return _json(_epochs(history))


def chain_progress_text(history: History, sub_model: int) -> str:
    """Return the epochs so far of one sub-model of a chain, counted from 0."""
    return _json(_epochs(_own_history(history, _name(history, sub_model))))


def chain_result_text(report: TrainingReport, sub_model: int) -> str:
    """Return the result of one sub-model of a chain, counted from 0."""
    name = _name(report.history, sub_model)
    own = evolve(
        report,
        history=_own_history(report.history, name),
        test=_own(report.test, name),
        confusion_matrix=None,
    )
    # Not an empty object: so the platform's own job does it.
    no_test: dict[str, object] = {} if own.test else {"test_metrics": []}
    return _json(_current_result(own) | no_test)


def result_text(report: TrainingReport, dialect: Dialect) -> str:
    """Return the whole result, the model apart."""
    match dialect:
        case Dialect.Y2020:
            return _json(_result_of_2020(report))
        case Dialect.CURRENT:
            return _json(_current_result(report))


def _current_result(report: TrainingReport) -> dict[str, object]:
    result: dict[str, object] = {
        **_epochs(report.history),
        "test_metrics": _lists([report.test], part="test"),
    }
    training_time = round(report.training_time, 4)
    if 0 <= training_time < _LONGEST_TIME:  # not so for NaN
        result["training_time"] = training_time
    else:
        log.warning("training time left out", extra={"seconds": training_time})
    matrix = report.confusion_matrix
    result["confusion_matrix"] = (
        None if matrix is None else [list(map(int, row)) for row in matrix.counts]
    )
    result["indefinite"] = report.indefinite
    if report.labelled:  # ours; the platform passes it over
        result["labelled_per_round"] = list(report.labelled)
    return result


def _name(history: History, sub_model: int) -> str | None:
    """Return the name of a sub-model, whose metrics are ``name/metric``, in order."""
    last = history[-1].training if history else {}
    names = list(dict.fromkeys(n.rpartition("/")[0] for n in last if "/" in n))
    return names[sub_model] if sub_model < len(names) else None


def _own_history(history: History, sub_model: str | None) -> History:
    return tuple(
        EpochMetrics(_own(epoch.training, sub_model), _own(epoch.validation, sub_model))
        for epoch in history
    )


def _own(metrics: Metrics, sub_model: str | None) -> Metrics:
    """Return the metrics of one sub-model alone, under names of their own."""
    parts = {name: name.rpartition("/") for name in metrics}
    return {
        own: metrics[name]
        for name, (owner, slash, own) in parts.items()
        if slash and owner == sub_model
    }


def _epochs(history: History) -> dict[str, object]:
    training = _lists([epoch.training for epoch in history], part="training")
    validation = _lists([epoch.validation for epoch in history], part="validation")
    if validation:
        # The platform looks every training metric up here; order as in training.
        validation = {name: [] for name in training} | validation
    return {"train_metrics": training, "val_metrics": validation}


def _lists(epochs: Iterable[Metrics], *, part: str) -> Lists:
    """Return each metric's values; shorter where an epoch did not measure it."""
    lists: Lists = {}
    for metrics in epochs:
        for name, value in metrics.items():
            # One NaN in the JSON, and the platform refuses the whole result.
            number = float(value) if math.isfinite(value) else None
            lists.setdefault(name, []).append(number)
    names = [name for name, values in lists.items() if None in values]
    if names:
        log.warning(
            "metrics that are not finite become null",
            extra={"part": part, "metrics": names},
        )
    return lists


def _result_of_2020(report: TrainingReport) -> dict[str, object]:
    last = report.history[-1].training if report.history else {}
    result = _loss_and_text(last, prefix="train")
    if report.test:  # what this dialect calls validation: evaluated once, at the end
        result |= _loss_and_text(report.test, prefix="val")
    return result


def _loss_and_text(metrics: Metrics, *, prefix: str) -> dict[str, object]:
    rounded = {name: round(float(value), 10) for name, value in metrics.items()}
    result: dict[str, object] = {}
    loss = rounded.get("loss")
    if loss is not None and abs(loss) < _LARGEST_LOSS:  # not so for NaN
        result[f"{prefix}_loss"] = rounded.pop("loss")
    elif loss is not None:
        log.warning(
            "loss does not fit its field and becomes text",
            extra={"field": f"{prefix}_loss", "loss": loss},
        )
    result[f"{prefix}_metrics"] = "".join(
        f"{name}: {_plain(value)}\n" for name, value in rounded.items()
    )
    return result


def _plain(value: float) -> str:
    """Return *value* as Python prints it, but never with an exponent."""
    return f"{Decimal(repr(value)):f}" if math.isfinite(value) else repr(value)


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, allow_nan=False)
