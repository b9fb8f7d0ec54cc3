"""The report, for people: one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import accumulate
from pathlib import Path

import jinja2
from attrs import frozen

from adapters.report import charts, wording
from adapters.report.data import Data
from adapters.report.document import Document, State
from adapters.report.wording import NONE

_STATES: dict[State, tuple[str, str]] = {
    "running": ("run", "Running"),
    "delivered": ("good", "Delivered"),
    "stopped": ("stop", "Stopped"),
    "failed": ("bad", "Failed"),
}

_MOST_ROWS = 200
"""Of a table; the JSON file has all."""


def html(document: Document, refresh: int = 0) -> str:
    """
    Return *document* as a page: no script, no picture, nothing from the network.

    Args:
        document: What to show.

        refresh: Seconds after which the page is asked for again; 0 for never.
    """
    training = document.training
    confusion = training.confusion_matrix
    kind, title = _STATES[document.run.state]
    return _template().render(
        document=document,
        run=document.run,
        data=document.data,
        training=training,
        kind=kind,
        state=title,
        refresh=refresh,
        tiles=list(_tiles(document)),
        bars=_bars(document),
        charts=list(charts.charts(training)),
        size=(charts.WIDTH, charts.HEIGHT),
        matrix=charts.matrix(confusion) if confusion else None,
        most_in_table=charts.MOST_IN_TABLE,
        most_drawn=charts.MOST_DRAWN,
        most_rows=_MOST_ROWS,
        parts=_parts(document.data) if document.data else [],
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": wording.count,
        "bytes": wording.size,
        "duration": wording.duration,
        "metric": wording.metric,
        "when": _when,
        "shape": _shape,
    }
    return environment.get_template("page.html")


@frozen
class Tile:
    """
    A number that matters.

    Attributes:
        title: What it is.

        value: The number.

        remark: What else there is to say.
    """

    title: str
    value: str
    remark: str = ""


@frozen
class Bar:
    """
    A part of a whole.

    Attributes:
        title: What it is.

        value: How much, in words.

        start: Where it begins, in hundredths of the whole.

        width: How much it is, in hundredths.

        remark: What else there is to say.
    """

    title: str
    value: str
    start: float
    width: float
    remark: str = ""


def _tiles(document: Document) -> Iterator[Tile]:
    """Yield the numbers that matter most."""
    training, data = document.training, document.data
    if data is not None:
        bad = data.counts.rejected
        remark = f"{bad:,} bad" if bad else wording.size(data.bytes)
        yield Tile("Records", wording.count(data.counts.examples), remark)
        if data.records_per_second:
            yield _speed("Reading", data.records_per_second, "records")
    if training.examples_per_second:
        yield _speed("Training", training.examples_per_second, "examples")
    if training.epochs or training.step:
        step = training.step
        remark = f"step {step.step:,} of {step.steps:,}" if step else "complete"
        yield Tile("Epochs", wording.count(len(training.epochs)), remark)
    if training.epochs:
        last = training.epochs[-1]
        for name in last.training:
            found = {
                "test": training.test.get(name),
                "validation": last.validation.get(name),
                "training": last.training[name],
            }
            yield _metric(name, found)
    if training.seconds is not None:
        yield Tile("Time to train", wording.duration(training.seconds))


def _speed(title: str, speed: float, unit: str) -> Tile:
    number, _, unit = wording.rate(speed, unit).partition(" ")
    return Tile(title, number, unit)


def _metric(name: str, found: Mapping[str, float | None]) -> Tile:
    """Return the most telling value of a metric, and the others."""
    told = {part: value for part, value in found.items() if value is not None}
    if not told:
        return Tile(name, NONE, "not a number")
    first, *others = told
    rest = [f"{part} {wording.metric(told[part])}" for part in others]
    remark = f"{first} ({', '.join(rest)})" if rest else first
    return Tile(name, wording.metric(told[first]), remark)


def _bars(document: Document) -> list[Bar]:
    """Return the phases, each with its share of the time."""
    whole = sum(stage.seconds for stage in document.stages) or 1.0
    shares = [100 * stage.seconds / whole for stage in document.stages]
    starts = accumulate(shares, initial=0.0)
    return [
        Bar(
            title=stage.phase,
            value=wording.duration(stage.seconds),
            start=round(start, 2),
            width=round(width, 2),
            remark=f"{stage.times:,} times" if stage.times > 1 else "",
        )
        for stage, start, width in zip(document.stages, starts, shares, strict=False)
    ]


def _parts(data: Data) -> list[Bar]:
    """Return how the stream was shared out."""
    whole = sum(data.parts.values())
    parts = {name: size for name, size in data.parts.items() if size}
    starts = accumulate(parts.values(), initial=0)
    return [
        Bar(
            title=name,
            value=wording.count(size),
            start=round(100 * start / whole, 2),
            width=round(100 * size / whole, 2),
            remark=wording.share(size, whole),
        )
        for (name, size), start in zip(parts.items(), starts, strict=False)
    ]


def _when(moment: str) -> str:
    """Return a moment as people write it."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S} UTC"


def _shape(shape: Sequence[int | None]) -> str:
    """Return a shape, its axes side by side."""
    axes = ("?" if axis is None else str(axis) for axis in shape)
    return " \N{MULTIPLICATION SIGN} ".join(axes)
