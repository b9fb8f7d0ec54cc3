"""Pictures of a training, as PNG."""

from __future__ import annotations

import io
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
_MOST_CELLS_WITH_COUNT = 25  # classes; more, and one line does not
_MOST_TICKS = 34
_DARK = 60  # %; black text is hard to read on what is above


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
        _say(axes, "There is no confusion matrix for this model")
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
    counts = np.array(matrix.counts, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(
        100 * counts, totals, out=np.zeros_like(counts), where=totals > 0
    )
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, label="% of the true class")
    step = math.ceil(len(matrix.labels) / _MOST_TICKS)
    ticks = range(0, len(matrix.labels), step)
    labels = [str(matrix.labels[tick]) for tick in ticks]
    wide = max(map(len, labels)) * len(labels) > 2 * _MOST_TICKS
    axes.set_xticks(ticks, labels, rotation=90 if wide else 0)
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(counts) <= _MOST_CELLS_WITH_COUNT:
        _cell_texts(axes, matrix, shares)


def _cell_texts(axes: Axes, matrix: ConfusionMatrix, shares: np.ndarray) -> None:
    classes = len(matrix.counts)
    with_share = classes <= _MOST_CELLS_WITH_SHARE
    longest = max(len(str(count)) for row in matrix.counts for count in row)
    width = max(longest, 4 if with_share else 2)
    size = min(14.0, 560 / classes / width)  # points; a cell is about 400 / classes
    for (row, column), share in np.ndenumerate(shares):
        text = str(matrix.counts[row][column])
        axes.text(
            column,
            row,
            f"{text}\n{share:.0f} %" if with_share else text,
            ha="center",
            va="center",
            fontsize=size,
            color="white" if share > _DARK else "black",
        )


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
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=16)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    # Not by pyplot, which keeps every figure and is for one thread only.

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def _png(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", transparent=True)
    return png.getvalue()
