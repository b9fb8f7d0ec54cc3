"""Pictures of a training, as PNG."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from domain.report import ConfusionMatrix, EpochMetrics, History, Metrics

if TYPE_CHECKING:  # reading matplotlib takes long, and most jobs draw nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 200  # with 10 x 8 inches: the platform's 2000 x 1600 pixels
_MOST_CELLS_WITH_SHARE = 12  # classes; more, and two lines do not fit a cell
_SMALLEST = 3.6  # points, 10 pixels: smaller counts cannot be read
_MOST_TICKS = 34
_LONG_TICKS = 70  # characters; more do not fit side by side
_MOST_CONFUSED = 4  # pairs of classes
_DARK = 0.6  # of the colours; black text is hard to read on what is above
_CONTRAST = 0.5
"""An exponent: as the errors of a good model are rare, they get half of the colours."""


def confusion_matrix_png(matrix: ConfusionMatrix | None) -> bytes:
    """
    Draw *matrix* as a heat map of each true class's shares.

    Returns:
        About 2000 x 1600 pixels on a transparent ground; without a matrix, a picture
        that says so, because the platform insists on one.
    """
    figure = _figure(10, 8)
    axes = figure.subplots()
    if matrix is None:
        _say(
            axes,
            "There is no confusion matrix:\n"
            "the model is no classifier with a single output\n"
            "(regression, for instance, or several outputs)",
        )
    else:
        _heat_map(figure, axes, matrix)
    return _png(figure)


def learning_curves_png(history: History) -> bytes:
    """
    Draw each metric over the epochs, training and validation in one panel.

    Values that are not finite are gaps.
    """
    names = list(dict.fromkeys(name for epoch in history for name in epoch.training))
    columns = math.ceil(math.sqrt(len(names))) or 1
    rows = math.ceil(len(names) / columns) or 1
    figure = _figure(5 * columns, 3.5 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    if not names:
        _say(panels[0], "There are no epochs")
        return _png(figure)
    for axes, name in zip(panels, names, strict=False):
        _curves(axes, name, history)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    return _png(figure)


def _heat_map(figure: Figure, axes: Axes, matrix: ConfusionMatrix) -> None:
    from matplotlib.colors import PowerNorm

    counts = np.array(matrix.counts)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(
        100 * counts, totals, out=np.zeros(counts.shape), where=totals > 0
    )
    colours = PowerNorm(_CONTRAST, vmin=0, vmax=100)
    image = axes.imshow(shares, cmap="Blues", norm=colours)
    figure.colorbar(image, label="% of the true class", ticks=[0, 1, 5, 20, 50, 100])
    ticks = range(0, len(counts), _step(len(counts)))
    labels = [str(matrix.labels[tick]) for tick in ticks]
    wide = sum(map(len, labels)) > _LONG_TICKS
    axes.set_xticks(ticks, labels, rotation=90 if wide else 0)
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    right = f"{100 * np.trace(counts) / max(counts.sum(), 1):.1f} % right"
    title = f"{counts.sum():,} examples, {right}"
    if not _cell_texts(axes, counts, shares, colours(shares)):
        # Too many cells for numbers: lines lead the eye to the axes, words to errors.
        axes.grid(color="grey", alpha=0.25, linewidth=0.5)
        title += _most_confused(matrix.labels, shares)
    axes.set_title(title, fontsize=10)


def _step(classes: int) -> int:
    """Return a round number of classes from one tick to the next."""
    step = 1
    for factor in itertools.cycle((2, 2.5, 2)):  # 1, 2, 5, 10, 20, ...
        if classes <= step * _MOST_TICKS:
            break
        step = int(step * factor)
    return step


def _cell_texts(
    axes: Axes, counts: np.ndarray, shares: np.ndarray, colours: np.ndarray
) -> bool:
    """Write counts into the cells, zeros left out, if they can be read."""
    classes = len(counts)
    with_share = classes <= _MOST_CELLS_WITH_SHARE
    width = max(len(str(counts.max())), 4 if with_share else 2)
    size = min(14.0, 560 / classes / width)  # points; a cell is about 400 / classes
    if size < _SMALLEST:
        return False
    for (row, column), count in np.ndenumerate(counts):
        if not count and not with_share:
            continue
        text = axes.text(
            column,
            row,
            f"{count}\n{shares[row, column]:.0f} %" if with_share else str(count),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if colours[row, column] > _DARK else "black",
        )
        text.set_in_layout(False)  # it is inside, and there may be a thousand
    return True


def _most_confused(labels: tuple[int, ...], shares: np.ndarray) -> str:
    """Return a line about the classes that are most often taken for another one."""
    errors = shares * (1 - np.eye(len(shares)))
    order = np.argsort(-errors, axis=None, kind="stable")[:_MOST_CONFUSED]
    pairs = [
        f"{labels[row]} as {labels[column]} ({errors[row, column]:.0f} %)"
        for row, column in zip(*np.unravel_index(order, errors.shape), strict=True)
        if errors[row, column] > 0
    ]
    return f"\nmost often mistaken: {', '.join(pairs)}" if pairs else ""


def _curves(axes: Axes, name: str, history: History) -> None:
    parts: dict[str, Callable[[EpochMetrics], Metrics]] = {
        "training": lambda epoch: epoch.training,
        "validation": lambda epoch: epoch.validation,
    }
    for label, metrics_of in parts.items():
        measured = [
            (number, metrics_of(epoch)[name])
            for number, epoch in enumerate(history, start=1)
            if name in metrics_of(epoch)
        ]
        if measured:
            epochs, values = np.array(measured, dtype=float).T
            values[~np.isfinite(values)] = np.nan
            # Dots, or else a value between two gaps would not show.
            axes.plot(epochs, values, marker="o", markersize=3, label=label)
    axes.set_title(name)
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, len(history) + 0.5)
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.3)
    axes.legend()


def _say(axes: Axes, text: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=16, linespacing=1.6)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    # Not by pyplot, which keeps every figure and is for one thread only.

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def _png(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", transparent=True)
    return png.getvalue()
