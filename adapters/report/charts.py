"""Learning curves and confusion matrices, as shapes for a page to draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from adapters.report.training import Epoch, Training
from adapters.report.wording import metric
from domain.report import ConfusionMatrix

WIDTH, HEIGHT = 360, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 24
_TICKS = 4
_MOST_POINTS = 400
"""Of a line: what a screen can tell apart."""

_LARGEST = 1e300

MOST_IN_TABLE = 24
"""Classes; more, and a table of numbers cannot be looked at."""

MOST_DRAWN = 300
"""Classes; more, and neither can be squares."""

_MOST_CONFUSED = 5


@frozen
class Line:
    """
    One metric of one part.

    Attributes:
        part: ``training`` or ``validation``.

        runs: Its points, run by run; between them values are missing.

        last: Its last value.

        dots: Whether each point is to be seen.
    """

    part: str
    runs: tuple[tuple[tuple[float, float], ...], ...]
    last: float | None
    dots: bool


@frozen
class Chart:
    """
    One metric over the epochs.

    Attributes:
        name: The metric's.

        lines: What to draw.

        across: Ticks of the x axis: where, and what to write there.

        up: Ticks of the y axis.
    """

    name: str
    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]


@frozen
class Matrix:
    """
    A confusion matrix.

    Attributes:
        labels: The classes.

        rows: For each true class, of each predicted one, count and share of the row.

        right: Examples whose class was seen.

        total: All examples.

        confused: Classes that are most often taken for others: true class, predicted
            class, count, and share of the true class.
    """

    labels: tuple[int, ...]
    rows: tuple[tuple[tuple[int, float], ...], ...]
    right: int
    total: int
    confused: tuple[tuple[int, int, int, float], ...] = field(default=())


def charts(training: Training) -> Iterator[Chart]:
    """Yield a chart for each metric that has any value."""
    epochs = training.epochs
    names = dict.fromkeys(
        name for epoch in epochs for name in (*epoch.training, *epoch.validation)
    )
    for name in names:
        parts = {
            "training": [_drawn(epoch.training.get(name)) for epoch in epochs],
            "validation": [_drawn(epoch.validation.get(name)) for epoch in epochs],
        }
        values = [v for series in parts.values() for v in series if v is not None]
        if values:
            yield _chart(name, parts, values, epochs)


def matrix(confusion: ConfusionMatrix) -> Matrix:
    """Return what there is to see of *confusion*."""
    rows, wrong = [], []
    for true, counts in zip(confusion.labels, confusion.counts, strict=True):
        whole = sum(counts) or 1
        rows.append(tuple((n, n / whole) for n in counts))
        wrong += [
            (true, other, n, n / whole)
            for other, n in zip(confusion.labels, counts, strict=True)
            if n and other != true
        ]
    wrong.sort(key=lambda one: (-one[3], -one[2]))
    return Matrix(
        labels=confusion.labels,
        rows=tuple(rows),
        right=sum(row[at][0] for at, row in enumerate(rows)),
        total=sum(map(sum, confusion.counts)),
        confused=tuple(wrong[:_MOST_CONFUSED]),
    )


def _chart(
    name: str,
    parts: dict[str, list[float | None]],
    values: Sequence[float],
    epochs: Sequence[Epoch],
) -> Chart:
    ticks = _ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]
    last = max(len(epochs), 2)

    def x(epoch: int) -> float:
        within = (epoch - 1) / (last - 1)
        return round(_LEFT + within * (WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        within = (value - low) / (high - low)
        return round(HEIGHT - _BOTTOM - within * (HEIGHT - _TOP - _BOTTOM), 1)

    def line(part: str, series: list[float | None]) -> Line:
        runs: list[list[tuple[float, float]]] = [[]]
        every = math.ceil(len(series) / _MOST_POINTS)
        for number, value in enumerate(series, 1):
            if value is None:
                runs.append([])
            elif number % every == 0 or number in {1, len(series)}:
                runs[-1].append((x(number), y(value)))
        found = tuple(tuple(run) for run in runs if run)
        return Line(part, found, series[-1], dots=len(series) <= 40)

    step = max(math.ceil(last / 8), 1)
    step = next(s for s in _rounds() if s >= step)
    marks = [1, *range(step, len(epochs) + 1, step)] if step > 1 else range(1, last + 1)
    return Chart(
        name=name,
        lines=tuple(
            line(part, series)
            for part, series in parts.items()
            if any(value is not None for value in series)
        ),
        across=tuple((x(mark), str(mark)) for mark in marks if mark <= len(epochs)),
        up=tuple((y(tick), _label(tick, ticks[1] - ticks[0])) for tick in ticks),
    )


def _drawn(value: float | None) -> float | None:
    """Return *value*; as good as infinite, it is missing."""
    return value if value is not None and abs(value) <= _LARGEST else None


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers that *low* and *high* lie between."""
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        spread = abs(high) / 10 or 0.5
        low, high = low - spread, high + spread
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _rounds() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _label(value: float, step: float) -> str:
    """Return a tick's text, with as many digits as tell it from the next."""
    if abs(value) >= 1e5 or step < 1e-4:
        return metric(value)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value:.{digits}f}"
    if float(text) != value and not math.isclose(float(text), value, rel_tol=1e-6):
        text = f"{value:.{digits + 1}f}"
    return text
