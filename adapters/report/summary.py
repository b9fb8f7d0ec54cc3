"""The report, for people at a terminal: plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from adapters.report import charts
from adapters.report.data import Data
from adapters.report.document import Document
from adapters.report.training import Training
from adapters.report.wording import count, duration, metric, rate, share, size

_MOST_ROWS = 20
"""Of a table; a terminal is no page."""

_STEPS = " ▁▂▃▄▅▆▇█"
_CURVE = 40
"""Characters of a learning curve."""


def lines(document: Document) -> Iterator[str]:
    """Yield what there is to say, line by line, and nothing that moves a cursor."""
    for line in _lines(document):
        yield "".join(c if c.isprintable() else "?" for c in line).rstrip()


def _lines(document: Document) -> Iterator[str]:
    run = document.run
    when = datetime.fromisoformat(run.begun)
    yield f"Deployment {run.deployment}: {run.state}"
    code = "" if run.code is None else f", exit code {run.code}"
    yield f"  {when:%Y-%m-%d %H:%M:%S} UTC, {duration(run.seconds)}{code}"
    if run.identity:
        yield f"  run {run.identity}"
    if run.reason:
        yield f"  {run.reason}"
    if document.data:
        yield from _data(document.data)
    yield from _training(document.training)
    if document.stages:
        yield from _titled(
            "Time",
            ((duration(stage.seconds), stage.phase) for stage in document.stages),
        )
    if document.skipped:
        yield from _titled(
            "Skipped", ((one.position, one.reason) for one in document.skipped)
        )
    if document.model:
        yield from _titled(
            "Model",
            (
                (layer.part, layer.name, layer.kind, count(layer.parameters))
                for layer in document.model
            ),
        )


def _data(data: Data) -> Iterator[str]:
    counts = data.counts
    told = [f"{counts.examples:,} records", size(data.bytes)]
    if counts.rejected:
        told.append(f"{counts.rejected:,} bad")
    if data.records_per_second:
        told.append(rate(data.records_per_second, "records"))
    yield from ("", f"Data ({data.format}): {', '.join(told)}")
    yield from _table(
        (
            one.topic,
            f"[{one.partition}]",
            f"{one.first}..{one.next}",
            f"{one.records:,} records",
            f"{one.missing:,} missing" if one.missing else "",
        )
        for one in data.partitions
    )
    whole = sum(data.parts.values())
    parts = [
        f"{name} {size:,} ({share(size, whole)})"
        for name, size in data.parts.items()
        if size
    ]
    if parts:
        yield f"  {', '.join(parts)}"


def _training(training: Training) -> Iterator[str]:
    if training.epochs:
        speed = (
            f", {rate(training.examples_per_second, 'examples')}"
            if training.examples_per_second
            else ""
        )
        epochs = len(training.epochs)
        number = f"{count(epochs)} epoch{'' if epochs == 1 else 's'}"
        took = f"{duration(training.seconds)}{speed}"
        yield from ("", f"Training: {number}, {took}")
        yield from _table(_curves(training))
    if training.test:
        yield from _titled(
            "Test", ((name, metric(value)) for name, value in training.test.items())
        )
    if training.confusion_matrix:
        matrix = charts.matrix(training.confusion_matrix)
        right = share(matrix.right, matrix.total)
        yield f"  {matrix.right:,} of {matrix.total:,} right ({right})"
        for true, other, examples, part in matrix.confused:
            yield f"  {true} taken for {other}: {examples:,} ({share(part, 1)})"


def _curves(training: Training) -> Iterator[Sequence[str]]:
    last = training.epochs[-1]
    names = dict.fromkeys((*last.training, *last.validation))
    for name in names:
        for part in ("training", "validation"):
            series = [getattr(epoch, part).get(name) for epoch in training.epochs]
            if any(value is not None for value in series):
                yield (name, part, _curve(series), metric(series[-1]))


def _curve(series: Sequence[float | None]) -> str:
    """Draw *series* in one line."""
    every = -(-len(series) // _CURVE)
    values = series[every - 1 :: every]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    width = high - low or 1.0
    return "".join(
        _STEPS[0] if value is None else _STEPS[1 + round(7 * (value - low) / width)]
        for value in values
    )


def _titled(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from ("", title)
    yield from _table(rows)


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    known = [[" ".join(cell.split()) for cell in row] for row in rows]
    shown = known[:_MOST_ROWS]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (f"{cell:{w}}" for cell, w in zip(row, widths, strict=True) if w)
        yield f"  {'  '.join(cells)}"
    if len(known) > len(shown):
        yield f"  and {len(known) - len(shown):,} more"
