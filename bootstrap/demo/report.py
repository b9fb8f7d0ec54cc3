"""What came of a demo, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from adapters.plots import learning_curves_png
from bootstrap.demo.backend import ModelResult, Result
from bootstrap.demo.scenarios import Scenario
from bootstrap.demo.sending import Sending
from domain.report import History


def show(
    scenario: Scenario, sending: Sending, kept: Sequence[ModelResult], out: TextIO
) -> None:
    """Print the metrics of every result, and where its files are."""
    seconds = 0.0
    for number, model in enumerate(kept, 1):
        if (result := model.result) is None:
            continue
        if len(kept) > 1:
            print(f"Sub-model {number}, {model.model.stem}", file=out)
        # The result of a stream that was followed has the last mini-batch alone.
        history = model.progress if sending.follows else result.history
        suffix = f"_{number}" if len(kept) > 1 else ""
        curves = model.folder / f"learning_curves{suffix}.png"
        curves.write_bytes(learning_curves_png(history))
        model.files.append(curves)
        if fits := list(_fits(scenario, history, result.labelled)):
            print(f"{'validation after':>23}", file=out)
        for title, metrics in fits:
            print(f"{title:>23}  {_text(metrics)}", file=out)
        for part, share, metrics in _parts(sending, result):
            print(f"{part:>17} ({share:.0%})  {_text(metrics)}", file=out)
        seconds = result.training_time
    print(f"Trained for {seconds:.1f} s", file=out)
    for file in (file for model in kept for file in model.files):
        print(f"  {file}", file=out)


def _fits(
    scenario: Scenario, history: History, labelled: Sequence[int]
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Yield the name of each fit, if there are several, and how it validated."""
    if scenario.name_of_fit is not None:
        ends = history[scenario.epochs - 1 :: scenario.epochs]
        for number, epoch in enumerate(ends, 1):
            yield scenario.name_of_fit(number, labelled), epoch.validation


def _parts(
    sending: Sending, result: Result
) -> Iterator[tuple[str, float, Mapping[str, float]]]:
    """Yield the parts of the stream, their shares, and their metrics at the end."""
    validation, test = sending.validation_rate, sending.test_rate
    for part, share, metrics in (
        ("training", 1 - validation - test, result.train_metrics),
        ("validation", validation, result.val_metrics),
        ("test", test, result.test_metrics),
    ):
        if metrics:
            yield part, share, {name: series[-1] for name, series in metrics.items()}


def _text(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
